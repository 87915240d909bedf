"""A writer that dies leaves its file open. The namenode notices, has the datanodes agree on the last block, and closes it."""
import os
import subprocess

import pytest

from lib.cluster import Cluster, cairn_path, client_env
from lib.data import MIB
from lib.waiting import wait_for

PROPERTIES = {"dfs.namenode.lease-hard-limit-sec": 3, "dfs.heartbeat.interval": 1, "dfs.blocksize": MIB}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("writer") / "cluster", properties=PROPERTIES) as running:
        yield running


def open_files(cluster):
    return b"Files currently being written" in cluster.fsck("/").stdout


def length(cluster, path):
    done = cluster.fs("-stat", "%b", path)
    return int(done.stdout) if done.returncode == 0 else -1


def write_and_die(cluster, command, path, data, at_least):
    """Feeds data to a client that reads stdin, and kills it while it waits for more."""
    client = subprocess.Popen([cairn_path(), "fs", "-fs", cluster.uri, "-D", f"dfs.blocksize={MIB}", *command, "-", path],
                              stdin=subprocess.PIPE, env=client_env())
    try:
        client.stdin.write(data)
        client.stdin.flush()
        wait_for(lambda: length(cluster, path) >= at_least or length(cluster, path + "._COPYING_") >= at_least, 30,
                 "the first blocks")
        assert open_files(cluster)
    finally:
        client.kill()
        client.wait()


def test_the_file_of_a_dead_writer_is_closed(cluster):
    data = os.urandom(3 * MIB + 300_000)
    write_and_die(cluster, ["-put"], "/new", data, 2 * MIB)
    wait_for(lambda: not open_files(cluster), 60, "the namenode to close the file", every_s=0.3)
    kept = cluster.fs("-cat", "/new._COPYING_", check=True).stdout
    assert len(kept) == length(cluster, "/new._COPYING_") >= 2 * MIB
    assert data.startswith(kept)
    assert b"HEALTHY" in cluster.fsck("/").stdout


def test_an_append_cut_short_keeps_what_was_there(cluster):
    before, data = os.urandom(MIB + 1000), os.urandom(2 * MIB)
    cluster.fs("-put", "-", "/old", stdin=before, check=True)
    write_and_die(cluster, ["-appendToFile"], "/old", data, 2 * MIB)
    wait_for(lambda: not open_files(cluster), 60, "the namenode to close the file", every_s=0.3)
    kept = cluster.fs("-cat", "/old", check=True).stdout
    assert kept.startswith(before) and (before + data).startswith(kept)
    cluster.fs("-appendToFile", "-", "/old", stdin=b"more", check=True)
    assert cluster.fs("-cat", "/old", check=True).stdout == kept + b"more"


def test_nobody_else_appends_while_the_writer_lives(cluster):
    client = subprocess.Popen([cairn_path(), "fs", "-fs", cluster.uri, "-put", "-", "/slow"], stdin=subprocess.PIPE,
                              env=client_env())
    client.stdin.write(b"a" * 10)
    client.stdin.flush()
    wait_for(lambda: length(cluster, "/slow._COPYING_") >= 0, 20, "the file")
    done = cluster.fs("-appendToFile", "-", "/slow._COPYING_", stdin=b"x")
    assert done.returncode and b"this file lease is currently owned by" in done.stderr
    assert open_files(cluster)
    client.stdin.write(b"b" * 10)
    client.stdin.close()
    assert client.wait(60) == 0
    assert cluster.fs("-cat", "/slow", check=True).stdout == b"a" * 10 + b"b" * 10


def test_the_next_writer_need_not_wait_for_a_dead_one(tmp_path):
    """With HDFS's own limits of 60 s and 20 minutes, far longer than this test waits."""
    with Cluster(tmp_path / "cluster", properties={"dfs.heartbeat.interval": 1, "dfs.blocksize": MIB}) as cluster:
        data = os.urandom(2 * MIB + 100_000)
        write_and_die(cluster, ["-put"], "/log", data, MIB)
        path = "/log._COPYING_"

        def appended():
            return cluster.fs("-appendToFile", "-", path, stdin=b"more").returncode == 0

        wait_for(appended, 30, "another writer to get the file", every_s=0.3)
        kept = cluster.fs("-cat", path, check=True).stdout
        assert kept.endswith(b"more") and data.startswith(kept[:-4]) and len(kept) >= MIB

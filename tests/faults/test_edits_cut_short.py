"""Edits of files while daemons die: what was edited stays, what was not leaves nothing behind."""
import errno
import glob
import os
import random
import select

import pytest

from lib.cluster import Cluster
from lib.data import MIB
from lib.posix_edit import Editor, block_of, hole
from lib.posix_tool import PosixError
from lib.replicas import replicas
from lib.waiting import wait_for

PROPERTIES = {"dfs.heartbeat.interval": 1, "dfs.blocksize": 256 * MIB, "cairn.namenode.edit.grace": 1000,
              "dfs.namenode.heartbeat.recheck-interval": 1000, "cairn.posix.session-expiry": "30s"}
PATIENT = {"cairn.client.retry-for": 60000}


@pytest.fixture
def cluster(tmp_path):
    with Cluster(tmp_path / "cluster", properties=PROPERTIES) as running:
        yield running


@pytest.fixture
def local(tmp_path):
    path = tmp_path / "bytes"
    path.write_bytes(random.Random(7).randbytes(4 * MIB))
    return path


def put(cluster, path, data):
    cluster.fs("-put", "-", path, stdin=data, check=True)


def cat(cluster, path):
    return cluster.fs("-cat", path, check=True).stdout


def replicas_on_disk(cluster, block):
    return [one.path for one in replicas(cluster.folder, block=block)]


def restart_namenode(cluster):
    cluster.kill("namenode")
    cluster.start_again("namenode")


def test_a_namenode_that_dies_before_the_edit_forgets_the_new_blocks(cluster, local):
    put(cluster, "/x", b"old")
    with Editor(cluster, PATIENT) as editor:
        file = editor.id("/x")
        lost, never_written = editor.upload(file, local, 0, MIB), editor.allot(file, MIB)
        restart_namenode(cluster)
        with pytest.raises(PosixError) as gone:
            editor.edit(file, 0, 1, lost)
        assert gone.value.errno in (errno.ENOENT, errno.ESTALE)
        assert cat(cluster, "/x") == b"old"
        wait_for(lambda: not replicas_on_disk(cluster, block_of(lost)), 60, "the orphans to go from the disks")
    with Editor(cluster, PATIENT) as editor:
        fresh = editor.upload(file, local, 0, MIB)
        assert block_of(fresh) > block_of(never_written)
        editor.edit(file, 0, 1, fresh, hole(5))
    restart_namenode(cluster)
    wait_for(lambda: cluster.fs("-cat", "/x").returncode == 0, 60, "the file")
    assert cat(cluster, "/x") == local.read_bytes()[:MIB] + bytes(5)
    wait_for(lambda: b"HEALTHY" in cluster.fsck("/").stdout, 30, "a healthy file system")


def test_an_edit_that_was_answered_survives_the_namenode(cluster, local):
    put(cluster, "/x", b"old")
    with Editor(cluster, PATIENT) as editor:
        file = editor.id("/x")
        old = editor.pieces(file)[0]
        for i in range(5):
            count = len(editor.pieces(file))
            editor.edit(file, count - 1, 1, editor.upload(file, local, i * 1000, 1000), hole(10 ** 9))
            restart_namenode(cluster)
            wait_for(lambda: b"Safe mode is OFF" in cluster.dfsadmin("-safemode", "get").stdout, 60, "the end of safe mode")
        assert int(cluster.fs("-stat", "%b", "/x", check=True).stdout) == 5000 + 10 ** 9
        assert cluster.fs("-head", "/x", check=True).stdout[:1000] == local.read_bytes()[:1000]
        # The grace of what was replaced ends with the namenode that gave it.
        wait_for(lambda: not replicas_on_disk(cluster, block_of(old)), 60, "the old block to go")


def test_new_blocks_of_a_mount_that_dies_go_with_its_session(cluster, local):
    cluster.restart(**{"cairn.posix.session-expiry": "2s"})
    put(cluster, "/x", b"old")
    with Editor(cluster, PATIENT) as editor:
        file = editor.id("/x")
        lost = editor.upload(file, local, 0, MIB)
        assert len(replicas_on_disk(cluster, block_of(lost))) == 3
        editor.kill()
    wait_for(lambda: not replicas_on_disk(cluster, block_of(lost)), 60, "the orphans to go from the disks")
    assert cat(cluster, "/x") == b"old"


@pytest.mark.parametrize("when", ["before", "during", "during, and is replaced"])
def test_a_datanode_that_dies_costs_an_upload_nothing(tmp_path, when):
    replaced = when.endswith("replaced")
    properties = {"dfs.client.block.write.replace-datanode-on-failure.policy": "ALWAYS"} if replaced else {}
    with Cluster(tmp_path / "cluster", nodes=4 if replaced else 3, properties=PROPERTIES) as cluster:
        upload_while_a_datanode_dies(cluster, tmp_path, when, PATIENT | properties)


def upload_while_a_datanode_dies(cluster, tmp_path, when, properties):
    big = tmp_path / "big"
    data = random.Random(3).randbytes(MIB) * 200
    big.write_bytes(data)
    put(cluster, "/x", b"old")
    with Editor(cluster, properties) as editor:
        file = editor.id("/x")
        if when == "before":
            cluster.kill("datanode-2")
        editor.begin("upload", file, big, 0, len(data))
        if when != "before":
            def begun():
                found = glob.glob(f"{cluster.folder}/datanode-*/**/rbw/blk_*[0-9]", recursive=True)
                return next((path for path in found if os.path.getsize(path) > MIB), None)
            path = wait_for(begun, 30, "some of the block on a datanode", every_s=0.002)
            victim = os.path.relpath(path, cluster.folder).split("/")[0]
            cluster.kill(victim)
            assert not select.select([editor.process.stdout], [], [], 0)[0], "the upload was faster than the test"
        piece = editor.end()[0]
        if "replaced" in when:
            live = [path for path in replicas_on_disk(cluster, block_of(piece)) if f"/{victim}/" not in path]
            assert len(live) == 3
        editor.edit(file, 0, 1, piece)
    assert cat(cluster, "/x") == data
    cluster.start_again("datanode-2" if when == "before" else victim)
    wait_for(lambda: len(replicas_on_disk(cluster, block_of(piece))) == 3, 60, "the third replica")
    assert cat(cluster, "/x") == data

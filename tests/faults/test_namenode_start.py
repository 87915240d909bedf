"""A namenode that cannot start says which thing is wrong and what to do, and exits with 1. Nothing is made or lost by that."""
import os
import socket
import subprocess

import pytest

from lib.cluster import cairn_path, client_env, run_cairn
from lib.ports import port_block
from lib.process import Daemon
from lib.waiting import wait_for


@pytest.fixture(scope="module")
def base():
    return port_block()


@pytest.fixture
def settings(tmp_path, base):
    return {"fs.defaultFS": f"hdfs://127.0.0.1:{base}", "dfs.namenode.http-address": f"127.0.0.1:{base + 1}",
            "dfs.namenode.name.dir": f"{tmp_path}/name"}


def words(settings, *more):
    return ["namenode", *(word for name, value in settings.items() for word in ("-D", f"{name}={value}")), *more]


def refused(settings, *expected, more=()):
    done = run_cairn(*words(settings, *more), deadline_s=20)
    text = done.stderr.decode()
    assert done.returncode == 1, text
    last = text.strip().splitlines()[-1]
    assert last.startswith("cairn namenode: ")
    for part in expected:
        assert part in last, last


def run_once(settings, log):
    """Starts a namenode for real and stops it when it answers."""
    daemon = Daemon("namenode", [cairn_path(), *words(settings)], log, env=client_env())
    try:
        wait_for(lambda: daemon.check_alive() and run_cairn("fs", "-fs", settings["fs.defaultFS"], "-ls", "/").returncode == 0,
                 20, "the namenode")
    finally:
        daemon.stop()


def test_port_in_use(settings, base):
    with socket.create_server(("127.0.0.1", base)):
        refused(settings, f"127.0.0.1:{base}", "in use", "dfs.namenode.rpc-address")
    with socket.create_server(("127.0.0.1", base + 1)):
        refused(settings, f"127.0.0.1:{base + 1}", "in use", "dfs.namenode.http-address")


def test_folder_that_is_none(settings, tmp_path):
    (tmp_path / "file").write_text("")
    refused(settings | {"dfs.namenode.name.dir": f"{tmp_path}/file"}, f"{tmp_path}/file", "dfs.namenode.name.dir")
    refused(settings | {"dfs.namenode.name.dir": "relative"}, "relative", "dfs.namenode.name.dir")


def test_folder_of_an_apache_namenode(settings, tmp_path):
    os.makedirs(tmp_path / "name" / "current")
    (tmp_path / "name" / "current" / "VERSION").write_text("namespaceID=1\n")
    refused(settings, f"{tmp_path}/name", "Apache Hadoop")


def test_second_namenode_on_one_folder(settings, tmp_path, base):
    first = Daemon("namenode", [cairn_path(), *words(settings)], f"{tmp_path}/log", env=client_env())
    try:
        wait_for(lambda: first.check_alive() and "ready" in open(f"{tmp_path}/log").read(), 20, "the first one")
        other = {"fs.defaultFS": f"hdfs://127.0.0.1:{base + 2}", "dfs.namenode.http-address": f"127.0.0.1:{base + 3}"}
        refused(settings | other, f"{tmp_path}/name", "in use by another namenode")
    finally:
        first.stop()


def test_damaged_or_foreign_folder(settings, tmp_path):
    run_once(settings, f"{tmp_path}/log")
    name = tmp_path / "name"
    version = (name / "VERSION").read_text()
    (name / "VERSION").write_text(version.replace("Version=1", "Version=9"))
    refused(settings, "another version", "9")
    (name / "VERSION").write_text("nonsense")
    refused(settings, "VERSION", "damaged")
    (name / "VERSION").unlink()
    refused(settings, "no VERSION file")
    (name / "VERSION").write_text(version)
    os.rename(name / "meta", name / "away")
    refused(settings, "meta", "missing")  # an empty one would make the datanodes delete every block
    os.rename(name / "away", name / "meta")
    run_once(settings, f"{tmp_path}/log")


def test_format(settings, tmp_path):
    run_once(settings, f"{tmp_path}/log")
    before = (tmp_path / "name" / "VERSION").read_text()
    refused(settings, "holds a file system already", "-force", more=["-format"])
    refused(settings, "holds a file system already", more=["-format", "-nonInteractive"])
    assert (tmp_path / "name" / "VERSION").read_text() == before
    done = run_cairn(*words(settings, "-format", "-force", "-clusterId", "CID-mine"))
    assert done.returncode == 0, done.stderr
    assert "clusterID=CID-mine" in (tmp_path / "name" / "VERSION").read_text()
    run_once(settings, f"{tmp_path}/log")


def test_options(settings):
    refused(settings, "-bogus", more=["-bogus"])
    refused(settings | {"fs.defaultFS": "file:///"}, "fs.defaultFS", "file:///")
    refused(settings | {"dfs.namenode.replication.min": "none"}, "dfs.namenode.replication.min", "none")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_full_disk(settings, tmp_path):
    """Reads go on, changes are refused with the reason; with room again and a restart everything acknowledged is there."""
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", small], check=True)
    try:
        settings = settings | {"dfs.namenode.name.dir": f"{small}/name"}
        uri, made = settings["fs.defaultFS"], []
        daemon = Daemon("namenode", [cairn_path(), *words(settings)], f"{tmp_path}/log", env=client_env())
        try:
            wait_for(lambda: daemon.check_alive() and run_cairn("fs", "-fs", uri, "-ls", "/").returncode == 0, 20, "the namenode")
            with open(f"{small}/ballast", "wb") as ballast:
                ballast.write(b"x" * (os.statvfs(small).f_bavail * os.statvfs(small).f_bsize - 65536))
            for i in range(2000):
                paths = [f"/{i}-{j}-{'x' * 200}" for j in range(20)]
                done = run_cairn("fs", "-fs", uri, "-mkdir", *paths)
                if done.returncode:
                    break
                made += paths
            assert "No space left" in done.stderr.decode() and "takes no changes" in done.stderr.decode()
            assert run_cairn("fs", "-fs", uri, "-test", "-d", made[0]).returncode == 0
            daemon.check_alive()
        finally:
            daemon.stop()
        os.unlink(f"{small}/ballast")
        daemon = Daemon("namenode", [cairn_path(), *words(settings)], f"{tmp_path}/log", env=client_env())
        try:
            wait_for(lambda: daemon.check_alive() and run_cairn("fs", "-fs", uri, "-ls", "/").returncode == 0, 20, "the namenode")
            listed = set(run_cairn("fs", "-fs", uri, "-ls", "-C", "/", check=True).stdout.decode().split())
            assert set(made) <= listed
            run_cairn("fs", "-fs", uri, "-mkdir", "/more", check=True)
        finally:
            daemon.stop()
    finally:
        subprocess.run(["umount", "-l", small], check=False)

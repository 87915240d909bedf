"""Names that are longer than Linux has room for, where dfs.namenode.fs-limits.max-component-length allows them."""
import os

import pytest

from lib.cluster import Cluster

LONG = "n" * 3000


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("long")
    properties = {"dfs.namenode.fs-limits.max-component-length": 0}
    with Cluster(folder / "cluster", nodes=1, mount=folder / "mount", properties=properties) as running:
        running.mounted = folder / "mount"
        yield running


def test_files_and_directories(cluster):
    cluster.fs("-mkdir", "-p", f"/d/{LONG}", "/d/short", check=True)
    cluster.fs("-put", "-", f"/d/{LONG}/{LONG}", stdin=b"hello", check=True)
    assert cluster.fs("-cat", f"/d/{LONG}/{LONG}", check=True).stdout == b"hello"
    assert cluster.fs("-ls", "-C", "/d", check=True).stdout.decode().split() == [f"/d/{LONG}", "/d/short"]
    cluster.fs("-mv", f"/d/{LONG}/{LONG}", f"/d/{LONG}/{LONG}2", check=True)
    assert cluster.fs("-cat", f"/d/{LONG}/{LONG}2", check=True).stdout == b"hello"


def test_fsck_comes_past_them(cluster):
    for name in "a", "z":
        cluster.fs("-put", "-", f"/d/{name}", stdin=b"x", check=True)
    said = cluster.fsck("/d", "-files", check=True).stdout.decode()
    assert "/d/z 1 bytes" in said and f"/d/{LONG}/{LONG}2 5 bytes" in said
    assert "Status: HEALTHY" in said


def test_a_mount_leaves_them_out(cluster):
    assert set(os.listdir(cluster.mounted / "d")) >= {"short"}
    assert LONG not in os.listdir(cluster.mounted / "d")


def test_snapshots_and_the_reaper(cluster):
    assert cluster.dfsadmin("-allowSnapshot", "/d").returncode == 0
    cluster.fs("-createSnapshot", "/d", "s", check=True)
    cluster.fs("-rm", "-r", "-skipTrash", f"/d/{LONG}", check=True)
    assert f"/d/.snapshot/s/{LONG}" in cluster.fs("-ls", "-C", "/d/.snapshot/s", check=True).stdout.decode().split()
    assert cluster.fs("-cat", f"/d/.snapshot/s/{LONG}/{LONG}2", check=True).stdout == b"hello"
    cluster.fs("-deleteSnapshot", "/d", "s", check=True)
    cluster.fs("-rm", "-r", "-skipTrash", "/d", check=True)
    assert cluster.fs("-count", "/", check=True).stdout.split()[1] == b"0"

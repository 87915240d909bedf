"""The namenode empties everybody's trash, as Hadoop's does: what lies there gets a checkpoint's name, and goes when that is old."""
import getpass
import re

import pytest

from lib.cluster import Cluster
from lib.waiting import wait_for

USER = getpass.getuser()
PROPERTIES = {"fs.trash.interval": "4s", "fs.trash.checkpoint.interval": "1s", "dfs.namenode.snapshot.trashroot.enabled": "true"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("emptier") / "cluster", nodes=1, properties=PROPERTIES) as running:
        yield running


def names(cluster, folder):
    listed = cluster.fs("-ls", "-C", folder)
    return [line.rsplit("/", 1)[1] for line in listed.stdout.decode().split()] if listed.returncode == 0 else None


def test_what_is_removed_goes_in_the_end(cluster):
    cluster.fs("-mkdir", "-p", "/d", "/other/sub", "/user/bob/.Trash/Current/x", "/user/bob/.Trash/0101010101", "/user/bob/.Trash/mine",
               "/user/plain", check=True)
    cluster.fs("-touchz", "/user/carol", check=True)
    assert cluster.dfsadmin("-allowSnapshot", "/d").returncode == 0
    cluster.fs("-touchz", "/d/f", "/other/f", check=True)
    cluster.fs("-D", "fs.trash.interval=1", "-rm", "/d/f", "/other/f", check=True)
    roots = [f"/user/{USER}/.Trash", f"/d/.Trash/{USER}"]
    for root in roots:
        wait_for(lambda: "Current" not in names(cluster, root), 30, f"a checkpoint in {root}")
        assert all(re.fullmatch(r"\d{12}(-\d+)?", name) for name in names(cluster, root))
    for root in roots:
        wait_for(lambda: names(cluster, root) == [], 30, f"{root} to be empty")
    wait_for(lambda: names(cluster, "/user/bob/.Trash") == ["mine"], 30, "nothing of bob's but what no trash has put there")
    assert cluster.fs("-test", "-e", "/user/plain").returncode == 0 and cluster.fs("-test", "-e", "/user/carol").returncode == 0


def test_a_snapshot_in_the_way_keeps_nobody_elses_trash(cluster):
    cluster.fs("-mkdir", "-p", "/user/alice/.Trash/0101010101/kept", check=True)
    assert cluster.dfsadmin("-allowSnapshot", "/user/alice/.Trash/0101010101/kept").returncode == 0
    cluster.fs("-createSnapshot", "/user/alice/.Trash/0101010101/kept", check=True)
    cluster.fs("-mkdir", "-p", "/user/zoe/.Trash/0101010101", check=True)
    wait_for(lambda: names(cluster, "/user/zoe/.Trash") == [], 30, "zoe's trash to be empty")
    assert names(cluster, "/user/alice/.Trash") == ["0101010101"]

"""A trash below each directory that snapshots may be taken of, where the namenode wants one."""
import getpass
import json
import re

import pytest

from lib.cluster import Cluster
from lib.waiting import wait_for

SETTING = "dfs.namenode.snapshot.trashroot.enabled"
USER = getpass.getuser()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    properties = {"fs.trash.interval": 60, SETTING: "true"}
    with Cluster(tmp_path_factory.mktemp("trash") / "cluster", nodes=1, properties=properties) as running:
        yield running


def exists(cluster, path):
    return cluster.fs("-test", "-e", path).returncode == 0


def test_removed_files_stay_below_the_directory(cluster):
    cluster.fs("-mkdir", "-p", "/d/sub", "/other", check=True)
    assert cluster.dfsadmin("-allowSnapshot", "/d").returncode == 0
    assert cluster.fs("-stat", "%a", "/d/.Trash", check=True).stdout == b"1777\n"
    for path in "/d/sub/f", "/other/f":
        cluster.fs("-touchz", path, check=True)
        cluster.fs("-rm", path, check=True)
    assert exists(cluster, f"/d/.Trash/{USER}/Current/d/sub/f")
    assert exists(cluster, f"/user/{USER}/.Trash/Current/other/f")
    cluster.fs("-rm", "-r", f"/d/.Trash/{USER}/Current/d/sub", check=True)
    assert not exists(cluster, f"/d/.Trash/{USER}/Current/d/sub")

    refused = cluster.dfsadmin("-disallowSnapshot", "/d")
    assert refused.returncode and b"Found non-empty trash root at /d/.Trash" in refused.stderr
    cluster.fs("-expunge", "-immediate", check=True)
    assert cluster.fs("-ls", "-C", f"/d/.Trash/{USER}", check=True).stdout == b""
    cluster.fs("-rm", "-r", "-skipTrash", f"/d/.Trash/{USER}", check=True)
    assert cluster.dfsadmin("-disallowSnapshot", "/d").returncode == 0
    assert not exists(cluster, "/d/.Trash")


def test_expunge_makes_checkpoints_in_each(cluster):
    cluster.fs("-mkdir", "-p", "/e", check=True)
    assert cluster.dfsadmin("-allowSnapshot", "/e").returncode == 0
    cluster.fs("-touchz", "/e/f", check=True)
    cluster.fs("-rm", "/e/f", check=True)
    cluster.fs("-expunge", check=True)
    assert re.fullmatch(rf"/e/.Trash/{USER}/\d{{12}}\n", cluster.fs("-ls", "-C", f"/e/.Trash/{USER}", check=True).stdout.decode())


def trash_root(cluster, path, op="GETTRASHROOT", more=""):
    url = f"/webhdfs/v1{path}?op={op}&user.name={USER}{more}"
    return json.loads(cluster.http_get(url))


def test_over_http(cluster):
    cluster.fs("-mkdir", "-p", "/w/sub", "/ww", check=True)
    assert cluster.dfsadmin("-allowSnapshot", "/w").returncode == 0
    for path, trash in (("/w", "/w/.Trash"), ("/w/sub", "/w/.Trash")):
        assert trash_root(cluster, path) == {"Path": f"{trash}/{USER}"}
    assert trash_root(cluster, "/ww") == {"Path": f"/user/{USER}/.Trash"}
    cluster.fs("-touchz", "/w/sub/f", check=True)
    cluster.fs("-rm", "/w/sub/f", check=True)
    for more in ("", "&allusers=true"):
        paths = [status["path"] for status in trash_root(cluster, "/", "GETTRASHROOTS", more)["Paths"]]
        assert f"/w/.Trash/{USER}" in paths


def test_what_is_in_the_way_is_told(cluster):
    cluster.fs("-mkdir", "-p", "/g", check=True)
    cluster.fs("-touchz", "/g/.Trash", check=True)
    refused = cluster.dfsadmin("-allowSnapshot", "/g")
    assert refused.returncode and b"/g/.Trash already exists" in refused.stderr


def test_a_restart_makes_those_that_are_missing(cluster):
    cluster.fs("-mkdir", "-p", "/h", check=True)
    assert cluster.dfsadmin("-allowSnapshot", "/h").returncode == 0
    cluster.fs("-rm", "-r", "-skipTrash", "/h/.Trash", check=True)
    cluster.restart()
    wait_for(lambda: exists(cluster, "/h/.Trash"), 60, "the trash of /h")
    assert cluster.fs("-stat", "%a", "/h/.Trash", check=True).stdout == b"1777\n"
    assert cluster.fs("-test", "-f", "/g/.Trash").returncode == 0

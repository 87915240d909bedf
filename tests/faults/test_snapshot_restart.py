"""Snapshots outlive a namenode that is killed, and what only a deleted one needed goes even if the namenode dies over it."""
import json

import pytest

from lib.cluster import Cluster
from lib.waiting import wait_for

SETTINGS = {
    "dfs.heartbeat.interval": 1,
    "dfs.namenode.redundancy.interval.seconds": 1,
    "dfs.namenode.fs-limits.min-block-size": 512,
    "dfs.replication": 1,
}
BLOCK = 4096


@pytest.fixture
def cluster(tmp_path):
    with Cluster(tmp_path / "cluster", nodes=1, properties=SETTINGS) as cluster:
        yield cluster


def bean(cluster):
    text = cluster.http_get("/jmx?qry=Hadoop:service=NameNode,name=FSNamesystem")
    return json.loads(text)["beans"][0]


def tree(cluster, path):
    """Everything there is to see below a path, and what is in the files."""
    listing = cluster.fs("-ls", "-R", path, check=True).stdout.decode().replace(path, "")
    files = [f"{path}/d/f{i}" for i in range(4)]
    return listing, [cluster.fs("-cat", file).stdout for file in files]


def start_over(cluster):
    cluster.kill_all()
    cluster.restart()


def test_snapshots_outlive_kills(cluster):
    cluster.fs("-mkdir", "-p", "/s/d", "/out", check=True)
    for i in range(4):
        cluster.fs("-D", f"dfs.blocksize={BLOCK}", "-put", "-", f"/s/d/f{i}", stdin=b"%d" % i * 3 * BLOCK, check=True)
    cluster.dfsadmin("-allowSnapshot", "/s", check=True)
    cluster.fs("-createSnapshot", "/s", "s1", check=True)
    first = tree(cluster, "/s/.snapshot/s1")
    assert [len(content) for content in first[1]] == [3 * BLOCK] * 4
    cluster.fs("-rm", "-skipTrash", "/s/d/f0", check=True)
    cluster.fs("-appendToFile", "-", "/s/d/f1", stdin=b"more", check=True)
    cluster.fs("-truncate", "-w", str(BLOCK + 5), "/s/d/f2", check=True)
    wait_for(lambda: len(cluster.fs("-cat", "/s/d/f2").stdout) == BLOCK + 5, 60, "the truncated file to be cut")
    cluster.fs("-mv", "/s/d/f3", "/out/f3", check=True)
    cluster.fs("-createSnapshot", "/s", "s2", check=True)
    second = tree(cluster, "/s/.snapshot/s2")
    cluster.fs("-rm", "-r", "-skipTrash", "/s/d", check=True)
    start_over(cluster)
    assert tree(cluster, "/s/.snapshot/s1") == first
    assert tree(cluster, "/s/.snapshot/s2") == second
    assert (bean(cluster)["SnapshottableDirectories"], bean(cluster)["Snapshots"]) == (1, 2)

    cluster.fs("-deleteSnapshot", "/s", "s1", check=True)
    cluster.kill("namenode")  # in the middle of clearing away, or before
    start_over(cluster)
    assert tree(cluster, "/s/.snapshot/s2") == second
    cluster.fs("-deleteSnapshot", "/s", "s2", check=True)
    start_over(cluster)
    wait_for(lambda: bean(cluster)["BlocksTotal"] == 3, 60, "all blocks but those of /out/f3 to be forgotten")
    assert cluster.fs("-cat", "/out/f3", check=True).stdout == b"3" * 3 * BLOCK
    assert bean(cluster)["Snapshots"] == 0

"""Quotas go on counting what only snapshots hold, over restarts, until the snapshots are gone."""
import pytest

from lib.cluster import Cluster

BYTES = 5000
SPACE = 3 * BYTES  # three replicas are wanted


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("held") / "cluster", nodes=1, properties={"dfs.blocksize": 1 << 20}) as running:
        yield running


def used(cluster, path):
    """(names, bytes) that the directory's quotas were charged"""
    names, names_left, space, space_left = cluster.fs("-count", "-u", path, check=True).stdout.split()[:4]
    return int(names) - int(names_left), int(space) - int(space_left)


def put(cluster, path):
    cluster.fs("-put", "-", path, stdin=b"x" * BYTES, check=True)


def set_quotas(cluster, path, names):
    assert cluster.dfsadmin("-setQuota", str(names), path).returncode == 0
    assert cluster.dfsadmin("-setSpaceQuota", "20m", path).returncode == 0


def test_what_snapshots_hold_is_charged_until_they_are_gone(cluster):
    cluster.fs("-mkdir", "-p", "/p/sub/deep", "/trash", check=True)
    put(cluster, "/p/f")
    put(cluster, "/p/sub/deep/g")
    set_quotas(cluster, "/p", 9)
    set_quotas(cluster, "/trash", 9)
    assert cluster.dfsadmin("-allowSnapshot", "/p").returncode == 0
    cluster.fs("-createSnapshot", "/p", "s", check=True)

    cluster.fs("-rm", "-skipTrash", "/p/f", check=True)
    assert used(cluster, "/p") == (5, 2 * SPACE)
    cluster.fs("-mv", "/p/sub", "/trash/sub", check=True)
    assert used(cluster, "/p") == (3, SPACE)  # the names of f and sub
    assert used(cluster, "/trash") == (4, SPACE)
    cluster.fs("-rm", "-r", "-skipTrash", "/trash/sub", check=True)
    cluster.wait_for(lambda: used(cluster, "/trash") == (1, 0), 20, "/trash to be empty")
    cluster.wait_for(lambda: used(cluster, "/p") == (5, 2 * SPACE), 20, "what the snapshot has to be charged again")

    for i in range(4):
        cluster.fs("-touchz", f"/p/{i}", check=True)
    refused = cluster.fs("-touchz", "/p/4")
    assert refused.returncode and b"The NameSpace quota (directories and files) of directory /p is exceeded" in refused.stderr
    cluster.restart()
    assert used(cluster, "/p") == (9, 2 * SPACE)
    assert cluster.fs("-touchz", "/p/4").returncode

    cluster.fs("-deleteSnapshot", "/p", "s", check=True)
    assert used(cluster, "/p") == (5, 0)  # at once, since it is little
    cluster.fs("-touchz", "/p/4", check=True)


def test_a_quota_that_is_set_later_counts_it_too(cluster):
    cluster.fs("-mkdir", "-p", "/late/d", check=True)
    put(cluster, "/late/d/f")
    assert cluster.dfsadmin("-allowSnapshot", "/late").returncode == 0
    cluster.fs("-createSnapshot", "/late", "s", check=True)
    cluster.fs("-rm", "-r", "-skipTrash", "/late/d", check=True)
    set_quotas(cluster, "/late", 5)
    cluster.wait_for(lambda: used(cluster, "/late") == (3, SPACE), 20, "the reaper")
    cluster.fs("-deleteSnapshot", "/late", "s", check=True)
    assert used(cluster, "/late") == (1, 0)

"""Replicas that rot, vanish, are one too many or on a node that leaves: the namenode notices and puts it right, with real
daemons and real block files. (How it decides is tested on simulated time in tests/unit/namenode/blocks.)"""
import glob
import os
import re

import pytest

from lib.cluster import Cluster
from lib.data import MIB, sha256_bytes, write_file
from lib.replicas import replicas
from lib.waiting import wait_for

# A dead node is noticed within 2 * recheck + 10 * heartbeat = 12 s.
QUICK = {"dfs.namenode.heartbeat.recheck-interval": 1000, "dfs.heartbeat.interval": 1}
BLOCKS = 12
DEADLINE_S = 60


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("data") / "file")
    return path, write_file(path, (BLOCKS - 1) * MIB + 4321)


@pytest.fixture
def exclude_file(tmp_path):
    path = tmp_path / "exclude"
    path.write_text("")
    return path


@pytest.fixture
def cluster(request, tmp_path, exclude_file, content):
    """A cluster of as many nodes as the test's parameter says, with one file in it, all replicas reported."""
    properties = QUICK | {"dfs.hosts.exclude": str(exclude_file)}
    with Cluster(tmp_path / "cluster", nodes=request.param, properties=properties) as running:
        running.fs("-D", f"dfs.blocksize={MIB}", "-D", "dfs.replication=3", "-put", content[0], "/file", check=True)
        wait_for(lambda: healthy(running), DEADLINE_S, "all replicas reported")
        yield running


def nodes(count):
    return pytest.mark.parametrize("cluster", [count], indirect=True)


def on_disk(cluster, node="*", block=None):
    return replicas(cluster.folder, f"datanode-{node}", block)


def fsck_counts(cluster):
    text = cluster.fsck("/").stdout.decode()
    counts = dict(re.findall(r"^ *([A-Z][A-Za-z -]+):\s+([0-9.]+)", text, re.M))
    return "is HEALTHY" in text, counts


def healthy(cluster, replication="3"):
    is_healthy, counts = fsck_counts(cluster)
    good = is_healthy and counts["Under-replicated blocks"] == "0" and counts["Over-replicated blocks"] == "0"
    return good and float(counts["Average block replication"]) == float(replication)


def copies_are_equal(cluster, block, count):
    """All copies of a block on all disks: `count` of them, all alike."""
    copies = on_disk(cluster, block=block)
    return len(copies) == count and len({copy.read() for copy in copies}) == 1


def read_is_right(cluster, content):
    return sha256_bytes(cluster.fs("-cat", "/file", check=True).stdout) == content[1]


@pytest.mark.parametrize("cluster", [3, 4], indirect=True)
def test_flipped_byte_is_found_replaced_and_gone(cluster, content):
    # Clients run on 127.0.0.1, so the first node's replicas are the ones that are read.
    victims = on_disk(cluster, 1)[0], next(one for one in on_disk(cluster, 1) if one.is_small)
    before = [victim.read() for victim in victims]
    for victim in victims:
        victim.flip(4000)
    assert read_is_right(cluster, content)
    for victim, good in zip(victims, before):
        block = victim.block
        # A reader that met one of them leaves their node alone: the next one meets the other.
        wait_for(lambda: read_is_right(cluster, content) and copies_are_equal(cluster, block, 3), DEADLINE_S, "the bad replica replaced")
        assert on_disk(cluster, block=block)[0].read() == good
    wait_for(lambda: healthy(cluster), DEADLINE_S, "a healthy file system")
    assert read_is_right(cluster, content)


def test_rot_is_found_by_who_is_to_have_a_copy(tmp_path):
    """Nobody reads it and no scrubber runs: the datanode that is sent a copy says whose replica is bad."""
    properties = QUICK | {"dfs.datanode.scan.period.hours": -1}
    with Cluster(tmp_path / "cluster", nodes=2, properties=properties) as cluster:
        cluster.fs("-D", "dfs.replication=1", "-put", "-", "/file", stdin=bytes(MIB), check=True)
        on_disk(cluster)[0].flip(5000)
        cluster.fs("-setrep", "2", "/file", check=True)
        wait_for(lambda: fsck_counts(cluster)[1]["Corrupt blocks"] == "1", DEADLINE_S, "the bad replica to be known")


@pytest.mark.parametrize("what", ["", "_*.meta"])
@pytest.mark.parametrize("happens", ["gone", "cut"])
def test_a_replica_that_cannot_be_copied_is_looked_at(tmp_path, what, happens):
    """Nobody else reads it: the datanode that is to send a copy of its replica finds out that it has none."""
    properties = QUICK | {"dfs.datanode.scan.period.hours": -1}
    with Cluster(tmp_path / "cluster", nodes=2, properties=properties) as cluster:
        cluster.fs("-D", "dfs.replication=1", "-put", "-", "/file", stdin=bytes(MIB), check=True)
        (path,) = glob.glob(on_disk(cluster)[0].path + what)
        if happens == "gone":
            os.unlink(path)
        else:
            os.truncate(path, 5000)
        cluster.fs("-setrep", "2", "/file", check=True)
        wait_for(lambda: fsck_counts(cluster)[1]["Corrupt blocks"] == "1", DEADLINE_S, "the bad replica to be known")


@nodes(4)
def test_lost_node_is_replaced_and_its_return_leaves_nothing_over(cluster, content):
    cluster.kill("datanode-2")
    wait_for(lambda: "Dead datanodes (1)" in cluster.dfsadmin("-report").stdout.decode(), 30, "the node known as dead")
    wait_for(lambda: healthy(cluster), DEADLINE_S, "every block with three replicas on the other nodes")
    assert read_is_right(cluster, content)
    cluster.start_again("datanode-2")
    wait_for(lambda: "Live datanodes (4)" in cluster.dfsadmin("-report").stdout.decode(), 30, "the node back")
    wait_for(lambda: len(on_disk(cluster)) == 3 * BLOCKS and healthy(cluster), DEADLINE_S, "excess replicas deleted")
    assert read_is_right(cluster, content)


@nodes(3)
def test_replicas_that_change_while_the_node_is_down(cluster, content):
    """One file deleted, one cut short behind the datanode's back: its full report tells, and both are made again."""
    cluster.kill("datanode-3")
    deleted, cut = on_disk(cluster, 3)[:2]
    os.remove(deleted.path)
    os.truncate(cut.path, 1000)
    (small,) = {one.path for one in on_disk(cluster, 3) if one.is_small}
    os.truncate(small, 1000)
    cluster.start_again("datanode-3")
    for block in {one.block for one in on_disk(cluster)}:
        wait_for(lambda: copies_are_equal(cluster, block, 3), DEADLINE_S, f"{block} made again")
    wait_for(lambda: healthy(cluster), DEADLINE_S, "a healthy file system")
    assert read_is_right(cluster, content)


@nodes(3)
def test_setrep_and_remove_reach_the_disks(cluster):
    for replication in 1, 2, 3:
        cluster.fs("-setrep", "-w", str(replication), "/file", check=True)
        wait_for(lambda: len(on_disk(cluster)) == replication * BLOCKS, DEADLINE_S, f"{replication} copies on disk")
    cluster.fs("-rm", "-skipTrash", "/file", check=True)
    wait_for(lambda: not on_disk(cluster), DEADLINE_S, "no block files left")


@nodes(3)
def test_setrep_leaves_a_snapshot_its_replicas(cluster):
    cluster.fs("-mkdir", "/d", check=True)
    cluster.fs("-mv", "/file", "/d/file", check=True)
    cluster.dfsadmin("-allowSnapshot", "/d", check=True)
    cluster.fs("-createSnapshot", "/d", "s", check=True)
    cluster.fs("-setrep", "1", "/d/file", check=True)
    cluster.fs("-appendToFile", "-", "/d/file", stdin=b"more", check=True)
    cluster.fs("-put", "-", "/later", stdin=b"later", check=True)
    cluster.fs("-setrep", "1", "/later", check=True)
    wait_for(lambda: len(on_disk(cluster)) <= 3 * BLOCKS + 1, DEADLINE_S, "what is too much to go")
    assert len(on_disk(cluster)) == 3 * BLOCKS + 1
    cluster.fs("-deleteSnapshot", "/d", "s", check=True)
    wait_for(lambda: len(on_disk(cluster)) == BLOCKS + 1, DEADLINE_S, "the number that the file itself has")


@nodes(3)
def test_namenode_restart_relearns_where_everything_is(cluster, content):
    cluster.kill("namenode")
    cluster.fs("-put", "-", "/waits", stdin=b"")  # fails or waits: nobody is there; it must only not disturb
    cluster.start_again("namenode")
    wait_for(lambda: b"OFF" in cluster.dfsadmin("-safemode", "get").stdout, DEADLINE_S, "the end of safe mode")
    wait_for(lambda: healthy(cluster), DEADLINE_S, "every replica reported again")
    assert read_is_right(cluster, content)
    assert len(on_disk(cluster)) == 3 * BLOCKS


@nodes(4)
def test_decommissioned_node_is_emptied_before_it_leaves(cluster, content, exclude_file):
    exclude_file.write_text("127.0.0.3\n")
    cluster.dfsadmin("-refreshNodes", check=True)

    def status():
        report = cluster.dfsadmin("-report").stdout.decode()
        return re.search(r"Name: 127\.0\.0\.3:.*?Decommission Status : ([^\n]+)", report, re.S).group(1)

    assert status() in ("Decommission in progress", "Decommissioned")
    wait_for(lambda: status() == "Decommissioned", DEADLINE_S, "the node decommissioned")
    cluster.kill("datanode-3")
    assert read_is_right(cluster, content)
    wait_for(lambda: healthy(cluster), DEADLINE_S, "three replicas without it")
    assert len([one for one in on_disk(cluster) if "/datanode-3/" not in one.path]) == 3 * BLOCKS

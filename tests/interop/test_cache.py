"""Cache directives: blocks go into datanodes' memory when they are asked for, and leave it again."""
import subprocess

import pytest

from lib import sanitizer
from lib.cluster import Cluster
from lib.data import MIB
from lib.posix_edit import Editor, hole
from lib.waiting import wait_for

PROPERTIES = {
    "dfs.blocksize": MIB,
    "dfs.heartbeat.interval": 1,
    "dfs.datanode.max.locked.memory": 4 * MIB,
    "dfs.cachereport.intervalMsec": 300,
    "dfs.namenode.path.based.cache.refresh.interval.ms": 500,
}

locks_memory = pytest.mark.skipif(bool(sanitizer.kind()), reason="the sanitizers make mlock do nothing")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cache") / "cluster", properties=PROPERTIES) as running:
        yield running


@pytest.fixture(scope="module")
def cacheadmin(hadoop, cluster):
    """Hadoop's own `hdfs cacheadmin`."""

    def run(*args):
        command = ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Xmx200m", "-cp", hadoop,
                   "org.apache.hadoop.hdfs.tools.CacheAdmin", "-Dfs.defaultFS=" + cluster.uri, *map(str, args)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    return run


def locked_kib(cluster):
    total = 0
    for daemon in cluster.daemons_named("datanode"):
        with open(f"/proc/{daemon['pid']}/status") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("VmLck:"))
    return total


@locks_memory
def test_a_directive_brings_blocks_into_memory_and_out_again(cluster, cacheadmin):
    cluster.fs("-put", "-", "/hot", stdin=b"h" * (2 * MIB + 5000), check=True)
    cacheadmin("-addPool", "pool")
    assert "Added cache directive 1" in cacheadmin("-addDirective", "-path", "/hot", "-pool", "pool", "-replication", 2)
    wanted_kib = 2 * (2048 + 8)
    wait_for(lambda: locked_kib(cluster) == wanted_kib, 30, "two copies of each block in memory", every_s=0.2)
    wait_for(lambda: f"{2 * (2 * MIB + 5000)}" in cacheadmin("-listDirectives", "-stats").split(), 30, "the statistics")
    cluster.fs("-rm", "-skipTrash", "/hot", check=True)
    wait_for(lambda: locked_kib(cluster) == 0, 30, "the deleted file's blocks to leave", every_s=0.2)
    cacheadmin("-removeDirective", 1)
    assert "Found 0 entries" in cacheadmin("-listDirectives")


@locks_memory
def test_holes_need_no_memory(cluster, cacheadmin):
    cluster.fs("-put", "-", "/sparse", stdin=b"s" * 5000, check=True)
    with Editor(cluster) as editor:
        editor.edit(editor.id("/sparse"), 1, 0, hole(1 << 40))
    added = cacheadmin("-addDirective", "-path", "/sparse", "-pool", "pool").split()
    wait_for(lambda: locked_kib(cluster) == 8, 30, "the block in memory", every_s=0.2)
    # needed and cached: bytes, files
    wait_for(lambda: cacheadmin("-listDirectives", "-stats").split()[-4:] == ["5000", "5000", "1", "1"], 30, "the statistics")
    cacheadmin("-removeDirective", added[-1])
    wait_for(lambda: locked_kib(cluster) == 0, 30, "nothing to be cached", every_s=0.2)


@locks_memory
def test_no_more_is_locked_than_allowed(cluster, cacheadmin):
    cluster.fs("-put", "-", "/large", stdin=b"l" * (9 * MIB), check=True)
    cacheadmin("-addDirective", "-path", "/large", "-pool", "pool", "-replication", 3)
    wait_for(lambda: locked_kib(cluster) == 3 * 4096, 30, "every datanode to be full", every_s=0.2)
    cacheadmin("-removePool", "pool")
    wait_for(lambda: locked_kib(cluster) == 0, 30, "nothing to be cached", every_s=0.2)


def test_pools_and_directives_outlive_the_namenode(cluster, cacheadmin):
    cacheadmin("-addPool", "kept", "-limit", 1000000, "-mode", "0700")
    cacheadmin("-addDirective", "-path", "/later", "-pool", "kept", "-ttl", "2d")
    before = cacheadmin("-listDirectives")
    cluster.kill("namenode")
    cluster.start_again("namenode")
    wait_for(lambda: cluster.fs("-ls", "/").returncode == 0, 60, "the namenode to be back", every_s=0.3)
    assert cacheadmin("-listDirectives") == before
    assert "1000000" in cacheadmin("-listPools", "kept")
    cacheadmin("-removePool", "kept")

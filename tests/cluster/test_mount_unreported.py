"""What a mount has closed is there for everybody, before the datanodes have told the namenode that they have it."""
import json
import os

from lib.posix_mounts import beside, cluster, hdfs_bytes, here, other, path_in_dfs

FILES = 40


def _places(cluster, path):
    """Hosts of the file's one block, as HDFS's clients are told. Not by a program: its start would take longer than a report."""
    said = json.loads(cluster.http_get(f"/webhdfs/v1{path_in_dfs(cluster, path)}?op=GETFILEBLOCKLOCATIONS"))
    (block,) = said["BlockLocations"]["BlockLocation"]
    assert not block["corrupt"]
    return set(block["hosts"])


def _under_replicated(cluster):
    (bean,) = json.loads(cluster.http_get("/jmx?qry=Hadoop:service=NameNode,name=FSNamesystem"))["beans"]
    return bean["UnderReplicatedBlocks"] + bean["MissingBlocks"]


def test_clients_are_sent_to_all_who_have_it(cluster, here):
    for i in range(FILES):
        with open(f"{here}/{i}", "wb") as f:
            f.write(b"a few bytes of %d" % i)
        assert len(_places(cluster, f"{here}/{i}")) == 3
        assert _under_replicated(cluster) == 0


def test_another_mount_reads_it_and_writes_on(cluster, here, other):
    for i in range(FILES):
        path, there = f"{here}/{i}", beside(cluster, other, f"{here}/{i}")
        with open(path, "wb") as f:
            f.write(b"from here, ")
        assert open(there, "rb").read() == b"from here, "
        with open(there, "ab") as f:
            f.write(b"from there")
        assert open(path, "rb").read() == b"from here, from there"
    assert hdfs_bytes(cluster, f"{here}/0") == b"from here, from there"


def test_hdfs_clients_append_to_it_and_cut_it(cluster, here):
    for i in range(3):
        path = f"{here}/{i}"
        with open(path, "wb") as f:
            f.write(b"0123456789")
        cluster.fs("-truncate", "-w", "4", path_in_dfs(cluster, path), check=True)
        assert hdfs_bytes(cluster, path) == b"0123"
        with open(path, "wb") as f:
            f.write(b"abc")
        cluster.fs("-appendToFile", "-", path_in_dfs(cluster, path), stdin=b"def", check=True)
        assert hdfs_bytes(cluster, path) == b"abcdef"
    cluster.wait_for(lambda: _under_replicated(cluster) == 0, 20, "all replicas")
    assert b"is HEALTHY" in cluster.fsck(path_in_dfs(cluster, here)).stdout


def test_it_is_there_when_all_datanodes_are_killed_at_once(cluster, here):
    for i in range(FILES):
        with open(f"{here}/{i}", "wb") as f:
            f.write(b"%d" % i)
            os.fsync(f.fileno())
    for n in (1, 2, 3):
        cluster.kill(f"datanode-{n}")
    for n in (1, 2, 3):
        cluster.start_again(f"datanode-{n}")
    cluster.wait_for(lambda: _under_replicated(cluster) == 0, 60, "all replicas")
    for i in range(FILES):
        assert hdfs_bytes(cluster, f"{here}/{i}") == b"%d" % i

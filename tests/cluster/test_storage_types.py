"""Datanodes that name the types of their folders, and files whose policies ask for them; quotas that outlive a restart."""
import re

import pytest

from lib.apache import ApacheCluster
from lib.cluster import run_cairn
from lib.waiting import wait_for

TYPES = ("DISK", "SSD", "ARCHIVE", "DISK")


class TypedCluster(ApacheCluster):
    """Our daemons, each with a folder of one type."""

    def __init__(self, folder):
        super().__init__(folder, datanodes=len(TYPES), ours=("namenode", "datanode"))

    def _datanode_site(self, index):
        site = super()._datanode_site(index)
        return site | {"dfs.datanode.data.dir": f"[{TYPES[index]}]{self.folder}/data{index + 1}"}

    def run(self, tool, *args, check=True):
        options = ["-D", f"fs.defaultFS={self.uri}", "-D", f"dfs.namenode.http-address={self.namenode_http}"]
        return run_cairn(tool, *options, *args, check=check)

    def types_of(self, path):
        """Where the file's only block is: a sorted list of types."""
        report = self.run("fsck", path, "-files", "-blocks", "-locations").stdout.decode()
        return sorted(re.findall(r"DatanodeInfoWithStorage\[[^],]*,[^],]*,(\w+)\]", report))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    cluster = TypedCluster(tmp_path_factory.mktemp("types"))
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.mark.parametrize(
    "policy, replication, expected",
    [
        ("HOT", 2, ["DISK", "DISK"]),
        ("ONE_SSD", 3, ["DISK", "DISK", "SSD"]),
        ("ALL_SSD", 2, ["DISK", "SSD"]),  # there is one SSD; the fallback is a disk
        ("COLD", 1, ["ARCHIVE"]),
        ("WARM", 2, ["ARCHIVE", "DISK"]),
    ],
)
def test_blocks_go_where_the_policy_says(cluster, policy, replication, expected):
    folder = f"/{policy.lower()}"
    cluster.run("fs", "-mkdir", folder)
    cluster.run("storagepolicies", "-setStoragePolicy", "-path", folder, "-policy", policy)
    cluster.run("fs", "-D", f"dfs.replication={replication}", "-put", __file__, f"{folder}/file")
    wait_for(lambda: cluster.types_of(f"{folder}/file") == expected, 20, f"replicas on {expected}")


def test_a_policy_that_is_set_later_counts_for_new_copies(cluster):
    cluster.run("fs", "-D", "dfs.replication=1", "-put", __file__, "/later")
    wait_for(lambda: cluster.types_of("/later") == ["DISK"], 20, "one replica on a disk")
    cluster.run("storagepolicies", "-setStoragePolicy", "-path", "/later", "-policy", "ONE_SSD")
    cluster.run("fs", "-setrep", "2", "/later")
    wait_for(lambda: cluster.types_of("/later") == ["DISK", "SSD"], 30, "the second one on the SSD")


def test_what_is_too_much_goes_where_the_policy_has_too_many(cluster):
    cluster.run("fs", "-D", "dfs.replication=2", "-put", __file__, "/less")
    wait_for(lambda: cluster.types_of("/less") == ["DISK", "DISK"], 20, "two replicas on disks")
    cluster.run("storagepolicies", "-setStoragePolicy", "-path", "/less", "-policy", "ONE_SSD")
    cluster.run("fs", "-setrep", "3", "/less")
    wait_for(lambda: cluster.types_of("/less") == ["DISK", "DISK", "SSD"], 30, "a third one on the SSD")
    cluster.run("fs", "-setrep", "1", "/less")
    wait_for(lambda: cluster.types_of("/less") == ["SSD"], 30, "only the SSD's")


def test_a_policy_without_fallback_takes_what_there_is(cluster):
    cluster.run("fs", "-mkdir", "/archive")
    cluster.run("storagepolicies", "-setStoragePolicy", "-path", "/archive", "-policy", "COLD")
    done = cluster.run("fs", "-D", "dfs.replication=1", "-put", __file__, "/archive/one")
    assert done.returncode == 0
    cluster.run("fs", "-D", "dfs.replication=2", "-put", __file__, "/archive/two")  # one of two is enough to write
    wait_for(lambda: cluster.types_of("/archive/two") == ["ARCHIVE"], 20, "the only archive")


def test_usage_is_known_after_a_restart(cluster):
    cluster.run("fs", "-mkdir", "-p", "/quota/sub")
    cluster.run("dfsadmin", "-setQuota", "4", "/quota")
    cluster.run("fs", "-touchz", "/quota/sub/a")
    cluster.daemon("namenode").kill()
    cluster.daemon("namenode").stop()
    cluster.start_namenode()
    wait_for(cluster.is_ready, 60, "four live datanodes again")
    assert cluster.run("fs", "-count", "-u", "/quota").stdout.decode().split()[:2] == ["4", "1"]
    cluster.run("fs", "-touchz", "/quota/b")
    refused = cluster.run("fs", "-touchz", "/quota/c", check=False)
    assert refused.returncode == 1 and b"of directory /quota is exceeded: quota=4 file count=5" in refused.stderr

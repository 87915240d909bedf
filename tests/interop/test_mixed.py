"""Our datanodes under Apache's NameNode, and Apache's DataNodes under our namenode: each is the other's judge."""
import re

import pytest

from interop.conftest import QUICK
from interop.servers import JavaClient, Server
from lib import data
from lib.apache import ApacheCluster
from lib.waiting import wait_for

# A node counts as dead after 2 * 1 s + 10 * 1 s.
MORTAL = QUICK | {"dfs.namenode.heartbeat.recheck-interval": 1000, "dfs.replication": 2}


@pytest.fixture(scope="module", params=["namenode", "datanode"])
def mixed(request, java_shell, tmp_path_factory):
    """A Java client of a cluster in which one kind of daemon is ours."""
    folder = tmp_path_factory.mktemp(f"our-{request.param}")
    cluster = ApacheCluster(folder, datanodes=3, properties=MORTAL, ours=(request.param,))
    cluster.start()
    yield JavaClient(Server(f"our {request.param}", cluster, java_shell))
    cluster.stop()


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """A local file of more than five of the blocks that are used here, and its bytes."""
    path = str(tmp_path_factory.mktemp("content") / "file")
    data.write_file(path, 5 * data.MIB + 12345)
    with open(path, "rb") as file:
        return path, file.read()


def put(client, path, target, replication):
    client.fs("-D", f"dfs.blocksize={data.MIB}", "-D", f"dfs.replication={replication}", "-put", path, target)


def live_replicas(client, path):
    """[replicas of each block]"""
    return [int(count) for count in re.findall(r"Live_repl=(\d+)", client.fsck(path, "-files", "-blocks", "-locations"))]


def test_write_read_checksum(mixed, content):
    path, want = content
    put(mixed, path, "/written", 3)
    assert mixed.fs("-cat", "/written") == want
    wait_for(lambda: live_replicas(mixed, "/written") == [3] * 6, 20, "all replicas reported")
    assert re.search(r"MD5-of-2048MD5-of-512CRC32C\t[0-9a-f]{56}$", mixed.fs("-checksum", "/written").decode())


def test_append_and_truncate(mixed, content):
    path, want = content
    put(mixed, path, "/appended", 1)
    mixed.fs("-appendToFile", path, "/appended")
    assert mixed.fs("-cat", "/appended") == want + want
    mixed.fs("-truncate", "-w", str(2 * data.MIB + 777), "/appended")
    assert mixed.fs("-cat", "/appended") == want[: 2 * data.MIB + 777]


def test_replication_goes_up_and_down(mixed, content):
    path, want = content
    put(mixed, path, "/replicated", 1)
    for count in 3, 1:
        mixed.fs("-setrep", str(count), "/replicated")
        wait_for(lambda: live_replicas(mixed, "/replicated") == [count] * 6, 40, f"{count} replicas of each block")
    assert mixed.fs("-cat", "/replicated") == want


def test_report_counts_capacity(mixed):
    report = mixed.dfsadmin("-report")
    assert "Live datanodes (3):" in report
    assert len([used for used in re.findall(r"^DFS Used: (\d+) ", report, re.M) if int(used) > 0]) == 4, report


def test_a_dead_datanode_is_replaced_and_comes_back(mixed, content):
    path, want = content
    put(mixed, path, "/survivor", 2)
    wait_for(lambda: live_replicas(mixed, "/survivor") == [2] * 6, 20, "all replicas reported")
    cluster = mixed.server.cluster
    cluster.daemon("datanode2").kill()
    assert mixed.fs("-cat", "/survivor") == want
    wait_for(lambda: "Dead datanodes (1):" in mixed.dfsadmin("-report"), 40, "the dead node in the report")
    wait_for(lambda: live_replicas(mixed, "/survivor") == [2] * 6, 40, "re-replication")
    cluster.start_datanode(1)
    wait_for(lambda: "Live datanodes (3):" in mixed.dfsadmin("-report"), 40, "three live nodes again")
    wait_for(lambda: live_replicas(mixed, "/survivor") == [2] * 6, 40, "removal of excess replicas")
    assert mixed.fs("-cat", "/survivor") == want

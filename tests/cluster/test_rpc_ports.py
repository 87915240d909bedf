"""A namenode with ports of their own for datanodes and lifelines, and one whose queue is short."""
import json
import resource
import socket
import subprocess

import pytest

from lib.cluster import Cluster, run_cairn
from lib.ports import port_block, release_port_block
from lib.waiting import wait_for


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    base = port_block()
    properties = {
        "dfs.namenode.servicerpc-address": f"127.0.0.1:{base}",
        "dfs.namenode.lifeline.rpc-address": f"127.0.0.1:{base + 1}",
        "dfs.heartbeat.interval": 1,
    }
    with Cluster(tmp_path_factory.mktemp("ports") / "cluster", nodes=2, properties=properties) as running:
        running.service = f"hdfs://127.0.0.1:{base}"
        running.lifeline = f"hdfs://127.0.0.1:{base + 1}"
        yield running
    release_port_block(base)


def connections(cluster, uri):
    """Of datanodes to that port."""
    port = f"{int(uri.rsplit(':', 1)[1]):04X}"
    pids = [daemon["pid"] for daemon in cluster.daemons_named("datanode")]
    with open(f"/proc/{pids[0]}/net/tcp") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    return sum(row[2].endswith(":" + port) and row[3] == "01" for row in rows)


def test_datanodes_report_to_the_service_port(cluster):
    assert connections(cluster, cluster.service) >= 2
    cluster.fs("-put", "-", "/file", stdin=b"x" * 5000, check=True)
    assert b"Live datanodes (2)" in run_cairn("dfsadmin", "-fs", cluster.service, "-report", check=True).stdout
    assert run_cairn("fs", "-fs", cluster.service, "-cat", "/file", check=True).stdout == b"x" * 5000


def test_the_lifeline_port_is_for_nothing_else(cluster):
    refused = run_cairn("fs", "-fs", cluster.lifeline, "-ls", "/")
    assert refused.returncode == 1 and b"Unknown protocol" in refused.stderr


def test_webhdfs_renames_where_quotas_are_counted(cluster):
    """A rename that has to count a tree is a slow call, also when it does not come by RPC."""
    cluster.fs("-mkdir", "-p", "/from/tree/a", "/to", check=True)
    cluster.dfsadmin("-setQuota", "100", "/to", check=True)
    url = f"http://{cluster.namenode_http}/webhdfs/v1/from/tree?op=RENAME&destination=/to/tree&user.name=root"
    done = subprocess.run(["curl", "-s", "-X", "PUT", url], capture_output=True, timeout=60)
    assert json.loads(done.stdout) == {"boolean": True}
    assert cluster.fs("-test", "-d", "/to/tree/a").returncode == 0


@pytest.fixture
def few_files():
    """Daemons begin with as few files as most systems let a process have, unless it asks for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    yield lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_more_clients_than_files_to_begin_with(tmp_path, few_files):
    with Cluster(tmp_path / "cluster", nodes=1) as cluster:
        few_files()
        host, port = cluster.namenode.rsplit(":", 1)
        clients = [socket.create_connection((host, int(port))) for _ in range(400)]
        cluster.fs("-mkdir", "/d", check=True, deadline_s=20)
        for client in clients:
            client.close()


def is_closed(client):
    try:
        return client.recv(1, socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_clients_leave_files_for_metadata(cluster):
    """A namenode that cannot open a file of its store takes no changes any more until it is started again."""
    cluster.kill("namenode")
    cluster.start_again("namenode", through=("prlimit", "--nofile=400:400"))
    cluster.wait_for_datanodes()
    host, port = cluster.namenode.rsplit(":", 1)
    clients = [socket.create_connection((host, int(port))) for _ in range(500)]
    wait_for(lambda: sum(map(is_closed, clients)) >= 300, 20, "those that are too many to be refused")
    for client in clients:
        client.close()
    wait_for(lambda: cluster.fs("-mkdir", "-p", "/after").returncode == 0, 60, "those that are not to be served")


def test_a_wrong_address_is_named(tmp_path):
    done = run_cairn("namenode", "-D", f"dfs.namenode.name.dir={tmp_path}/name", "-D", "fs.defaultFS=hdfs://127.0.0.1:1",
                     "-D", "dfs.namenode.lifeline.rpc-address=127.0.0.1:x")
    assert done.returncode != 0 and b"dfs.namenode.lifeline.rpc-address" in done.stderr

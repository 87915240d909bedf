"""Names and addresses: clients outside the datanodes' network, behind published ports; datanodes that move."""
import os
import re
import subprocess

import pytest

from lib import data
from lib.cluster import cairn_path, client_env, run_cairn
from lib.java_writer import JavaWriter
from lib.libhdfs import O_APPEND, Hdfs
from lib.needs import missing
from lib.network import Network, Unavailable
from lib.nodes import Nodes
from lib.waiting import wait_for

SIZE = 3 * data.MIB


@pytest.fixture
def network():
    try:
        with Network(["namenode", "datanode1", "datanode2", "datanode3", "client"]) as made:
            yield made
    except Unavailable as error:
        missing(f"no network namespaces: {error}")


@pytest.fixture
def hidden(network, tmp_path):
    """Three datanodes inside, of which the outside knows published ports only."""
    nodes = Nodes(tmp_path / "nodes", network.ip("namenode"), prefix=network.prefix)
    with nodes:
        network.publish({nodes.port + 40: ("namenode", nodes.port)})
        nodes.start_namenode()
        for number in 1, 2, 3:
            outside = nodes.port + 41 + number
            network.publish({outside: (f"datanode{number}", 9866)})
            network.publish({outside + 3: (f"datanode{number}", 9867)})
            advertised = f"{network.gateway_inside}/32={network.gateway_outside}:{outside}/{outside + 3}"
            nodes.start_datanode(
                number, "0.0.0.0", 9866, {"cairn.datanode.advertised.addresses": advertised}
            )
        nodes.outside = f"hdfs://{network.gateway_outside}:{nodes.port + 40}"
        nodes.wait_live(3, lambda *args: run_cairn("dfsadmin", "-fs", nodes.outside, *args))
        yield nodes


def from_inside(network, host, *args):
    return subprocess.run(
        [*network.prefix(host), cairn_path(), *map(str, args)], capture_output=True, timeout=120, env=client_env(), check=True
    ).stdout


def test_a_client_outside_reads_and_writes_through_published_ports(hidden, network, tmp_path):
    content = data.write_file(tmp_path / "file", SIZE, 1)
    options = ["-D", f"dfs.blocksize={data.MIB}"]
    run_cairn("fs", "-fs", hidden.outside, *options, "-put", tmp_path / "file", "/file", check=True)
    back = run_cairn("fs", "-fs", hidden.outside, "-cat", "/file", check=True).stdout
    assert data.sha256_bytes(back) == content
    # The pipeline between the datanodes went over their own network, and all three hold every block.
    report = from_inside(network, "namenode", "fsck", "-fs", hidden.uri, "-D", f"dfs.namenode.http-address={hidden.namenode_http}", "/file")
    assert b"Average block replication:\t3.0" in report, report.decode()
    inside = from_inside(network, "datanode1", "fs", "-fs", hidden.uri, "-cat", "/file")
    assert data.sha256_bytes(inside) == content


def test_the_java_client_outside_does_too(hidden, java_shell, tmp_path):
    content = data.write_file(tmp_path / "file", SIZE, 2)
    done = java_shell.run("fs", "-fs", hidden.outside, "-D", f"dfs.blocksize={data.MIB}", "-put", str(tmp_path / "file"), "/java")
    assert done.returncode == 0, done.stderr
    assert data.sha256_bytes(java_shell.run("fs", "-fs", hidden.outside, "-cat", "/java").stdout) == content


def test_each_client_is_told_what_it_can_reach(hidden, network):
    outside = run_cairn("dfsadmin", "-fs", hidden.outside, "-report", check=True).stdout.decode()
    inside = from_inside(network, "namenode", "dfsadmin", "-fs", hidden.uri, "-report").decode()
    assert len(re.findall(rf"Name: {network.gateway_outside}:\d+", outside)) == 3, outside
    for number in 1, 2, 3:
        assert f"Name: {network.ip(f'datanode{number}')}:9866" in inside


def test_a_datanode_that_moves_is_the_same_datanode(hidden, network, tmp_path):
    content = data.write_file(tmp_path / "file", SIZE, 3)
    run_cairn("fs", "-fs", hidden.outside, "-put", tmp_path / "file", "/moved", check=True)
    hidden.daemons["datanode1"].kill()
    network.change_address("datanode1", network.free_ip())
    hidden.start_datanode(1, "0.0.0.0", 9900, {"dfs.datanode.hostname": "renamed"})

    def report():
        return from_inside(network, "namenode", "dfsadmin", "-fs", hidden.uri, "-report").decode()

    wait_for(lambda: f"{network.free_ip()}:9900" in report(), 30, "the datanode under its new address")
    assert "Live datanodes (3):" in report() and "Dead datanodes" not in report()
    assert network.ip("datanode1") not in report().replace(network.free_ip(), "")
    fsck = from_inside(network, "namenode", "fsck", "-fs", hidden.uri, "-D", f"dfs.namenode.http-address={hidden.namenode_http}", "/moved",
                       "-files", "-blocks", "-locations").decode()
    assert fsck.count(f"{network.free_ip()}:9900") == 1 and "Average block replication:\t3.0" in fsck, fsck
    assert data.sha256_bytes(from_inside(network, "datanode2", "fs", "-fs", hidden.uri, "-cat", "/moved")) == content


def test_by_name_where_addresses_lead_nowhere(network, tmp_path):
    """Each datanode's name means an address that the others reach, unlike the one it registers from."""
    nodes = Nodes(tmp_path / "nodes", network.ip("namenode"), prefix=network.prefix)
    content = data.write_file(tmp_path / "file", SIZE, 5)
    hosts = ["datanode1", "datanode2", "datanode3"]
    for number, host in enumerate(hosts):
        network.add_address(host, network.free_ip(100 + number), f"{host}.named")
        try:
            network.refuse(host, network.ip(host), 9866)
        except Unavailable as error:
            missing(f"no packet filter: {error}")
    with nodes:
        nodes.start_namenode()
        for number in 1, 2, 3:
            nodes.start_datanode(number, "0.0.0.0", 9866, {
                "dfs.datanode.hostname": f"datanode{number}.named", "dfs.datanode.use.datanode.hostname": "true"})

        def run(*args):
            return subprocess.run([*network.prefix("client"), cairn_path(), *map(str, args)], capture_output=True, timeout=120,
                                  env=client_env())

        nodes.wait_live(3, lambda *args: run("dfsadmin", "-fs", nodes.uri, *args))
        by_name = ["-D", "dfs.client.use.datanode.hostname=true"]
        assert run("fs", "-fs", nodes.uri, "-put", tmp_path / "file", "/by-address").returncode == 1
        put = run("fs", "-fs", nodes.uri, *by_name, "-put", tmp_path / "file", "/by-name")
        assert put.returncode == 0, put.stderr
        back = run("fs", "-fs", nodes.uri, *by_name, "-cat", "/by-name")
        assert data.sha256_bytes(back.stdout) == content
        report = run("fsck", "-fs", nodes.uri, "-D", f"dfs.namenode.http-address={nodes.namenode_http}", "/by-name").stdout
        assert b"Average block replication:\t3.0" in report, report.decode()


def test_two_datanodes_behind_one_address_stay_two(tmp_path):
    with Nodes(tmp_path / "nodes") as nodes:
        nodes.start_namenode()
        nodes.start_datanode(1)
        nodes.start_datanode(2)
        nodes.wait_live(2)
        content = data.write_file(tmp_path / "file", SIZE, 4)
        nodes.fs("-D", "dfs.replication=2", "-put", tmp_path / "file", "/file", check=True)
        assert data.sha256_bytes(nodes.fs("-cat", "/file", check=True).stdout) == content


def test_a_bad_advertised_address_is_refused_at_the_start(tmp_path):
    done = run_cairn(
        "datanode", f"-Dcairn.datanode.advertised.addresses=10.0.0.0/8", f"-Ddfs.datanode.data.dir={tmp_path}/data"
    )
    assert done.returncode != 0
    assert b"cairn.datanode.advertised.addresses: '10.0.0.0/8' is not SUBNET=HOST" in done.stderr


@pytest.mark.parametrize("form, expected", [("name", ["named.example"]), ("address", ["127.0.0.1"]),
                                            ("both", ["named.example", "127.0.0.1"])])
def test_block_locations_carry_the_hosts_form(tmp_path, form, expected):
    """What Spark and MapReduce compare with their workers' names; both by default."""
    properties = {} if form == "both" else {"cairn.block-locations.hosts": form}
    with Nodes(tmp_path / "nodes", properties=properties) as nodes:
        nodes.start_namenode()
        nodes.start_datanode(1, properties={"dfs.datanode.hostname": "named.example"})
        nodes.wait_live(1)
        client = Hdfs(nodes.uri, settings={"dfs.replication": "1"})
        client.put("/file", b"here")
        assert client.hosts("/file", 0, 4) == [expected]
        assert client.get("/file") == b"here"
        with client.open("/file", os.O_WRONLY | O_APPEND) as file:  # the pipeline has each datanode once
            file.write(b" and there")
        assert client.get("/file") == b"here and there"
        client.disconnect()


def test_java_sees_both_forms_and_reads_on(tmp_path, hadoop):
    with Nodes(tmp_path / "nodes") as nodes:
        nodes.start_namenode()
        for number in 1, 2:
            nodes.start_datanode(number, properties={"dfs.datanode.hostname": f"named{number}.example"})
        nodes.wait_live(2)
        with JavaWriter(tmp_path, nodes.uri, {"dfs.replication": 2}) as writer:
            writer.tell("write", "/file", 8, 4, 3, 7, "-")
            writer.hear("created")
            writer.tell("go")
            writer.hear("closing")
            writer.tell("go")
            md5 = writer.hear("done")[1]
            hosts = writer.ask("hosts", "/file", answer="hosts")[1:]
            assert set(hosts) == {"127.0.0.1", "named1.example", "named2.example"}
            nodes.daemons["datanode1"].kill()
            assert writer.ask("read", "/file", answer="read")[1:] == [str(8 << 20), md5]

"""The namenode's HTTP port: what people, dashboards and scripts read there."""
import getpass
import json
import re

import pytest

from lib.cluster import Cluster
from lib.waiting import wait_for


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("pages") / "cluster", properties={"dfs.heartbeat.interval": 1}) as running:
        running.fs("-mkdir", "-p", "/a/b", check=True)
        running.fs("-put", "-", "/a/b/file", stdin=b"x" * 5000, check=True)
        yield running


def get(cluster, path):
    return cluster.http_get(path).decode()


def bean(cluster, name):
    beans = json.loads(get(cluster, f"/jmx?qry=Hadoop:service=NameNode,name={name}"))["beans"]
    assert len(beans) == 1 and beans[0]["name"] == f"Hadoop:service=NameNode,name={name}"
    return beans[0]


def test_status_page(cluster):
    text = get(cluster, "/")
    assert "Live datanodes<td class=\"n\">3" in text and "<table>" in text
    assert "Files and directories<td class=\"n\">4" in text


def test_jmx(cluster):
    state = bean(cluster, "FSNamesystemState")
    assert (state["NumLiveDataNodes"], state["FilesTotal"], state["BlocksTotal"]) == (3, 4, 1)
    assert state["CapacityTotal"] > 0 and state["FSState"] == "Operational"
    info = bean(cluster, "NameNodeInfo")
    nodes = json.loads(info["LiveNodes"])  # JSON inside a string, as dashboards expect it
    assert len(nodes) == 3 and all(node["adminState"] == "In Service" for node in nodes.values())
    assert info["Safemode"] == "" and json.loads(info["DeadNodes"]) == {}
    status = bean(cluster, "NameNodeStatus")
    assert status["State"] == "active" and status["HostAndPort"] == cluster.namenode
    assert len(json.loads(get(cluster, "/jmx"))["beans"]) >= 5
    assert json.loads(get(cluster, "/jmx?qry=no:such=bean"))["beans"] == []


def test_metrics(cluster):
    lines = get(cluster, "/metrics").splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
    assert values["cairn_namenode_inodes"] == "4" and values["cairn_namenode_datanodes_live"] == "3"
    assert float(values["process_resident_memory_bytes"]) > 1e6
    assert all(f"# TYPE {name.split('{')[0]} " in "\n".join(lines) for name in values)


def test_fsck(cluster):
    wait_for(lambda: "Live_repl=3" in get(cluster, "/fsck?path=/&files=1&blocks=1"), 20, "three replicas")
    text = get(cluster, "/fsck?ugi=root&path=/&files=1&blocks=1&locations=1")
    assert text.splitlines()[-1] == "The filesystem under path '/' is HEALTHY"
    assert re.search(r"^/a/b/file 5000 bytes, replicated: replication=3, 1 block\(s\):  OK$", text, re.M)
    block = re.search(r"^0\. BP-\S+:blk_(\d+)_\d+ len=5000 Live_repl=3  \[(.*)\]$", text, re.M)
    assert block.group(2).count("DatanodeInfoWithStorage[127.0.0.") == 3
    assert re.search(r"^ Under-replicated blocks:\t0 \(0\.0 %\)$", text, re.M)
    assert re.search(r"^ Average block replication:\t3\.0$", text, re.M)
    assert re.search(r"^ Total dirs:\t\t\t3$", text, re.M)
    racks = get(cluster, "/fsck?path=/a/b/file&files=1&blocks=1&racks=1")
    assert "/default-rack/127.0.0.1:" in racks and racks.endswith("path '/a/b/file' is HEALTHY")
    assert get(cluster, "/fsck?path=/nope").endswith("Path '/nope' does not exist")
    one = get(cluster, f"/fsck?ugi={getpass.getuser()}&blockId=blk_{block.group(1)}")
    assert "Block belongs to: /a/b/file" in one and "No. of live Replica: 3" in one
    assert get(cluster, f"/fsck?ugi={getpass.getuser()}&path=/&listcorruptfileblocks=1").strip().endswith("has no CORRUPT files")


def test_fsck_shows_what_its_user_may_see(cluster):
    cluster.fs("-mkdir", "-p", "/private/dir", check=True)
    cluster.fs("-touchz", "/private/dir/secret", check=True)
    cluster.fs("-chmod", "700", "/private/dir", check=True)
    try:
        text = get(cluster, "/fsck?ugi=bob&path=/&files=1")
        assert "secret" not in text and "Permission denied: user=bob, access=READ_EXECUTE, inode=\"/private/dir\"" in text
        assert text.endswith("Fsck on path '/' FAILED")
        assert get(cluster, "/fsck?ugi=bob&path=/private/dir/secret").endswith("FAILED")
        assert "secret" in get(cluster, f"/fsck?ugi={getpass.getuser()}&path=/&files=1")
        assert "Superuser privilege is required" in get(cluster, "/fsck?ugi=bob&blockId=blk_1073741825")
    finally:
        cluster.fs("-rm", "-r", "-skipTrash", "/private", check=True)

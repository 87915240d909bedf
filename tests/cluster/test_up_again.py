"""`cairn up` in a shell whose HADOOP_CONF_DIR is the folder that an earlier `cairn up` wrote, as README has it."""
import json
import os
import xml.etree.ElementTree as xml

from lib.cluster import Cluster, run_cairn
from lib.ports import port_block, release_port_block


def settings(folder):
    found = [(one.findtext("name"), one.findtext("value")) for one in xml.parse(f"{folder}/conf/core-site.xml").getroot()]
    assert len(dict(found)) == len(found), found
    return dict(found)


def up(folder, base, *more, conf):
    run_cairn("up", "--dir", folder, "--nodes", 1, "--port-base", base, "--detach", *more, env={"HADOOP_CONF_DIR": conf}, check=True)
    with open(f"{folder}/cluster.json") as file:
        shown = json.load(file)
    written = settings(folder)
    assert written["fs.defaultFS"] == shown["fs"] == f"hdfs://127.0.0.1:{base}"
    assert written["dfs.namenode.http-address"] == shown["namenode_http"] == f"127.0.0.1:{base + 1}"
    assert written["cairn.scheduler.address"] == shown["scheduler"] == f"127.0.0.1:{base + 2}"
    answer = run_cairn("fsck", "-fs", shown["fs"], "/", check=True)
    assert f"http://127.0.0.1:{base + 1}/".encode() in answer.stdout + answer.stderr
    return written


def test_its_own_folder(tmp_path):
    with Cluster(tmp_path / "cluster", nodes=1, properties={"dfs.replication": 2}) as cluster:
        conf = f"{cluster.folder}/conf"
        assert settings(cluster.folder)["dfs.replication"] == "2"
        assert cluster.down().returncode == 0
        base = port_block()
        written = up(cluster.folder, base, "-D", "dfs.blocksize=1m", conf=conf)
        assert "dfs.replication" not in written and written["dfs.blocksize"] == "1m"
        assert cluster.down().returncode == 0
        release_port_block(base)


def test_anothers_folder(tmp_path):
    with Cluster(tmp_path / "one", nodes=1, properties={"dfs.replication": 2}) as cluster:
        two, base = tmp_path / "two", port_block()
        try:
            assert up(two, base, conf=f"{cluster.folder}/conf")["dfs.replication"] == "2"
            assert os.path.exists(f"{two}/cluster.json")
        finally:
            run_cairn("down", "--dir", two)
            release_port_block(base)


def test_addresses_of_the_command_line(tmp_path):
    base = port_block()
    pages, rpc = base + 1, base + 2
    with Cluster(tmp_path / "cluster", nodes=1,
                 properties={"dfs.namenode.http-address": f"0.0.0.0:{pages}", "cairn.scheduler.address": f"127.0.0.1:{rpc}"}) as cluster:
        written = settings(cluster.folder)
        assert written["dfs.namenode.http-address"] == f"0.0.0.0:{pages}"
        assert cluster.namenode_http == written["cairn.namenode.http-address"] == f"127.0.0.1:{pages}"
        with open(f"{cluster.folder}/cluster.json") as file:
            assert json.load(file)["scheduler"] == written["cairn.scheduler.address"] == f"127.0.0.1:{rpc}"
        answer = run_cairn("fsck", "-fs", cluster.uri, "/", check=True, env={"HADOOP_CONF_DIR": f"{cluster.folder}/conf"})
        assert f"http://127.0.0.1:{pages}/".encode() in answer.stdout + answer.stderr
    release_port_block(base)

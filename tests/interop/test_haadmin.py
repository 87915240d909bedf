"""`hdfs haadmin` of Hadoop, and ours, asked for the state of our namenode."""
import subprocess

import pytest

from lib.apache import QUICK_START, java_command, write_conf
from lib.cluster import Cluster, run_cairn


@pytest.fixture(scope="module")
def conf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("conf")
    with Cluster(tmp_path_factory.mktemp("ha") / "c", nodes=1) as cluster:
        hdfs = {
            "dfs.nameservices": "ours",
            "dfs.ha.namenodes.ours": "here,away",
            "dfs.namenode.rpc-address.ours.here": cluster.namenode,
            "dfs.namenode.rpc-address.ours.away": f"127.0.0.1:{cluster.port_base + 48}",
            "dfs.client.failover.proxy.provider.ours": "org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider",
            "dfs.client.failover.max.attempts": 2,
        }
        write_conf(str(folder), {"fs.defaultFS": "hdfs://ours", "hadoop.tmp.dir": f"{folder}/tmp"}, hdfs, "OFF")
        yield str(folder)


def java(conf, *args):
    command = java_command(conf, QUICK_START, *args, main="org.apache.hadoop.hdfs.tools.DFSHAAdmin")
    return subprocess.run(command, capture_output=True, timeout=60)


def ours(conf, *args):
    return run_cairn("haadmin", *args, env={"HADOOP_CONF_DIR": conf})


@pytest.mark.parametrize(
    "args", [["-getServiceState", "here"], ["-checkHealth", "here"], ["-checkHealth", "nobody"], ["-getServiceState"], ["-nonsense"]],
    ids=" ".join,
)
def test_answers_are_hadoops(hadoop, conf, args):
    mine, theirs = ours(conf, *args), java(conf, *args)
    assert (mine.returncode, mine.stdout) == (theirs.returncode, theirs.stdout), (mine, theirs)


def test_all_states_name_the_one_that_is_away(hadoop, conf):
    for told in ours(conf, "-getAllServiceState"), java(conf, "-getAllServiceState"):
        lines = told.stdout.decode().splitlines()
        assert told.returncode == 0 and len(lines) == 2
        assert lines[0].split()[-1] == "active" and "Failed to connect" in lines[1]


def test_the_nameservice_finds_the_namenode_that_is_there(conf):
    run_cairn("fs", "-put", "-", "/file", stdin=b"found", env={"HADOOP_CONF_DIR": conf}, check=True)
    assert run_cairn("fs", "-cat", "hdfs://ours/file", env={"HADOOP_CONF_DIR": conf}, check=True).stdout == b"found"
    code = run_cairn("getconf", "-namenodes", env={"HADOOP_CONF_DIR": conf})
    assert code.stdout == b"127.0.0.1 127.0.0.1\n"

"""Our client's small files on Apache's servers: it gives each block to all datanodes at once, each as a pipeline of its
own, of which a stock namenode and stock datanodes need to know nothing."""
import os
import re
import signal

import pytest

from lib.apache import ApacheCluster
from lib.libhdfs import Hdfs, need_loadable
from lib.waiting import wait_for

CONTENT = os.urandom(5000)


@pytest.fixture(scope="module")
def apache_nodes(hadoop, tmp_path_factory):
    cluster = ApacheCluster(tmp_path_factory.mktemp("short") / "cluster", datanodes=3)
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def fs(apache_nodes):
    need_loadable()
    connection = Hdfs(apache_nodes.uri, settings={"dfs.client.socket-timeout": 2000, "dfs.replication": 3})
    yield connection
    connection.disconnect()


def make(fs, names):
    for name in names:
        fs.put(name, name.encode() + CONTENT)


def expect_content(fs, java_shell, cluster, names):
    for name in names:
        assert fs.get(name) == name.encode() + CONTENT
    for name in names[:3]:  # and as Hadoop's own client sees it
        read = java_shell.run("fs", "-fs", cluster.uri, "-cat", name)
        assert read.returncode == 0 and read.stdout == name.encode() + CONTENT


def replicas(java_shell, cluster, path):
    pages = f"dfs.namenode.http-address={cluster.namenode_http}"
    told = java_shell.run("fsck", "-D", pages, "-fs", cluster.uri, path, "-files", "-blocks")
    return [int(count) for count in re.findall(r"Live_repl=(\d+)", told.stdout.decode())]


def test_three_replicas_at_once(apache_nodes, fs, java_shell):
    names = [f"/short-{i}" for i in range(10)]
    make(fs, names)
    for length in (1, 511, 512, 513, 64511, 64512, 64513, 70000):
        names.append(f"/long-{length}")
        fs.put(names[-1], os.urandom(length))
    for name in names:
        wait_for(lambda: replicas(java_shell, apache_nodes, name) == [3], 30, f"three replicas of {name}")
    expect_content(fs, java_shell, apache_nodes, names[:10])
    with fs.open(names[0], os.O_WRONLY | os.O_APPEND) as file:
        file.write(b"more")
    assert fs.get(names[0]) == names[0].encode() + CONTENT + b"more"


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_killed_datanode(apache_nodes, fs, java_shell, number):
    """While a file is open, so that the namenode still names it, and for those after."""
    names = [f"/killed-{number}-{i}" for i in range(6)]
    with fs.open(names[0], os.O_WRONLY) as file:
        file.write(names[0].encode() + CONTENT)
        apache_nodes.daemon(f"datanode{number}").kill()
    make(fs, names[1:])
    expect_content(fs, java_shell, apache_nodes, names)
    apache_nodes.daemon(f"datanode{number}").stop()
    apache_nodes.start_datanode(number - 1)
    wait_for(apache_nodes.is_ready, 60, "three live datanodes again")
    expect_content(fs, java_shell, apache_nodes, names)


def test_a_datanode_that_stops_answering(apache_nodes, fs, java_shell):
    names = [f"/stopped-{i}" for i in range(3)]
    pid = apache_nodes.daemon("datanode2").pid
    os.kill(pid, signal.SIGSTOP)
    try:
        make(fs, names)
    finally:
        os.kill(pid, signal.SIGCONT)
    expect_content(fs, java_shell, apache_nodes, names)

"""Small files, whose blocks go to all their datanodes at once, while one of those is gone, silent, slow or full: they are
written all the same, whole, and with as many replicas as there are datanodes for."""
import os
import re
import signal
import subprocess
import threading
import time

import pytest

from lib.cluster import Cluster
from lib.libhdfs import Hdfs, need_loadable
from lib.waiting import wait_for

NODES = ["datanode-1", "datanode-2", "datanode-3", "datanode-4"]
QUICK = {"dfs.namenode.heartbeat.recheck-interval": 1000, "dfs.heartbeat.interval": 1,
         "dfs.namenode.redundancy.interval.seconds": 1, "dfs.replication": 3}
SILENCE_S = 1  # dfs.client.socket-timeout; each node of a pipeline has 5 s more
CONTENT = os.urandom(5000)


@pytest.fixture
def cluster(tmp_path):
    with Cluster(tmp_path / "cluster", nodes=4, properties=QUICK) as running:
        yield running


@pytest.fixture
def fs(cluster):
    need_loadable()
    connection = Hdfs(cluster.uri, settings={"dfs.client.socket-timeout": SILENCE_S * 1000})
    connection.put("/warm", CONTENT)  # connections are kept from here on
    yield connection
    connection.disconnect()


def replicas(cluster, path):
    return re.findall(r"[Ll]ive_repl=(\d+)", cluster.fsck(path, "-files", "-blocks").stdout.decode())


def expect_healthy(cluster, paths, seconds=60):
    for path in paths:
        wait_for(lambda: replicas(cluster, path) == ["3"], seconds, f"three replicas of {path}", every_s=0.2)


def make(fs, names):
    """Small files: content and length differ, so that none can be taken for another."""
    for name in names:
        fs.put(name, name.encode() + CONTENT)


def expect_content(fs, names):
    for name in names:
        assert fs.get(name) == name.encode() + CONTENT


def test_killed_nodes(cluster, fs):
    """Each in turn, between two files and while a file is open; then two at a time."""
    made = []
    for number, node in enumerate(NODES[:3]):
        made += [f"/before-{number}", f"/open-{number}", *(f"/after-{number}-{i}" for i in range(5))]
        make(fs, made[-7:-6])
        with fs.open(made[-6], os.O_WRONLY) as file:
            file.write(made[-6].encode() + CONTENT)
            cluster.kill(node)
        make(fs, made[-5:])
        cluster.start_again(node)
        cluster.wait_for_datanodes()
    for node in NODES[:2]:
        cluster.kill(node)
    made += [f"/two-{i}" for i in range(5)]
    make(fs, made[-5:])
    expect_content(fs, made)
    for node in NODES[:2]:
        cluster.start_again(node)
    cluster.wait_for_datanodes()
    expect_healthy(cluster, made)
    expect_content(fs, made)


@pytest.mark.parametrize("stopped", [1, 2])
def test_silent_nodes_are_given_up(cluster, fs, stopped):
    """Nobody waits for them longer than the settings say; what they make of the block when they go on is removed."""
    for node in NODES[:stopped]:
        cluster.kill(node, signal.SIGSTOP)
    began = time.monotonic()
    try:
        make(fs, ["/silent"])
        took = time.monotonic() - began
        expect_content(fs, ["/silent"])
    finally:
        for node in NODES[:stopped]:
            cluster.kill(node, signal.SIGCONT)
    # The first writing, then one pipeline for each that was not asked before, and time for a busy machine.
    assert took < 40 + 20 * stopped
    expect_healthy(cluster, ["/silent"])
    files = subprocess.run(["find", str(cluster.folder), "-name", "blk_*", "-path", "*rbw*", "-not", "-name", "*.meta"],
                           capture_output=True, text=True, check=True).stdout.split()
    assert not files or wait_for(lambda: not any(map(os.path.exists, files)), 30, "unfinished replicas to be gone")


def test_slow_nodes_are_waited_for(cluster, fs):
    """A pause that is shorter than the time limit costs nothing but time."""
    def go_on():
        for node in NODES:
            cluster.kill(node, signal.SIGCONT)

    for node in NODES:
        cluster.kill(node, signal.SIGSTOP)
    timer = threading.Timer(SILENCE_S + 1, go_on)
    timer.start()
    try:
        make(fs, ["/slow"])
    finally:
        timer.join()
    expect_content(fs, ["/slow"])
    expect_healthy(cluster, ["/slow"], 20)


def test_a_full_disk_costs_no_file(cluster, fs, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], check=True)
    try:
        entry = cluster.daemon("datanode-1")
        entry["command"] = [*entry["command"], "-D", f"dfs.datanode.data.dir={disk}", "-D", "dfs.datanode.du.reserved=0"]
        cluster.kill("datanode-1")
        cluster.start_again("datanode-1")
        cluster.wait_for_datanodes()
        made = [f"/full-{i}" for i in range(40)]
        make(fs, made[:10])
        with open(f"{disk}/filler", "wb", buffering=0) as filler, pytest.raises(OSError):
            while True:
                filler.write(bytes(1 << 16))
        make(fs, made[10:])
        expect_content(fs, made)
        expect_healthy(cluster, made)
    finally:
        cluster.kill("datanode-1")
        subprocess.run(["umount", "-l", str(disk)], check=False)

"""What a datanode must survive: kill -9 while it is written to, a disk that dies, rot that nobody reads, readers beside a
writer, and a namenode that goes away."""
import contextlib
import getpass
import glob
import hashlib
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from lib import sanitizer, xfer
from lib.cluster import Cluster, cairn_path, client_env, datanode_is_registered, run_cairn
from lib.data import MIB, sha256_file, write_file
from lib.libhdfs import O_APPEND, Hdfs, need_loadable
from lib.replicas import replicas
from lib.waiting import wait_for

QUICK = {
    "dfs.namenode.heartbeat.recheck-interval": 1000,
    "dfs.heartbeat.interval": 1,
    "dfs.namenode.redundancy.interval.seconds": 1,
    "dfs.blocksize": 8 * MIB,
}
DATANODES = ["datanode-1", "datanode-2", "datanode-3"]


def pattern(length, start=0):
    """Bytes that tell where they belong."""
    first = start // 8
    words = b"".join(word.to_bytes(8, "big") for word in range(first, (start + length) // 8 + 1))
    return words[start - first * 8 :][:length]


@pytest.fixture
def cluster(request, tmp_path):
    properties = QUICK | getattr(request, "param", {})
    with Cluster(tmp_path / "cluster", properties=properties) as running:
        yield running


@pytest.fixture
def fs(cluster):
    connection = Hdfs(cluster.uri, settings={"dfs.blocksize": 8 * MIB, "dfs.replication": 3})
    yield connection


def metric(cluster, node, name):
    port = int(re.search(r" http=(\d+) ", open(cluster.daemon(node)["log"]).read()).group(1))
    host = cluster.daemon(node)["address"].split(":")[0]
    text = cluster.http_get("/metrics", f"{host}:{port}").decode()
    return int(re.search(rf"^{name} (\d+)$", text, re.M).group(1))


def data_files(cluster, node, folder="finalized"):
    found = glob.glob(f"{cluster.folder}/{node}/**/{folder}/**/blk_*", recursive=True)
    return [path for path in found if not path.endswith(".meta")]


def read_when_possible(cluster, path, deadline_s=90):
    """The file's bytes once its lease has been recovered and it can be read to the end."""
    found = []

    def readable():
        done = cluster.fs("-cat", path)
        found[:] = [done.stdout]
        return done.returncode == 0

    wait_for(readable, deadline_s, f"{path} to be readable", every_s=0.5)
    return found[0]


def test_readers_see_what_was_flushed(fs):
    """Every flush, in the middle of chunks and across packets, is seen whole by a reader who comes after it."""
    written = 0
    with fs.open("/growing", os.O_WRONLY) as file:
        for step in [1, 510, 1, 1, 511, 513, 100, 4096, 64512, 70000, 3, MIB, 12345]:
            file.write(pattern(step, written))
            written += step
            file.call("hdfsHFlush")
            assert fs.get("/growing") == pattern(written)
    assert fs.get("/growing") == pattern(written)


def test_appends_in_every_place_of_a_chunk(fs):
    fs.put("/appended", pattern(700))
    length = 700
    for step in [1, 323, 512, 1000, 24, 70000, 5]:
        with fs.open("/appended", os.O_WRONLY | O_APPEND) as file:
            file.write(pattern(step, length))
        length += step
        assert fs.get("/appended") == pattern(length)


WRITER = """
import os, sys
sys.path.insert(0, {tests!r})
from faults.test_datanode import Hdfs, MIB, pattern
fs = Hdfs({uri!r}, settings={{"dfs.blocksize": 8 * MIB, "dfs.replication": 3}})
file = fs.open("/durable", os.O_WRONLY)
written = 0
while True:
    for step in (1000, 777, 65536, 3):
        file.write(pattern(step, written))
        written += step
    file.call("hdfsHSync")
    print(written, flush=True)
"""


def test_what_was_synced_is_there_after_kill_9_of_everything(cluster):
    need_loadable()
    tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    code = WRITER.format(tests=tests, uri=cluster.uri)
    writer = subprocess.Popen(["/usr/bin/python3", "-c", code], stdout=subprocess.PIPE, text=True,
                              env=sanitizer.python_env())
    synced = 0
    began = time.monotonic()
    while time.monotonic() - began < 2:
        synced = int(writer.stdout.readline())
    cluster.kill_all()
    for line in writer.stdout if writer.poll() is not None else []:
        synced = int(line)
    writer.kill()
    synced = max([synced, *map(int, writer.stdout.read().split())])
    writer.wait()
    cluster.restart()
    # The writer is gone: somebody who appends makes the namenode recover the lease and the last block.
    wait_for(
        lambda: cluster.fs("-appendToFile", "-", "/durable", stdin=b"").returncode == 0, 120, "the lease", every_s=1
    )
    got = read_when_possible(cluster, "/durable")
    assert len(got) >= synced > 0
    assert got == pattern(len(got))


def test_a_restarted_namenode_is_found_again(cluster, fs):
    fs.put("/before", pattern(3 * MIB))
    cluster.kill("namenode")
    cluster.start_again("namenode")
    wait_for(lambda: cluster.fs("-put", "-", "/after", stdin=pattern(MIB)).returncode == 0, 60, "a put", every_s=0.5)
    assert cluster.fs("-cat", "/before", check=True).stdout == pattern(3 * MIB)
    assert cluster.fs("-cat", "/after", check=True).stdout == pattern(MIB)


@pytest.mark.parametrize("cluster", [{"dfs.block.scanner.volume.bytes.per.second": 100 * MIB}], indirect=True)
def test_the_scrubber_finds_rot_that_nobody_reads(cluster, fs):
    fs.put("/rotten", pattern(3 * MIB))
    wait_for(lambda: all(len(data_files(cluster, node)) == 1 for node in DATANODES), 30, "three replicas")
    cluster.kill("datanode-2")
    path = data_files(cluster, "datanode-2")[0]
    with open(path, "r+b") as file:
        file.seek(2 * MIB)
        file.write(b"rot")
    inode = os.stat(path).st_ino
    cluster.start_again("datanode-2")
    wait_for(lambda: "will be reported" in open(cluster.daemon("datanode-2")["log"]).read(), 60, "the rot to be found")

    def replaced():
        files = data_files(cluster, "datanode-2")
        return len(files) == 1 and os.stat(files[0]).st_ino != inode and open(files[0], "rb").read() == pattern(3 * MIB)

    wait_for(replaced, 60, "a good replica in its place", every_s=0.5)


@pytest.fixture
def two_disks(tmp_path):
    """A cluster whose datanodes have two directories each; those of datanode-1 are disks of their own."""
    disks = [tmp_path / "disk1", tmp_path / "disk2"]
    for disk in disks:
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(disk)], check=True)
    try:
        yield disks
    finally:
        for disk in disks:
            subprocess.run(["umount", "-l", str(disk)], check=False)


def start_datanode(cluster, disks, tolerated):
    """datanode-1 anew, on other directories."""
    entry = cluster.daemon("datanode-1")
    command = [word for word in entry["command"]]
    command += ["-D", f"dfs.datanode.data.dir={','.join(map(str, disks))}"]
    command += ["-D", f"dfs.datanode.failed.volumes.tolerated={tolerated}"]
    entry["command"] = command
    cluster.kill("datanode-1")
    return cluster.start_again("datanode-1")


def test_an_append_that_fails_does_not_keep_the_file(cluster):
    fs = Hdfs(cluster.uri, settings={"dfs.replication": 1})
    fs.put("/once", pattern(1000))
    (holder,) = [node for node in DATANODES if replicas(cluster.folder, node)]
    cluster.kill(holder)
    with pytest.raises(OSError):
        fs.open("/once", os.O_WRONLY | O_APPEND)
    cluster.start_again(holder)

    def appends():
        try:
            with fs.open("/once", os.O_WRONLY | O_APPEND) as file:
                file.write(pattern(500, 1000))
            return True
        except OSError:
            return False

    wait_for(appends, 60, "the file to be free again", every_s=0.5)
    assert fs.get("/once") == pattern(1500)


@pytest.mark.parametrize("appending, size", [(False, MIB + 77), (True, MIB + 77), (False, 10077)])
def test_a_disk_that_fills_up(cluster, two_disks, appending, size):
    """The write fails, for its only replica is there; what was flushed, or there before, stays, and can be written on."""
    start_datanode(cluster, two_disks[:1], 0)
    log = cluster.daemon("datanode-1")["log"]
    wait_for(lambda: open(log).read().count("full block report:") >= 2, 30, "the node to be back")
    for node in DATANODES[1:]:
        cluster.kill(node)
    wait_for(lambda: b"Live datanodes (1)" in cluster.dfsadmin("-report").stdout, 60, "only one node to be left")
    fs = Hdfs(cluster.uri, settings={"dfs.blocksize": 64 * MIB, "dfs.replication": 1})
    if appending:
        fs.put("/f", pattern(size))
    file = fs.open("/f", os.O_WRONLY | (O_APPEND if appending else 0))
    if not appending:
        file.write(pattern(size))
        file.call("hdfsHFlush")
    with open(f"{two_disks[0]}/filler", "wb", buffering=0) as filler, pytest.raises(OSError):
        while True:
            filler.write(bytes(MIB))
    with pytest.raises(OSError):
        file.write(bytes(5000))
        file.call("hdfsHFlush")
        for _ in range(100):
            file.write(bytes(MIB))
        file.close()
    assert "write ended early" in open(log).read() and "failed and is taken out" not in open(log).read()
    assert not [path for path in glob.glob(f"{two_disks[0]}/**/rbw/*", recursive=True) if os.path.getsize(path) == 0]
    os.unlink(f"{two_disks[0]}/filler")
    assert fs.get("/f")[:size] == pattern(size)
    recovered = run_cairn("debug", "-fs", cluster.uri, "recoverLease", "-path", "/f", "-retries", 20)
    assert recovered.returncode == 0, recovered
    with fs.open("/f", os.O_WRONLY | O_APPEND) as file:
        file.write(b"more")
    assert fs.get("/f")[:size] == pattern(size) and fs.get("/f").endswith(b"more")


def break_disk(disk):
    """Pulls it out: what is open stays readable, nothing can be opened any more."""
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize("size", [MIB, 3000])
@pytest.mark.parametrize("tolerated", [1, 0])
def test_a_disk_that_dies(cluster, fs, two_disks, tolerated, size):
    """It is taken out and the node goes on, if the settings allow that; else the node ends and says why."""
    daemon = start_datanode(cluster, two_disks, tolerated)
    log = cluster.daemon("datanode-1")["log"]
    wait_for(lambda: open(log).read().count("full block report:") >= 2, 30, "the node to be back")
    for index in range(8):
        fs.put(f"/file{index}", pattern(size))
    counts = [len(replicas(disk, "current")) for disk in two_disks]
    assert min(counts) >= 3, counts  # round robin
    break_disk(two_disks[0])
    for index in range(8, 16):
        fs.put(f"/file{index}", pattern(size))
    wait_for(lambda: "failed and is taken out" in open(log).read(), 30, "the failure to be noticed")
    if tolerated:
        assert metric(cluster, "datanode-1", "cairn_datanode_volume_failures_total") == 1
        daemon.check_alive()
        fs.put("/more", pattern(size))
    else:
        wait_for(lambda: "stopping signal=SIGTERM" in open(log).read(), 30, "the node to end")
        assert "dfs.datanode.failed.volumes.tolerated" in open(log).read()
    for index in range(16):
        assert fs.get(f"/file{index}") == pattern(size)


def test_a_clean_stop_breaks_no_reader_elsewhere(cluster, fs):
    want = pattern(20 * MIB)
    fs.put("/file", want)
    wrong = []

    def read_all():
        for _ in range(5):
            if Hdfs(cluster.uri).get("/file") != want:
                wrong.append(1)

    readers = [threading.Thread(target=read_all) for _ in range(3)]
    for reader in readers:
        reader.start()
    cluster.kill("datanode-3", signal.SIGTERM)
    for reader in readers:
        reader.join()
    assert not wrong


def test_a_node_that_comes_back_in_the_middle_of_a_put(cluster, tmp_path):
    """Its half of the block is stale by then: the block goes on without it, and gets its third replica there again."""
    path = str(tmp_path / "big")
    write_file(path, 200 * MIB)
    put = subprocess.Popen([cairn_path(), "fs", "-fs", cluster.uri, "-put", path, "/big"], env=client_env())
    written = lambda: sum(os.path.getsize(f) for f in data_files(cluster, "datanode-2", "rbw") if os.path.exists(f))
    wait_for(lambda: written() > MIB, 60, "a block to be under way", every_s=0.01)
    cluster.kill("datanode-2")
    cluster.start_again("datanode-2")
    assert put.wait(120) == 0
    assert hashlib.sha256(cluster.fs("-cat", "/big", check=True).stdout).hexdigest() == sha256_file(path)
    healthy = re.compile(rb"Under-replicated blocks:\s+0 ")
    wait_for(lambda: healthy.search(cluster.fsck("/").stdout), 90, "three replicas of each block", every_s=0.5)
    wait_for(lambda: not data_files(cluster, "datanode-2", "rbw"), 30, "the stale half to be gone", every_s=0.5)


def report_request():
    """An RPC connection whose one call asks for a block report, all that the client says in one piece."""

    def frame(*messages):
        body = b"".join(xfer.varint(len(text)) + text for text in messages)
        return struct.pack(">I", len(body)) + body

    def header(call):
        return xfer.message((1, 2), (2, 0), (3, call), (4, b"sixteen bytes id"), (5, 1))

    protocol = "org.apache.hadoop.hdfs.protocol.ClientDatanodeProtocol"
    user = xfer.message((1, getpass.getuser()))
    context = frame(header(5), xfer.message((2, user), (3, protocol)))
    call = frame(header(0), xfer.message((1, "triggerBlockReport"), (2, protocol), (3, 1)), xfer.message((1, False)))
    return b"hrpc\x09\0\0" + context + call


def test_a_call_while_a_datanode_starts_does_it_no_harm(tmp_path):
    """Its ports are open before all of it is there."""
    with Cluster(tmp_path / "cluster", nodes=1) as cluster:
        entry = cluster.daemon("datanode-1")
        host = entry["address"].split(":")[0]
        ipc, http = re.search(r" ipc=(\d+) http=(\d+) ", open(entry["log"]).read()).groups()

        def call():
            while not ended.is_set():
                with contextlib.suppress(ConnectionRefusedError), socket.create_connection((host, ipc), 20) as connection:
                    connection.sendall(report_request())
                    return connection.recv(1)

        for _ in range(5):
            cluster.kill("datanode-1")
            ended = threading.Event()
            with ThreadPoolExecutor(4) as callers:
                answers = [callers.submit(call) for _ in range(4)]
                try:
                    process = cluster.start_again("datanode-1")
                    wait_for(lambda: process.check_alive() and datanode_is_registered(f"{host}:{http}"), 60, "it to be back")
                    wait(answers, 60)
                finally:
                    ended.set()
            assert all(answer.result() for answer in answers)

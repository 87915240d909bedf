"""kill -9 of a datanode in the middle of a put, of a get and of a job: all three end with the right bytes, and the lost
replicas are made again."""
import hashlib
import os
import re
import signal
import subprocess
import threading

import pytest

from lib.cluster import Cluster, cairn_path, client_env
from lib.data import MIB, sha256_file, write_file
from lib.waiting import wait_for

# A dead node is noticed within 2*recheck + 10*heartbeat = 12 s.
FAST_DEATH = {"dfs.namenode.heartbeat.recheck-interval": 1000, "dfs.heartbeat.interval": 1, "dfs.blocksize": 8 * MIB,
              "dfs.namenode.redundancy.interval.seconds": 1, "dfs.replication": 3}
SIZE = 300 * MIB


@pytest.fixture(scope="module")
def big_file(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("data") / "big")
    return path, write_file(path, SIZE)


@pytest.fixture
def four_nodes(tmp_path):
    with Cluster(tmp_path / "cluster", nodes=4, properties=FAST_DEATH) as cluster:
        yield cluster


def start(cluster, *args, **options):
    return subprocess.Popen([cairn_path(), "fs", "-fs", cluster.uri, *args], env=client_env(), stderr=subprocess.PIPE, **options)


def length(cluster, path):
    """Length of a file that is being written, as far as the namenode knows."""
    done = cluster.fs("-stat", "%b", path)
    return int(done.stdout) if done.returncode == 0 else 0


def under_replicated(cluster):
    text = cluster.fsck("/").stdout.decode()
    found = re.search(r"Under-replicated blocks:\s+(\d+)", text)
    return int(found.group(1)) if found else -1


def heals(cluster):
    wait_for(lambda: under_replicated(cluster) == 0, 90, "no block under-replicated", every_s=0.5)
    assert b"HEALTHY" in cluster.fsck("/").stdout


def test_put_survives_and_the_blocks_are_replicated_again(four_nodes, big_file):
    path, digest = big_file
    put = start(four_nodes, "-put", path, "/big")
    wait_for(lambda: length(four_nodes, "/big._COPYING_") >= 40 * MIB, 30, "the put to be under way", every_s=0.01)
    four_nodes.kill("datanode-2")
    _, errors = put.communicate(timeout=120)
    assert put.returncode == 0, errors.decode()
    assert hashlib.sha256(four_nodes.fs("-cat", "/big", check=True).stdout).hexdigest() == digest
    heals(four_nodes)


def test_get_survives(four_nodes, big_file, tmp_path):
    path, digest = big_file
    four_nodes.fs("-put", path, "/big", check=True)
    get = start(four_nodes, "-cat", "/big", stdout=subprocess.PIPE)
    seen = hashlib.sha256(get.stdout.read(20 * MIB))
    four_nodes.kill("datanode-1")
    while chunk := get.stdout.read(MIB):
        seen.update(chunk)
    assert get.wait(60) == 0
    assert seen.hexdigest() == digest
    heals(four_nodes)


def test_job_survives(four_nodes, tmp_path):
    lines = "".join(f"key{i % 1000}\t{i}\n" for i in range(400000))
    four_nodes.fs("-put", "-", "/in", stdin=lines.encode(), check=True)
    mapper = tmp_path / "slow.sh"  # each map waits until the node is gone, so that the loss falls into the job
    gone = tmp_path / "gone"
    mapper.write_text(f"#!/bin/sh\nwhile [ ! -e {gone} ]; do sleep 0.05; done\ncut -f1\n")
    mapper.chmod(0o755)
    job = subprocess.Popen(
        [cairn_path(), "streaming", "-fs", four_nodes.uri, "-D", f"cairn.scheduler.address={four_nodes.scheduler}",
         "-D", "mapreduce.input.fileinputformat.split.maxsize=1000000", "-files", str(mapper), "-input", "/in", "-output",
         "/out", "-mapper", "slow.sh", "-reducer", "uniq -c", "-numReduceTasks", "2"],
        env=client_env(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_for(lambda: b'running' in four_nodes.http_get("/", four_nodes.scheduler_http).lower(), 30, "the job to run")
    four_nodes.kill("datanode-3")
    gone.touch()
    output, _ = job.communicate(timeout=180)
    assert job.returncode == 0, output.decode()
    counts = four_nodes.fs("-cat", "/out/part-*", check=True).stdout.split()
    assert counts[0::2] == [b"400"] * 1000 and len(set(counts[1::2])) == 1000
    heals(four_nodes)


def connections_at(address):
    """Also those that who listens there has not taken yet."""
    host, port = address.split(":")
    at = "".join(f"{int(part):02X}" for part in reversed(host.split("."))) + f":{int(port):04X}"
    with open("/proc/net/tcp") as file:
        return sum(line.split()[1] == at and line.split()[3] != "0A" for line in file.readlines()[1:])


def test_a_checksum_waits_for_a_datanode_that_hangs_only_once(tmp_path):
    """Not once for each block of the file."""
    with Cluster(tmp_path / "cluster", nodes=2, properties={"dfs.replication": 2, "dfs.blocksize": MIB}) as cluster:
        cluster.fs("-put", "-", "/f", stdin=os.urandom(12 * MIB), check=True)
        want = cluster.fs("-checksum", "/f", check=True).stdout
        hung = cluster.daemon("datanode-1")
        os.kill(hung["pid"], signal.SIGSTOP)
        try:
            before = connections_at(hung["address"])
            assert cluster.fs("-D", "dfs.client.socket-timeout=1000", "-checksum", "/f", check=True).stdout == want
            assert connections_at(hung["address"]) <= before + 1
        finally:
            os.kill(hung["pid"], signal.SIGCONT)

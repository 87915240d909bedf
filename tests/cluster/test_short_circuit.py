"""Replicas of this host read through descriptors, by libhdfs: as fast as files, and never stale or wrong."""
import errno
import glob
import os
import random
import signal
import threading

import pytest

from lib.cluster import Cluster
from lib.data import MIB
from lib.libhdfs import POOL, Hdfs, HdfsError
from lib.waiting import wait_for

DATA = random.Random(11).randbytes(3 * MIB + 4321)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    properties = {"dfs.blocksize": MIB, "dfs.heartbeat.interval": "1"}
    with Cluster(tmp_path_factory.mktemp("local") / "cluster", nodes=2, properties=properties) as running:
        yield running


@pytest.fixture
def fs(cluster):
    connection = connect(cluster)
    yield connection
    connection.call("hdfsDelete", "/local", 1)
    connection.disconnect()


def connect(cluster, **settings):
    names = {name.replace("_", "."): value for name, value in settings.items()}
    return Hdfs(cluster.uri, settings={"dfs.blocksize": MIB} | names)


def passed_files():
    """Descriptors of replicas that this process holds."""
    links = []
    for name in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            pass
    return [link for link in links if "/finalized/" in link or "/tmp/deleted_" in link or "/rbw/blk_" in link]


def replicas(cluster, node, suffix=""):
    files = glob.glob(f"{cluster.folder}/{node}/data/current/*/current/finalized/**/blk_*{suffix}", recursive=True)
    return sorted(path for path in files if suffix or not path.endswith(".meta"))


@pytest.mark.parametrize("skip", ["false", "true"])
def test_everything_comes_through_descriptors(cluster, fs, skip):
    fs.put("/local/f", DATA)
    reader = connect(cluster, **{"dfs_client_read_shortcircuit_skip_checksum": skip})
    with reader.open("/local/f") as file:
        assert file.read_all() == DATA
        choose = random.Random(3)
        for _ in range(300):
            at, length = choose.randrange(len(DATA)), choose.choice([1, 100, 511, 512, 513, 70000, 2 * MIB])
            assert file.pread(at, length) == DATA[at : at + length]
        file.call("hdfsSeek", 77)
        got = b""
        while len(got) < 20000:
            got += file.read(choose.randrange(1, 3000))
        assert got == DATA[77 : 77 + len(got)]
        seen = file.statistics()
    assert seen["short_circuit"] == seen["local"] == seen["total"] > len(DATA)
    reader.disconnect()


def test_it_can_be_turned_off(cluster, fs):
    fs.put("/local/f", DATA)
    reader = connect(cluster, dfs_client_read_shortcircuit="false")
    with reader.open("/local/f") as file:
        assert file.read_all() == DATA
        assert file.statistics()["short_circuit"] == 0
    reader.disconnect()


def test_many_threads_share_the_files(fs):
    fs.put("/local/f", DATA)
    wrong = []

    def work(seed):
        choose = random.Random(seed)
        for _ in range(60):
            with fs.open("/local/f") as file:
                at, length = choose.randrange(len(DATA)), choose.randrange(200000)
                if file.pread(at, length) != DATA[at : at + length]:
                    wrong.append((at, length))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert 0 < len(passed_files()) <= 2 * 4 * 8  # four blocks; two threads may have asked for the same at once


def test_files_of_a_deleted_block_are_let_go(fs):
    fs.put("/local/gone", DATA)
    with fs.open("/local/gone") as file:
        assert file.read(1000) == DATA[:1000]
        assert passed_files()
        fs.call("hdfsDelete", "/local/gone", 1)
        wait_for(lambda: any("(deleted)" in link or "deleted_" in link for link in passed_files()), 30, "the deletion")
        assert file.read(MIB - 1000) == DATA[1000:MIB]  # who has it open reads on
    wait_for(lambda: not any("(deleted)" in link or "deleted_" in link for link in passed_files()), 30, "nobody holds the space")


@pytest.mark.parametrize("length", [MIB - 100, 100, 512])
def test_an_append_is_seen_by_new_readers(fs, length):
    fs.put("/local/grows", DATA[:length])
    with fs.open("/local/grows") as old:
        assert old.pread(0, 50) == DATA[:50]
        for end in range(length + 37, length + 400, 37):
            with fs.open("/local/grows", os.O_WRONLY | os.O_APPEND) as file:
                file.write(DATA[fs.info("/local/grows")["size"] : end])
            assert fs.get("/local/grows") == DATA[:end]
            assert old.pread(0, length) == DATA[:length]  # its last chunk has another checksum by now


def test_a_truncated_block_is_seen(fs):
    fs.put("/local/cut", DATA[:5000])
    assert fs.get("/local/cut") == DATA[:5000]
    fs.call("hdfsTruncateFile", "/local/cut", 1234)

    def is_cut():
        try:
            return fs.get("/local/cut") == DATA[:1234]
        except HdfsError:
            return False

    wait_for(is_cut, 30, "the truncation")


def test_a_damaged_local_replica_is_found_and_read_elsewhere(cluster, fs):
    fs.put("/local/rot", DATA[:MIB])
    newest = max((p for node in ("datanode-1", "datanode-2") for p in replicas(cluster, node)), key=os.path.getmtime)
    name = os.path.basename(newest)
    both = [p for node in ("datanode-1", "datanode-2") for p in replicas(cluster, node) if os.path.basename(p) == name]
    assert len(both) == 2
    with open(both[0], "r+b") as file:
        file.seek(300000)
        file.write(b"rot")
    for _ in range(4):
        assert fs.get("/local/rot") == DATA[:MIB]


def test_a_restarted_datanode_passes_files_again(cluster, fs):
    fs.put("/local/f", DATA[:MIB])
    assert fs.get("/local/f") == DATA[:MIB]
    for node in ("datanode-1", "datanode-2"):
        cluster.kill(node, signal.SIGKILL)
        cluster.start_again(node)

    def reads_locally():
        try:
            with fs.open("/local/f") as file:
                return file.read_all() == DATA[:MIB] and file.statistics()["short_circuit"] == MIB
        except HdfsError:
            return False

    wait_for(reads_locally, 60, "short-circuit reads", every_s=0.5)


def test_zero_copy(fs):
    fs.put("/local/f", DATA)
    with fs.open("/local/f") as file:
        got = b""
        while part := file.read_zero(700001):
            got += part
        assert got == DATA
        seen = file.statistics()
        assert seen["zero_copy"] == seen["total"] == len(DATA)


def test_zero_copy_without_local_files(cluster, fs):
    fs.put("/local/f", DATA)
    reader = connect(cluster, dfs_client_read_shortcircuit="false")
    with reader.open("/local/f") as file:
        with pytest.raises(HdfsError) as error:
            file.read_zero(1000)
        assert error.value.errno == errno.EPROTONOSUPPORT
        assert file.read_zero(1000, pool=POOL) == DATA[:1000]
        with pytest.raises(HdfsError):
            file.read_zero(1000, pool="no/such/Pool")
    reader.disconnect()


def test_hedged_reads(cluster, fs):
    """A datanode that is stopped (not dead: it takes connections) costs the threshold, not the time-out."""
    cluster.wait_for_datanodes()
    fs.put("/local/f", DATA)
    reader = connect(
        cluster,
        **{
            "dfs_client_read_shortcircuit": "false",
            "dfs.client.hedged.read.threadpool.size": 4,
            "dfs.client.hedged.read.threshold.millis": 50,
        },
    )
    with reader.open("/local/f") as file:
        assert file.pread(5, 1000) == DATA[5:1005]
        pid = cluster.pid("datanode-1")
        os.kill(pid, signal.SIGSTOP)
        try:
            for at in range(0, len(DATA), 200000):
                assert file.pread(at, 200000) == DATA[at : at + 200000]
        finally:
            os.kill(pid, signal.SIGCONT)
        ops, wins, _ = reader.hedged()
        assert ops >= wins >= 1
    reader.disconnect()

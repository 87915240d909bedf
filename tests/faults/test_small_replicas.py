"""Small replicas, which share the files of a log: nobody outside can tell, whatever happens to the datanode."""
import contextlib
import os
import random
import re
import subprocess
import threading

import pytest

from lib.cluster import Cluster, run_cairn
from lib.data import MIB
from lib.libhdfs import Hdfs, HdfsError
from lib.replicas import replicas
from lib.waiting import wait_for

QUICK = {"dfs.heartbeat.interval": 1, "dfs.namenode.redundancy.interval.seconds": 1}
NOISE = random.Random(5).randbytes(MIB)


def content(number, length=None):
    length = number * 137 % 60000 if length is None else length
    return (b"%08d" % number + NOISE)[:length]


@pytest.fixture
def one(tmp_path):
    with Cluster(tmp_path / "cluster", nodes=1, properties=QUICK | {"dfs.replication": 1}) as running:
        yield running


@pytest.fixture
def fs(one):
    connection = Hdfs(one.uri)
    yield connection
    connection.disconnect()


def small(cluster, node="datanode-*"):
    return [each for each in replicas(cluster.folder, node) if each.is_small]


def log_of(cluster, node):
    return open(cluster.daemon(node)["log"]).read()


def free(disk):
    state = os.statvfs(disk)
    return state.f_bavail * state.f_frsize


def metric(cluster, name):
    address = re.search(r"dfs.datanode.http.address=(\S+)", " ".join(cluster.daemon("datanode-1")["command"])).group(1)
    return int(re.search(rf"^{name} (\d+)$", cluster.http_get("/metrics", address).decode(), re.M).group(1))


def restart(cluster, node, *settings):
    cluster.kill(node)
    reports = log_of(cluster, node).count("full block report:")
    for setting in settings:
        cluster.daemon(node)["command"] += ["-D", setting]
    cluster.start_again(node)
    wait_for(lambda: log_of(cluster, node).count("full block report:") > reports, 30, "the node to be back")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_was_closed_outlives_a_killed_datanode(one, seed):
    """Writers go on until the datanode is killed in their midst; all that they were told was written is there."""
    written, choose, stop = [], random.Random(seed), threading.Event()

    def write(worker):
        fs = Hdfs(one.uri, settings={"dfs.client.block.write.retries": 0})
        for number in range(worker, 100000, 4):
            try:
                fs.put(f"/f{number}", content(number))
            except (OSError, HdfsError):
                break
            written.append(number)
            if stop.is_set():
                break
        fs.disconnect()

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    enough = choose.randrange(50, 400)
    wait_for(lambda: len(written) >= enough, 60, "some files", every_s=0.002)
    one.kill("datanode-1")
    stop.set()
    one.start_again("datanode-1")
    for thread in threads:
        thread.join()
    wait_for(lambda: log_of(one, "datanode-1").count("full block report:") >= 2, 30, "the node to be back")
    fs = Hdfs(one.uri)
    for number in sorted(written):
        assert fs.get(f"/f{number}") == content(number), number
    assert len(small(one)) > len(written) // 2
    fs.put("/after", content(77))
    assert fs.get("/after") == content(77)
    fs.disconnect()


def test_they_are_removed_and_come_again(one, fs):
    for number in range(1, 30):
        fs.put(f"/f{number}", content(number))
    assert len(small(one)) == 29
    for number in range(1, 30, 2):
        fs.call("hdfsDelete", f"/f{number}", 0)
    wait_for(lambda: len(small(one)) == 14, 30, "the records to be marked")
    assert metric(one, "cairn_datanode_small_replicas") == 14
    assert metric(one, "cairn_datanode_small_log_bytes") > sum(len(content(n)) for n in range(1, 30))
    restart(one, "datanode-1")
    assert len(small(one)) == 14
    for number in range(2, 30, 2):
        assert fs.get(f"/f{number}") == content(number)
    fs.put("/f1", content(1))
    assert fs.get("/f1") == content(1)


@pytest.mark.parametrize("times", [1, 2])
def test_what_was_flushed_outlives_a_killed_datanode(one, fs, times):
    """Once: it is a record whose end has not come. Twice: it has files."""
    file = fs.open("/flushed", os.O_WRONLY)
    for number in range(times):
        file.write(content(1, 1400)[number * 700 : (number + 1) * 700])
        file.call("hdfsHFlush")
    assert fs.get("/flushed") == content(1, times * 700)
    restart(one, "datanode-1")  # while the file is open
    with contextlib.suppress(OSError):
        file.close()
    recovered = run_cairn("debug", "-fs", one.uri, "recoverLease", "-path", "/flushed", "-retries", 20)
    assert recovered.returncode == 0, recovered
    assert fs.get("/flushed") == content(1, times * 700)


@pytest.mark.parametrize("length", [1, 511, 512, 700, 60000])
def test_they_are_appended_to_and_cut(one, fs, length):
    fs.put("/grows", content(9, length))
    assert len(small(one)) == 1
    end = length
    for more in 1, 600, 40000:
        with fs.open("/grows", os.O_WRONLY | os.O_APPEND) as file:
            file.write(content(9, 640000)[end : end + more])
        end += more
        assert fs.get("/grows") == content(9, 640000)[:end]
    fs.put("/cut", content(8, length))
    fs.call("hdfsTruncateFile", "/cut", length // 2)

    def is_cut():
        try:
            return fs.get("/cut") == content(8, length)[: length // 2]
        except HdfsError:
            return False

    wait_for(is_cut, 30, "the truncation")
    restart(one, "datanode-1")
    assert fs.get("/grows") == content(9, 640000)[:end]
    assert is_cut()


def test_local_readers_get_them_through_descriptors(one, fs):
    fs.put("/local", content(3, 5000))
    reader = Hdfs(one.uri)
    with reader.open("/local") as file:
        assert file.read_all() == content(3, 5000)
        links = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if os.path.islink(f"/proc/self/fd/{fd}")]
        assert [link for link in links if "cairn-replica" in link]
        assert not [link for link in links if "/small/" in link]  # others' data is in there
        assert file.pread(4000, 1000) == content(3, 5000)[4000:]
        assert file.call("hdfsSeek", 1000) == 0
        assert file.read_zero(1000) == content(3, 5000)[1000:2000]  # mapped
        seen = file.statistics()
        assert seen["short_circuit"] == seen["total"] > 0
        fs.call("hdfsDelete", "/local", 0)
        assert file.pread(0, 100) == content(3, 5000)[:100]
    reader.disconnect()


def test_checksums_of_files_are_the_same_either_way(one, fs):
    fs.put("/small", content(4, 10000))
    before = one.fs("-checksum", "/small", check=True).stdout
    restart(one, "datanode-1", "cairn.datanode.small.replica.bytes=0")
    assert fs.get("/small") == content(4, 10000)  # records are read whatever the setting is
    fs.put("/files", content(4, 10000))
    assert len(replicas(one.folder)) == 2 and len(small(one)) == 1
    assert one.fs("-checksum", "/files", check=True).stdout.split()[1:] == before.split()[1:]


@pytest.mark.parametrize("where", ["data", "header"])
def test_the_scrubber_finds_a_damaged_one(tmp_path, where):
    properties = QUICK | {"dfs.block.scanner.volume.bytes.per.second": 100 * MIB}
    with Cluster(tmp_path / "cluster", nodes=3, properties=properties) as cluster:
        fs = Hdfs(cluster.uri, settings={"dfs.replication": 3})
        for number in range(1, 8):
            fs.put(f"/f{number}", content(number, 3000))
        wait_for(lambda: len(small(cluster)) == 21, 30, "all replicas")
        victim = small(cluster, "datanode-2")[3]
        cluster.kill("datanode-2")
        with open(victim.path, "r+b") as file:
            file.seek(victim.offset + (1000 if where == "data" else -100))
            file.write(b"rot")
        cluster.start_again("datanode-2")
        if where == "data":
            wait_for(lambda: "will be reported" in log_of(cluster, "datanode-2"), 60, "the rot to be found")

        def whole():
            good = [each for each in replicas(cluster.folder) if each.block == victim.block]
            return len(good) == 3 and len({each.read() for each in good}) == 1

        wait_for(whole, 60, "a good replica in its place", every_s=0.5)
        for number in range(1, 8):
            assert fs.get(f"/f{number}") == content(number, 3000)
        fs.disconnect()


def test_they_are_copied_to_other_nodes(tmp_path):
    with Cluster(tmp_path / "cluster", nodes=2, properties=QUICK | {"dfs.replication": 1}) as cluster:
        fs = Hdfs(cluster.uri)
        for number in range(1, 20):
            fs.put(f"/f{number}", content(number))
        fs.put("/large", content(1, 200000))
        cluster.fs("-setrep", "-R", "-w", "2", "/", check=True)
        assert [len(small(cluster, node)) for node in ("datanode-1", "datanode-2")] == [19, 19]
        blocks = {each.block for each in replicas(cluster.folder)}
        for block in blocks:
            first, second = replicas(cluster.folder, block=block)
            assert first.read() == second.read()
        cluster.kill("datanode-1")
        for number in range(1, 20):
            assert fs.get(f"/f{number}") == content(number)
        fs.disconnect()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_has_room_again_when_some_of_them_go(tmp_path):
    """What lives is spread over all segments: none can be removed before it is emptied, and that takes room, too."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", str(disk)], check=True)
    try:
        with Cluster(tmp_path / "cluster", nodes=1, properties=QUICK | {"dfs.replication": 1}) as cluster:
            restart(cluster, "datanode-1", f"dfs.datanode.data.dir={disk}")
            fs = Hdfs(cluster.uri, settings={"dfs.blocksize": MIB, "dfs.replication": 1})
            count = 0
            with pytest.raises(HdfsError):
                while count * 30000 < 200 * MIB:
                    fs.put(f"/{count}", content(count, 30000))
                    count += 1
            assert count * 30000 > 60 * MIB
            for number in range(count):
                if number % 5 < 3:
                    fs.call("hdfsDelete", f"/{number}", 0)
            wait_for(lambda: free(disk) > 40 * MIB, 60, "the room of what was removed")
            for number in range(3, count, 5):
                assert fs.get(f"/{number}") == content(number, 30000)
            fs.disconnect()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)

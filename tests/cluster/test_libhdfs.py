"""libhdfs.so as programs load it, on our cluster and on Apache's: the same calls, the same outcome."""
import errno
import hashlib
import os
import random
import signal
import subprocess
import threading

import pytest

from lib import sanitizer
from lib.cluster import ROOT, Cluster, cairn_path
from lib.libhdfs import Hdfs, HdfsError

MIB = 1 << 20
DATA = random.Random(7).randbytes(5 * MIB + 12345)


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("libhdfs") / "cluster") as running:
        yield running


@pytest.fixture(params=["ours", "apache"])
def fs(request):
    cluster = request.getfixturevalue(request.param)
    connection = Hdfs(cluster.uri, settings={"dfs.blocksize": MIB, "dfs.client.use.datanode.hostname": "false"})
    connection.call("hdfsCreateDirectory", "/libhdfs")
    yield connection
    connection.call("hdfsDelete", "/libhdfs", 1)
    connection.disconnect()


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, MIB - 1, MIB, MIB + 1, len(DATA)])
def test_what_is_written_is_read(fs, size):
    fs.put("/libhdfs/f", DATA[:size])
    assert fs.get("/libhdfs/f") == DATA[:size]
    assert fs.info("/libhdfs/f")["size"] == size


def test_seek_tell_pread_and_available(fs):
    fs.put("/libhdfs/f", DATA)
    with fs.open("/libhdfs/f") as file:
        choose = random.Random(1)
        for _ in range(100):
            at, length = choose.randrange(len(DATA) + 1), choose.randrange(100000)
            assert file.pread(at, length) == DATA[at : at + length]
            file.call("hdfsSeek", at)
            got = file.read(length)
            assert got == DATA[at : at + length]
            assert file.call("hdfsTell") == at + len(got)
            assert file.call("hdfsAvailable") == len(DATA) - at - len(got)
        with pytest.raises(HdfsError) as error:
            file.call("hdfsSeek", len(DATA) + 1)
        assert error.value.errno == errno.EINVAL


def test_many_threads_read_one_file(fs):
    fs.put("/libhdfs/f", DATA)
    wrong = []
    with fs.open("/libhdfs/f") as file:

        def work(seed):
            choose = random.Random(seed)
            for _ in range(50):
                at, length = choose.randrange(len(DATA)), choose.randrange(70000)
                if file.pread(at, length) != DATA[at : at + length]:
                    wrong.append((at, length))

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        assert file.statistics()["total"] > 0


def test_flushed_bytes_are_seen_by_new_readers(fs):
    with fs.open("/libhdfs/f", os.O_WRONLY) as writer:
        at = 0
        for round_, step in enumerate([1, 511, 512, 70000, 3, MIB, 100000, 511]):
            writer.write(DATA[at : at + step])
            at += step
            writer.call("hdfsHSync" if round_ % 2 else "hdfsHFlush")
            assert writer.call("hdfsTell") == at
            assert fs.get("/libhdfs/f") == DATA[:at]
    assert fs.get("/libhdfs/f") == DATA[:at]


def test_append_goes_on_at_the_end(fs):
    fs.put("/libhdfs/f", b"", replication=1)
    at = 0
    for step in [1, 10, 500, 513, 100000, MIB, 1, 512, 2 * MIB]:
        with fs.open("/libhdfs/f", os.O_WRONLY | os.O_APPEND) as file:
            file.write(DATA[at : at + step])
        at += step
        assert fs.get("/libhdfs/f") == DATA[:at]


def test_directories_and_attributes(fs):
    fs.call("hdfsCreateDirectory", "/libhdfs/d/e")
    fs.put("/libhdfs/d/f", b"x", replication=1)
    assert [info["name"].decode().rsplit("/", 1)[1] for info in fs.ls("/libhdfs/d")] == ["e", "f"]
    assert fs.ls("/libhdfs/d/e") == []
    assert [chr(info["kind"]) for info in fs.ls("/libhdfs/d")] == ["D", "F"]
    fs.call("hdfsChmod", "/libhdfs/d/f", 0o640)
    fs.call("hdfsChown", "/libhdfs/d/f", "ada", "lace")
    fs.call("hdfsUtime", "/libhdfs/d/f", 1000000000, -1)
    info = fs.info("/libhdfs/d/f")
    assert (info["permissions"], info["owner"], info["group"], info["mtime"]) == (0o640, b"ada", b"lace", 1000000000)
    assert (info["replication"], info["block_size"], info["size"]) == (1, MIB, 1)
    fs.call("hdfsSetReplication", "/libhdfs/d/f", 2)
    assert fs.info("/libhdfs/d/f")["replication"] == 2
    fs.call("hdfsRename", "/libhdfs/d", "/libhdfs/g")
    assert fs.get("/libhdfs/g/f") == b"x"
    fs.call("hdfsCopy", "/libhdfs/g", fs.fs, "/libhdfs/h")
    fs.call("hdfsMove", "/libhdfs/g/f", fs.fs, "/libhdfs/h/moved")
    assert fs.get("/libhdfs/h/moved") == b"x"
    assert [info["name"].decode().rsplit("/", 1)[1] for info in fs.ls("/libhdfs/h")] == ["e", "f", "moved"]


def test_paths_relative_to_the_working_directory(fs):
    fs.call("hdfsSetWorkingDirectory", "/libhdfs")
    fs.put("w", b"here")
    assert fs.get("/libhdfs/w") == b"here"
    fs.call("hdfsSetWorkingDirectory", "..")
    assert fs.get("libhdfs/w") == b"here"


def test_hosts_capacity_and_sizes(fs):
    fs.put("/libhdfs/f", DATA, replication=2)
    hosts = fs.hosts("/libhdfs/f", 0, len(DATA))
    assert len(hosts) == -(-len(DATA) // MIB) and all(len(names) == 2 for names in hosts)
    assert fs.call("hdfsGetCapacity") > fs.call("hdfsGetUsed") >= 0
    assert fs.call("hdfsGetDefaultBlockSize") == MIB


def test_truncate(fs):
    fs.put("/libhdfs/f", DATA)
    assert fs.call("hdfsTruncateFile", "/libhdfs/f", 2 * MIB) == 1
    assert fs.get("/libhdfs/f") == DATA[: 2 * MIB]


@pytest.mark.parametrize(
    "want, action",
    [
        (errno.ENOENT, lambda fs: fs.open("/libhdfs/none")),
        (errno.ENOENT, lambda fs: fs.info("/libhdfs/none")),
        (errno.ENOENT, lambda fs: fs.ls("/libhdfs/none")),
        (errno.ENOENT, lambda fs: fs.call("hdfsExists", "/libhdfs/none")),
        (errno.ENOENT, lambda fs: fs.call("hdfsDelete", "/libhdfs/none", 0)),
        (errno.ENOENT, lambda fs: fs.open("/libhdfs/none", os.O_WRONLY | os.O_APPEND)),
        (errno.ENOTEMPTY, lambda fs: fs.call("hdfsDelete", "/libhdfs", 0)),
        (errno.EEXIST, lambda fs: fs.open("/libhdfs/f", os.O_WRONLY | os.O_EXCL)),
        (errno.EINVAL, lambda fs: fs.open("hdfs://elsewhere:1/f")),
        (errno.ENOTSUP, lambda fs: fs.open("/libhdfs/f", os.O_RDWR)),
        (errno.EBUSY, lambda fs: [fs.open("/libhdfs/busy", os.O_WRONLY), fs.open("/libhdfs/busy", os.O_WRONLY | os.O_APPEND)]),
    ],
)
def test_errors_have_the_errno_that_fits(fs, want, action):
    fs.put("/libhdfs/f", b"x")
    with pytest.raises(HdfsError) as error:
        action(fs)
    assert error.value.errno == want, str(error.value)
    assert "libhdfs" in str(error.value) or "elsewhere" in str(error.value)


def test_the_example_builds_and_prints_a_file(fs, tmp_path):
    fs.put("/libhdfs/f", DATA)
    source, folder = f"{ROOT}/examples/read_file.c", os.path.dirname(cairn_path())
    build = ["cc", *([f"-fsanitize={sanitizer.kind()}"] if sanitizer.kind() else []), f"-I{ROOT}/client/include", source, f"-L{folder}", "-lhdfs", f"-Wl,-rpath,{folder}", "-o", f"{tmp_path}/x"]
    subprocess.run(build, check=True)
    uri = fs.info("/libhdfs/f")["name"].decode().removesuffix("/libhdfs/f")
    assert subprocess.run([f"{tmp_path}/x", uri, "/libhdfs/f"], capture_output=True).stdout == DATA
    gone = subprocess.run([f"{tmp_path}/x", uri, "/libhdfs/none"], capture_output=True)
    assert gone.returncode == 1 and b"/libhdfs/none" in gone.stderr


def test_a_namenode_that_is_not_there(tmp_path):
    connection = Hdfs("hdfs://127.0.0.1:1")
    with pytest.raises(HdfsError) as error:
        connection.call("hdfsExists", "/")
    assert error.value.errno == errno.ECONNREFUSED and "127.0.0.1:1" in str(error.value)
    connection.disconnect()


@pytest.mark.parametrize("victim", ["datanode-1", "datanode-2", "datanode-3"])
@pytest.mark.parametrize("flush", [False, True])
def test_a_datanode_is_killed_while_a_file_is_written_and_while_it_is_read(tmp_path, victim, flush):
    with Cluster(tmp_path / "cluster") as cluster:
        fs = Hdfs(cluster.uri, settings={"dfs.blocksize": 2 * MIB})
        with fs.open("/f", os.O_WRONLY) as writer:
            for at in range(0, len(DATA), 100000):
                writer.write(DATA[at : at + 100000])
                if flush and at % 300000 == 0:
                    writer.call("hdfsHFlush")
                if at == 1000000:
                    cluster.kill(victim)
        assert hashlib.sha256(fs.get("/f")).digest() == hashlib.sha256(DATA).digest()
        fs.disconnect()


def test_a_datanode_is_killed_under_an_open_reader(tmp_path):
    with Cluster(tmp_path / "cluster") as cluster:
        fs = Hdfs(cluster.uri, settings={"dfs.blocksize": 2 * MIB})
        fs.put("/f", DATA)
        for victim in "datanode-1", "datanode-2":
            with fs.open("/f") as reader:
                first = reader.read(MIB)
                cluster.kill(victim)
                assert first + reader.read_all() == DATA
                assert reader.pread(3 * MIB, 1000) == DATA[3 * MIB : 3 * MIB + 1000]
        fs.disconnect()


def test_a_client_that_may_wait_survives_a_stop_of_the_namenode(tmp_path):
    with Cluster(tmp_path / "cluster") as cluster:
        fs = Hdfs(cluster.uri, settings={"dfs.blocksize": MIB, "cairn.client.retry-for": "60s"})
        with fs.open("/f", os.O_WRONLY) as writer:
            writer.write(DATA[:1500000])
            cluster.kill("namenode", signal.SIGKILL)
            back = threading.Timer(1, cluster.start_again, ["namenode"])
            back.start()
            writer.write(DATA[1500000:])
        back.join()
        assert fs.get("/f") == DATA
        fs.disconnect()

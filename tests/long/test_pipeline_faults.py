"""Our client writes to three Apache datanodes while one of them dies at a stage of the pipeline that the test holds it at."""
import concurrent.futures
import os
import signal
import subprocess

import pytest

from lib import data
from lib.apache import ApacheCluster
from lib.cluster import cairn_path, client_env, run_cairn
from lib.libhdfs import O_APPEND, Hdfs
from lib.sockets import unread_bytes
from lib.waiting import wait_for

SITE = {"dfs.namenode.heartbeat.recheck-interval": 1000}


@pytest.fixture(scope="module")
def three(hadoop, tmp_path_factory):
    cluster = ApacheCluster(tmp_path_factory.mktemp("three"), datanodes=3, properties=SITE)
    yield cluster.start()
    cluster.stop()


@pytest.fixture
def fs(three):
    wait_for(three.is_ready, 60, "three live datanodes")
    client = Hdfs(three.uri, settings={"dfs.replication": "3", "dfs.blocksize": str(64 * data.MIB)})
    yield client
    client.disconnect()


class Held:
    """A datanode that is stopped, so that the writer comes to stand where it needs it, and then dies there."""

    def __init__(self, cluster, index):
        self._cluster, self._index = cluster, index
        self._daemon = cluster.daemon(f"datanode{index + 1}")
        self._port = cluster.transfer_port(index)

    def __enter__(self):
        os.kill(self._daemon.pid, signal.SIGSTOP)
        return self

    def wait_until_asked(self):
        wait_for(lambda: unread_bytes(self._port) > 0, 30, "the set-up of a pipeline")

    def kill(self):
        self._daemon.kill()

    def __exit__(self, *_):
        self._daemon.kill()
        self._daemon.stop()
        self._cluster.start_datanode(self._index)
        wait_for(lambda: self._cluster.has_registered(self._index), 60, "the datanode to be back")


def content(size, seed):
    return (seed.to_bytes(4, "big") * (size // 4 + 1))[:size]


def check(three, java_shell, fs, path, expected):
    assert fs.get(path) == expected
    assert java_shell.run("fs", "-fs", three.uri, "-cat", path).stdout == expected


def recover_lease(three, path):
    """If the dead datanode was chosen to lead a recovery, nobody else is before somebody asks again (or the lease's hard limit is over)."""
    recovered = run_cairn("debug", "-fs", three.uri, "recoverLease", "-path", path, "-retries", 20, deadline_s=200)
    assert recovered.returncode == 0 and f"SUCCEEDED on {path}".encode() in recovered.stdout, recovered


@pytest.mark.parametrize("index", [0, 1, 2])
def test_killed_in_the_set_up(three, fs, java_shell, index):
    expected = content(3 * data.MIB, 10 + index)
    with concurrent.futures.ThreadPoolExecutor() as pool, Held(three, index) as held:
        done = pool.submit(fs.put, f"/setup{index}", expected)
        held.wait_until_asked()
        assert not done.done()
        held.kill()
        done.result(120)
    check(three, java_shell, fs, f"/setup{index}", expected)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_killed_while_streaming(three, fs, java_shell, index):
    first, second = content(5 * data.MIB + 7, 20 + index), content(9 * data.MIB + 5, 30 + index)
    with fs.open(f"/streaming{index}", os.O_WRONLY) as file, concurrent.futures.ThreadPoolExecutor() as pool:
        file.write(first[: 2 * data.MIB])
        file.call("hdfsHFlush")
        with Held(three, index) as held:
            file.write(first[2 * data.MIB : 3 * data.MIB])
            flushed = pool.submit(file.call, "hdfsHFlush")
            with pytest.raises(concurrent.futures.TimeoutError):
                flushed.result(0.3)  # it stands for want of an acknowledgement
            held.kill()
            flushed.result(120)
            file.write(first[3 * data.MIB :])
            file.call("hdfsHFlush")
            assert fs.get(f"/streaming{index}") == first  # what was flushed is there for a new reader
            file.write(second)
    check(three, java_shell, fs, f"/streaming{index}", first + second)


def test_killed_under_an_append_that_is_flushed_and_read(three, fs, java_shell):
    before, more = content(data.MIB + 100, 50), content(3 * data.MIB + 11, 51)
    fs.put("/append", before)
    with fs.open("/append", os.O_WRONLY | O_APPEND) as file:
        file.write(more[:1000])
        file.call("hdfsHFlush")
        with Held(three, 1) as held:
            held.kill()
            file.write(more[1000:])
            file.call("hdfsHSync")
            assert java_shell.run("fs", "-fs", three.uri, "-cat", "/append").stdout == before + more
    check(three, java_shell, fs, "/append", before + more)


def test_a_truncate_with_a_dead_datanode(three, fs, java_shell):
    expected = content(2 * data.MIB, 60)
    fs.put("/truncate", expected)
    with Held(three, 2) as held:
        held.kill()
        run_cairn("fs", "-fs", three.uri, "-truncate", 1_000_001, "/truncate", check=True)
        recover_lease(three, "/truncate")
    check(three, java_shell, fs, "/truncate", expected[:1_000_001])


def test_the_lease_of_a_dead_writer(three, fs, java_shell):
    """Which of the replicas were written further than others does not matter: what was flushed is kept."""
    flushed = content(data.MIB + 77, 70)
    program = (
        "import sys, os; sys.path.insert(0, sys.argv[1])\n"
        "from lib.libhdfs import Hdfs\n"
        "fs = Hdfs(sys.argv[2], settings={'dfs.replication': '3'})\n"
        "file = fs.open('/lease', os.O_WRONLY)\n"
        "file.write((70).to_bytes(4, 'big') * ((1 << 18) + 19) + b'\\0')\n"
        "file.call('hdfsHFlush'); print('flushed', flush=True)\n"
        "while True: file.write(b'x' * 4096)\n"
    )
    tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    writer = subprocess.Popen(
        ["/usr/bin/python3", "-c", program, tests, three.uri], stdout=subprocess.PIPE, env=client_env() | {"CAIRN": cairn_path()}
    )
    assert writer.stdout.readline() == b"flushed\n"
    with Held(three, 0) as held:
        held.kill()
        writer.kill()
        writer.wait()
        writer.stdout.close()
        recover_lease(three, "/lease")
    kept = fs.get("/lease")
    assert kept.startswith(flushed[: data.MIB + 76]) and set(kept[data.MIB + 77 :]) <= {ord("x")}
    assert java_shell.run("fs", "-fs", three.uri, "-cat", "/lease").stdout == kept
    with fs.open("/lease", os.O_WRONLY | O_APPEND) as file:
        file.write(b"more")
    assert fs.get("/lease") == kept + b"more"

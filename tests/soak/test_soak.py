"""Many writes and reads while datanodes are killed and come back: none fails while one node of its pipeline lives."""
import itertools
import random
import subprocess
import threading

import pytest

from lib import sanitizer
from lib.cluster import Cluster, run_cairn
from lib.data import MIB
from lib.libhdfs import Hdfs
from lib.waiting import wait_for

NODES = 5
WRITES, ROUNDS = 50, 12  # at least so many
DATA = random.Random(23).randbytes(12 * MIB + 777)


@pytest.fixture
def cluster(tmp_path):
    properties = {"dfs.blocksize": 4 * MIB, "dfs.heartbeat.interval": 1, "dfs.namenode.heartbeat.recheck-interval": 2000}
    with Cluster(tmp_path / "cluster", nodes=NODES, properties=properties) as running:
        yield running


class Chaos:
    """Kills one or two datanodes at a time and starts them again, over and over, until it is left."""

    def __init__(self, cluster, seed):
        self.cluster, self.choose = cluster, random.Random(seed)
        self.rounds, self.stop, self.error = 0, threading.Event(), None
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            self._kill_and_start()
        except Exception as error:  # the test tells; its writers go on for a number of rounds
            self.error, self.rounds = error, ROUNDS

    def _kill_and_start(self):
        while not self.stop.wait(self.choose.uniform(0.05, 0.6)):
            victims = self.choose.sample([f"datanode-{i}" for i in range(1, NODES + 1)], self.choose.choice([1, 2]))
            for name in victims:
                self.cluster.kill(name)
            self.stop.wait(self.choose.uniform(0.1, 1.5))
            for name in victims:
                log = self.cluster.daemon(name)["log"]
                before = open(log).read().count("full block report:")
                self.cluster.start_again(name)
                wait_for(lambda: open(log).read().count("full block report:") > before, 60, f"{name} to be back")
            self.rounds += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


@pytest.mark.parametrize("seed", [1, 2])
def test_no_write_and_no_read_fails(cluster, tmp_path, seed):
    numbers, failed, written = itertools.count(), [], []
    local = tmp_path / "local"
    local.write_bytes(DATA)

    def length_of(number):
        return len(DATA) - number % 100 * 100_003

    def write(fs, number):
        if number % 5 == 0:
            run_cairn("fs", "-fs", cluster.uri, "-put", local, f"/put{number}", check=True, deadline_s=200)
            return
        with fs.open(f"/file{number}", 1) as file:
            file.write(DATA[: length_of(number)], piece=100_000)

    def work():
        fs = Hdfs(cluster.uri, settings={"dfs.blocksize": 4 * MIB, "dfs.client.socket-timeout": int(10000 * sanitizer.slowness())})
        while not failed and (len(written) < WRITES or chaos.rounds < ROUNDS):
            number = next(numbers)
            try:
                write(fs, number)
                name = f"/put{number}" if number % 5 == 0 else f"/file{number}"
                want = DATA if number % 5 == 0 else DATA[: length_of(number)]
                if fs.get(name) != want:
                    failed.append((number, "wrong bytes"))
                fs.call("hdfsDelete", name, 0)
                written.append(number)
            except (OSError, AssertionError, subprocess.SubprocessError) as error:
                failed.append((number, str(error)))
        fs.disconnect()

    with Chaos(cluster, seed) as chaos:
        workers = [threading.Thread(target=work) for _ in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert not failed and len(written) >= WRITES, failed
    assert chaos.rounds >= ROUNDS and not chaos.error, chaos.error

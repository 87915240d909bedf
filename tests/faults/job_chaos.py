"""A job during which daemons are killed over and over: its result must be right, whatever was killed when."""
import random
import re
import subprocess
import time

from lib.cluster import Cluster, cairn_path, client_env, run_cairn
from lib.process import is_alive
from lib.waiting import wait_for

LINES = 24000
BLOCK_BYTES = 32768
KINDS = ["scheduler", "worker", "datanode", "namenode"]


def properties():
    return {
        "dfs.namenode.fs-limits.min-block-size": 1,
        "dfs.heartbeat.interval": 1,
        "dfs.namenode.heartbeat.recheck-interval": 2000,
        "cairn.scheduler.worker-timeout": 4,
        "cairn.client.retry-for": "60s",
    }


class ChaosRounds:
    """A cluster with input in it, of which one daemon after the other is killed and started again."""

    def __init__(self, folder):
        self.cluster = Cluster(folder / "cluster", properties=properties())
        self.started = {}

    def __enter__(self):
        self.cluster.__enter__()
        self.lines = sorted(b"%06d\tvalue %d" % (i * 7919 % LINES, i) for i in range(LINES))
        shuffled = self.lines[:]
        random.Random(1).shuffle(shuffled)
        run_cairn("fs", "-fs", self.cluster.uri, "-D", f"dfs.blocksize={BLOCK_BYTES}", "-put", "-", "/in",
                  stdin=b"\n".join(shuffled) + b"\n", check=True)
        return self

    def __exit__(self, *error):
        for process in self.started.values():
            process.stop()
        self.cluster.__exit__(*error)

    def kill_one(self, rng, kind):
        name = rng.choice(self.cluster.daemons_named(kind))["name"]
        if is_alive(self.cluster.pid(name)):
            self.cluster.kill(name)
        if name in self.started:
            self.started.pop(name).stop()
        self.started[name] = self.cluster.start_again(name)

    def run(self, seed, every_s, sleep_s=1):
        """One job; what was killed."""
        rng = random.Random(seed)
        out = f"/out-{seed}"
        process = subprocess.Popen(
            [cairn_path(), "streaming", "-fs", self.cluster.uri, "-D", "mapreduce.map.maxattempts=20", "-D", "mapreduce.reduce.maxattempts=20",
             "-mapper", f"sh -c 'sleep {sleep_s}; cat'", "-reducer", f"sh -c 'sleep {2 * sleep_s}; cat'", "-numReduceTasks", "3",
             "-input", "/in", "-output", out, "-background"], stderr=subprocess.PIPE, env=client_env())
        text = process.communicate()[1].decode()
        assert process.returncode == 0, text
        name = re.search(r"job_\d+_\d+", text).group(0)
        waiter = subprocess.Popen([cairn_path(), "job", "-fs", self.cluster.uri, "-D", "cairn.client.retry-for=60s", "-wait", name],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=client_env())
        killed = []
        while waiter.poll() is None:
            began = time.monotonic()
            kind = rng.choice(KINDS)
            self.kill_one(rng, kind)
            killed.append(kind)
            wait_for(lambda: waiter.poll() is not None or time.monotonic() - began > every_s, every_s + 60, "the next kill")
            assert len(killed) < 600 / every_s, f"seed {seed}: the job does not end"
        said = waiter.stdout.read().decode()
        assert waiter.returncode == 0, f"seed {seed}: killed {killed}: {said}"
        parts = run_cairn("fs", "-fs", self.cluster.uri, "-D", "cairn.client.retry-for=60s", "-cat", f"{out}/part-*", check=True).stdout
        assert sorted(parts.splitlines()) == self.lines, f"seed {seed}: killed {killed}: the output is wrong"
        names = run_cairn("fs", "-fs", self.cluster.uri, "-D", "cairn.client.retry-for=60s", "-ls", "-C", out, check=True).stdout.decode().split()
        assert names == [f"{out}/_SUCCESS"] + [f"{out}/part-0000{i}" for i in range(3)], f"seed {seed}"
        return killed

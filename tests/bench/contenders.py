"""Those that do the same job on the same input, each in its own way, measured in turn."""
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass, field

from hadoop_jobs import Hadoop
from lib import data
from lib import spark as spark_lib
from lib.cluster import Cluster, cairn_path, run_cairn
from measure import cpu_seconds, measure
from memory_watch import MemoryWatch, with_descendants
from programs import HERE, build, checked

BLOCK_BYTES = 128 * data.MIB
# Java's own choices, where tests only want a quick start.
SPARK = {"spark.executor.memory": "3g", "spark.hadoop.fs.defaultFS": "file:///",
         **{f"spark.{side}.extraJavaOptions": "-XX:+UseParallelGC" for side in ("driver", "executor")}}


@dataclass
class Contender:
    name: str
    mib: float  # of input
    step: object  # what is measured
    output: object  # afterwards: a context manager with the bytes that came out, as a file
    forget: object  # removes them
    servers: list = field(default_factory=list)
    is_slow: bool = False


@dataclass
class Seen:
    mib: float
    wall_s: float
    cpu_s: float
    peak_mib: float

    @property
    def rate(self):
        return self.mib / self.wall_s


def _all_cpu_seconds(servers):
    while True:
        try:
            return cpu_seconds(with_descendants(servers))
        except OSError:  # one ended meanwhile
            continue


def _one_round(contender, is_right):
    contender.forget()
    os.sync()
    cpu_before = _all_cpu_seconds(contender.servers)
    with MemoryWatch(contender.servers) as memory:
        sample = measure(contender.step)
    server_cpu_s = _all_cpu_seconds(contender.servers) - cpu_before
    if not is_right(contender):
        sys.exit(f"bench: the result of '{contender.name}' is wrong")
    contender.forget()
    return Seen(contender.mib, sample.wall_s, sample.client_cpu_s + server_cpu_s, memory.peak_mib)


def _middle(runs):
    rate = statistics.median_high([seen.rate for seen in runs])
    return next(seen for seen in runs if seen.rate == rate)


def run_rounds(contenders, is_right, rounds, slow_rounds):
    """{name: Seen} of the median round. All in turn, so that all see the same machine; the first round of those that are not
    slow only warms up. is_right(contender) is asked after each, outside the measured time."""
    runs = {contender.name: [] for contender in contenders}
    for number in range(1 + rounds):
        for contender in contenders:
            if not contender.is_slow or number < slow_rounds:
                seen = _one_round(contender, is_right)
                if contender.is_slow or number:
                    runs[contender.name].append(seen)
    return {name: _middle(seen) for name, seen in runs.items()}


@contextlib.contextmanager
def _printed(command):
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        yield process.stdout
    if process.returncode:
        sys.exit(f"bench: {' '.join(command)} ended with {process.returncode}")


def mib_of(path):
    return os.path.getsize(path) / data.MIB


class Local:
    """Programs that read and write local files."""

    def __init__(self, work):
        self.work, self.out = work, f"{work}/out"

    def _forget(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.out)

    def program(self, name, path, program):
        """A C program of this folder: PROGRAM INPUT OUTPUT."""
        built = build(self.work, program)
        return Contender(name, mib_of(path), lambda: checked([built, path, self.out]), lambda: open(self.out, "rb"), self._forget)

    def shell(self, name, path, script):
        """$1: the input, $2: the output."""
        env = {"LC_ALL": "C", "TMPDIR": self.work}
        command = ["bash", "-o", "pipefail", "-c", script, "bash", path, self.out]
        return Contender(name, mib_of(path), lambda: checked(command, env=env), lambda: open(self.out, "rb"), self._forget)


class _OnFileSystem:
    """What Cairn's and Hadoop's jobs have in common: input and output in a file system that `cairn fs` reaches."""

    OUT = "/out"

    def _fs(self, *args):
        return [cairn_path(), "fs", "-fs", self.uri, *args]

    def _put(self, path):
        target = f"/in/{os.path.basename(path)}"
        if subprocess.run(self._fs("-test", "-e", target)).returncode:
            checked(self._fs("-mkdir", "-p", "/in"))
            checked(self._fs("-D", "dfs.replication=1", "-D", f"dfs.blocksize={BLOCK_BYTES}", "-put", path, target))
        return target

    def _contender(self, name, path, step, **more):
        output = lambda: _printed(self._fs("-cat", f"{self.OUT}/part-*"))  # noqa: E731
        forget = lambda: checked(self._fs("-rm", "-r", "-f", "-skipTrash", self.OUT), stdout=subprocess.DEVNULL)  # noqa: E731
        return Contender(name, mib_of(path), step, output, forget, self.pids, **more)


class Cairn(_OnFileSystem):
    def __init__(self, work):
        self.cluster = Cluster(f"{work}/cairn", nodes=1, properties={"dfs.blocksize": BLOCK_BYTES, "dfs.replication": 1})
        self.programs = os.path.join(os.path.dirname(os.path.realpath(cairn_path())), "examples", "programs")

    def __enter__(self):
        self.cluster.__enter__()
        self.uri, self.pids = self.cluster.uri, [daemon["pid"] for daemon in self.cluster.daemons]
        return self

    def __exit__(self, *error):
        self.cluster.__exit__(*error)

    def streaming(self, *options):
        return run_cairn("streaming", "-fs", self.uri, "-output", self.OUT, *options, deadline_s=600, check=True)

    def job(self, name, path, *options):
        target = self._put(path)
        return self._contender(name, path, lambda: self.streaming("-input", target, *options))


class OnHadoop(_OnFileSystem):
    def __init__(self, work):
        self.hadoop = Hadoop(f"{work}/hadoop", {"dfs.blocksize": BLOCK_BYTES})

    def __enter__(self):
        self.hadoop.__enter__()
        self.uri, self.pids = self.hadoop.hdfs.uri, self.hadoop.pids
        return self

    def __exit__(self, *error):
        self.hadoop.__exit__(*error)

    def job(self, name, path, main, *args):
        """INPUT and OUTPUT among the arguments stand for just that."""
        words = {"INPUT": self._put(path), "OUTPUT": self.OUT}
        args = [words.get(arg, arg) for arg in args]
        return self._contender(name, path, lambda: self.hadoop.run(main, *args), is_slow=True)


class Spark:
    def __init__(self, work):
        self.spark, self.out = spark_lib.Spark("3.5", f"{work}/spark"), f"{work}/spark-out"

    def job(self, name, path, job):
        program = [f"{HERE}/spark_jobs.py", job, f"file://{path}", f"file://{self.out}"]

        def step():
            self.spark.submit(job, "--master", "local-cluster[2,1,3072]", *program, properties=SPARK, deadline_s=600)

        output = lambda: _printed(["bash", "-c", f"cat {self.out}/part-*"])  # noqa: E731
        return Contender(name, mib_of(path), step, output, lambda: shutil.rmtree(self.out, ignore_errors=True), is_slow=True)

"""Jobs of our scheduler and worker on an Apache HDFS."""
import pytest

from lib.cluster import cairn_path, client_env, run_cairn
from lib.jobs import WORDCOUNT, WORDS, word_counts
from lib.ports import port_block, release_port_block
from lib.process import Daemon
from lib.waiting import wait_for


class JobsOnApache:
    """A scheduler and a worker beside it."""

    def __init__(self, uri, folder):
        base = port_block()
        self.options = ["-D", f"fs.defaultFS={uri}", "-D", f"cairn.scheduler.address=127.0.0.1:{base}"]
        self.base = base
        common = [*self.options, "-D", "cairn.scheduler.rest-address=off"]
        self.commands = {
            "scheduler": ["scheduler", *common, "-D", f"cairn.scheduler.dir={folder}/scheduler", "-D", f"cairn.scheduler.http-address=127.0.0.1:{base + 1}"],
            "worker": ["worker", *common, "-D", f"cairn.worker.dir={folder}/worker", "-D", f"cairn.worker.http-address=127.0.0.1:{base + 2}",
                       "-D", "cairn.worker.hostname=127.0.0.1"]}
        self.folder, self.daemons = folder, []

    def __enter__(self):
        for name, command in self.commands.items():
            self.daemons.append(Daemon(name, [cairn_path(), *command], f"{self.folder}/{name}.log", env=client_env()))
        wait_for(lambda: b"127.0.0.1" in run_cairn("job", *self.options, "-workers").stdout, 30, "the worker")
        return self

    def __exit__(self, *_):
        for daemon in self.daemons:
            daemon.stop()
        release_port_block(self.base)

    def fs(self, *args, **options):
        return run_cairn("fs", *self.options, *args, check=True, **options).stdout

    def run(self, *args):
        return run_cairn("streaming", *self.options, *args, check=True).stderr.decode()


@pytest.fixture(scope="module")
def jobs(apache, tmp_path_factory):
    with JobsOnApache(apache.uri, tmp_path_factory.mktemp("jobs-on-apache")) as running:
        running.fs("-mkdir", "-p", "/jobs")
        running.fs("-put", "-", "/jobs/words", stdin=WORDS)
        yield running


def test_word_count(jobs):
    jobs.run(*WORDCOUNT, "-combiner", "reduce.awk", "-numReduceTasks", 2, "-input", "/jobs/words", "-output", "/jobs/counts")
    counts = dict(line.split("\t") for line in jobs.fs("-cat", "/jobs/counts/part-*").decode().splitlines())
    assert {word: int(count) for word, count in counts.items()} == dict(word_counts(WORDS))


@pytest.mark.parametrize("how, left", [("true", []), ("keep", ["/jobs/zones/_replaced_out"])])
def test_output_takes_anothers_place_by_two_renames(jobs, how, left):
    """An Apache namenode cannot do it in one."""
    jobs.fs("-rm", "-r", "-f", "-skipTrash", "/jobs/zones")
    for number in 1, 2, 3:
        jobs.run("-D", f"cairn.job.replace={how}", "-mapper", f"echo {number}", "-numReduceTasks", 0, "-input", "/jobs/words", "-output", "/jobs/zones/out")
        assert jobs.fs("-cat", "/jobs/zones/out/part-*") == b"%d\n" % number
    assert jobs.fs("-ls", "-C", "/jobs/zones").decode().split() == [*left, "/jobs/zones/out"]
    if left:
        assert jobs.fs("-cat", "/jobs/zones/_replaced_out/part-*") == b"2\n"

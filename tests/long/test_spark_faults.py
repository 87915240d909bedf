"""Servers that die under a Spark application, and an application that dies under a stream."""
import os
import re

import pytest

from lib import spark as spark_lib
from lib.cluster import Cluster
from lib.needs import missing
from lib.process import log_tail
from lib.waiting import wait_for

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "spark_faults.py")


@pytest.fixture
def cairn(tmp_path):
    properties = {"dfs.heartbeat.interval": 1, "dfs.namenode.fs-limits.min-block-size": 512, "dfs.replication": 2}
    with Cluster(tmp_path / "cairn", properties=properties) as running:
        yield running


@pytest.fixture
def application(cairn, tmp_path):
    """application("write", name) starts the program: the process, and the folder in which it tells of its progress."""
    try:
        spark = spark_lib.Spark("4.0", tmp_path / "spark")
    except spark_lib.Unavailable as error:
        missing(f"PySpark cannot be run: {error}")
    progress = tmp_path / "progress"
    progress.mkdir()
    properties = {"spark.hadoop.dfs.replication": 2, "spark.hadoop.dfs.blocksize": 64 * 1024,
                  "spark.hadoop.dfs.client.retry.policy.enabled": "true"}
    started = []

    def start(kind, name):
        process = spark.start_submit(name, "--master", "local[2,4]", PROGRAM, kind, cairn.uri, progress, properties=properties)
        started.append(process)
        return process, progress

    yield start
    for process in started:
        process.stop()


def steps(progress, prefix):
    return sum(name.startswith(prefix) for name in os.listdir(progress))


def result_of(process):
    wait_for(lambda: not process.is_alive(), 240, f"the end of {process.name}")
    assert process.returncode == 0, log_tail(process.log, 80)
    with open(process.log) as file:
        return re.search(r"^SUM (.*)$", file.read(), re.MULTILINE)[1]


def test_a_job_goes_on_when_servers_die(cairn, application):
    job, progress = application("write", "job")

    def reached(tasks):
        wait_for(lambda: job.check_alive() and steps(progress, "task-") >= tasks, 120, f"{tasks} tasks")

    reached(6)
    cairn.kill("datanode-2")
    reached(14)
    cairn.kill("namenode")
    with cairn.start_again("namenode"), cairn.start_again("datanode-2"):
        result, left = result_of(job), cairn.fs("-ls", "-R", "/written", check=True).stdout.decode()
        assert result == str([4000, sum(range(4000)), 4_000_000]), left
        assert "_temporary" not in left and "/_SUCCESS" in left
        cairn.wait_for(lambda: b"is HEALTHY" in cairn.fsck("/written").stdout, 60, "all replicas")


def test_a_killed_stream_starts_again_and_loses_or_doubles_nothing(cairn, application):
    cairn.fs("-mkdir", "/source", check=True)
    files, per_file = 12, 50
    for number in range(files):
        lines = "".join(f"{line}\n" for line in range(number * per_file, (number + 1) * per_file))
        cairn.fs("-put", "-", f"/source/{number:03d}", stdin=lines.encode(), check=True)
    stream, progress = application("stream", "stream")
    wait_for(lambda: stream.check_alive() and steps(progress, "batch-") >= 2, 120, "the first batches")
    stream.kill()
    stream.stop()
    done = cairn.fs("-ls", "/checkpoint/commits", check=True).stdout.decode().count("/checkpoint/commits/")
    assert 0 < done < files, "the stream was to be killed in its middle"
    again, _ = application("stream", "stream-again")
    assert result_of(again) == str([files * per_file, sum(range(files * per_file))])

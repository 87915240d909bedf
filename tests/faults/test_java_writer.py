"""Hadoop's own client writes to our servers while a datanode of its pipeline dies at each stage, or it dies itself. The
long form is tests/soak/test_java_writer_rounds.py."""
import time

import pytest

from faults.java_rounds import Rounds
from lib.cluster import Cluster
from lib.java_writer import JavaWriter
from lib.waiting import wait_for


@pytest.fixture(scope="module")
def rounds(hadoop, tmp_path_factory):
    with Rounds(tmp_path_factory.mktemp("rounds"), JavaWriter) as made:
        yield made


@pytest.mark.parametrize("stage, position", [("setup", 0), ("setup", 2), ("streaming", 1), ("close", 0), ("close", 1)])
def test_a_datanode_of_the_pipeline_is_killed(rounds, stage, position):
    """What was flushed is readable for others all the while: the writer checks that itself."""
    seed = {"setup": 10, "streaming": 20, "close": 30}[stage] + position
    rounds.run(stage, position, mib=64, block_mib=24, flush_mib=5, seed=seed)


@pytest.fixture
def with_dead_writer(hadoop, tmp_path):
    """A cluster with a file whose writer was killed after it had flushed 8 MiB."""
    with Cluster(tmp_path / "cluster", properties={"dfs.heartbeat.interval": 1}) as cluster:
        with JavaWriter(tmp_path, cluster.uri) as writer:
            writer.tell("write", "/left", 64, 32, 4, 1, "-")
            writer.hear("created")
            writer.tell("go")
            writer.hear("flushed")
            writer.hear("flushed")
            writer.kill()
        with JavaWriter(tmp_path, cluster.uri) as other:
            yield cluster, other


def check_content(cluster):
    assert len(cluster.fs("-cat", "/left", check=True).stdout) >= 8 << 20
    assert b"HEALTHY" in cluster.fsck("/left").stdout


def test_another_writer_gets_the_file_of_a_killed_one(with_dead_writer):
    """At once, since the connection of the first is gone; the soft limit is a minute."""
    cluster, other = with_dead_writer
    started = time.monotonic()

    def appended():
        try:
            return other.ask("append", "/left", answer="appended")
        except AssertionError as error:
            if "Recovery" in str(error) or "AlreadyBeingCreated" in str(error):
                return False
            raise

    wait_for(appended, 40, "an append to go through", every_s=0.3)
    assert time.monotonic() - started < 40
    check_content(cluster)


def test_the_lease_of_a_killed_writer_is_recovered_when_asked(with_dead_writer):
    cluster, other = with_dead_writer
    other.ask("recover", "/left", answer="recovering")
    wait_for(lambda: other.ask("closed", "/left", answer="closed")[1] == "true", 40, "the file to be closed")
    check_content(cluster)

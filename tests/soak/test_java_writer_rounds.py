"""The long form of tests/faults/test_java_writer.py: thirty times 1 GiB, and leases that nobody asks for."""
import time

import pytest

from faults.java_rounds import Rounds
from lib.cluster import Cluster
from lib.java_writer import JavaWriter
from lib.waiting import wait_for

ROUNDS = 10  # of each stage


@pytest.fixture(scope="module")
def rounds(hadoop, tmp_path_factory):
    with Rounds(tmp_path_factory.mktemp("rounds"), JavaWriter) as made:
        yield made


@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.parametrize("stage", ["setup", "streaming", "close"])
def test_a_datanode_of_the_pipeline_is_killed(rounds, stage, number):
    seed = 1000 + 100 * ["setup", "streaming", "close"].index(stage) + number
    rounds.run(stage, number % 3, mib=1024, block_mib=128, flush_mib=50, seed=seed)


def test_an_abandoned_file_is_closed_within_a_minute(hadoop, tmp_path):
    with Cluster(tmp_path / "cluster", properties={"dfs.heartbeat.interval": 1}) as cluster:
        with JavaWriter(tmp_path, cluster.uri) as writer:
            writer.tell("write", "/left", 64, 32, 4, 1, "-")
            writer.hear("created")
            writer.tell("go")
            writer.hear("flushed")
            writer.kill()
        killed = time.monotonic()
        with JavaWriter(tmp_path, cluster.uri) as other:
            wait_for(lambda: other.ask("closed", "/left", answer="closed")[1] == "true", 75, "the file to be closed", every_s=0.5)
        # A minute for the lease, and a few seconds for the block's recovery, which goes by heartbeats.
        assert time.monotonic() - killed < 75
        assert len(cluster.fs("-cat", "/left", check=True).stdout) >= 4 << 20

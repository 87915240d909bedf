"""The long form of tests/faults/test_job_chaos.py: a hundred jobs of about a minute, a daemon killed every five seconds."""
import pytest

from faults.job_chaos import ChaosRounds


@pytest.fixture(scope="module")
def rounds(tmp_path_factory):
    with ChaosRounds(tmp_path_factory.mktemp("chaos")) as made:
        yield made


@pytest.mark.parametrize("seed", range(1000, 1100))
def test_job_is_right_whatever_is_killed(rounds, seed):
    assert rounds.run(seed, every_s=5, sleep_s=14)

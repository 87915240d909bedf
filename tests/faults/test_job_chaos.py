"""Daemons are killed at random while jobs run; the long form is in tests/soak."""
import pytest

from faults.job_chaos import ChaosRounds


@pytest.fixture(scope="module")
def rounds(tmp_path_factory):
    with ChaosRounds(tmp_path_factory.mktemp("chaos")) as made:
        yield made


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_job_is_right_whatever_is_killed(rounds, seed):
    assert rounds.run(seed, every_s=3)

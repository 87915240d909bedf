"""The jobs of examples/jobs on a million rows and more. tests/soak has them at all block sizes with all numbers of reduces."""
import pytest

from lib.goldens import LISTEN
from lib.jobs import running
from lib.scenarios import (DIAGONAL, check_listen_top, check_mta_filter, check_mta_hours, check_mta_stats, check_movies_of_year, check_movies_years,
                           check_terasort, check_wdi)

MIB = 1 << 20


def test_mta_filter(running):
    check_mta_filter(running, 1000000, 16 * MIB)


def test_mta_hours(running):
    check_mta_hours(running, 1000000, MIB, 3)


@pytest.mark.parametrize("rows, block, reduces, mode", [(100000, 65536, 16, "partitioned"), (100000, 65536, 3, "global"),
                                                        (1000000, 16 * MIB, 3, "partitioned"), (1000000, MIB, 16, "global")])
def test_mta_stats(running, rows, block, reduces, mode):
    check_mta_stats(running, rows, block, reduces, mode)


@pytest.mark.parametrize("between, block, reduces", zip(LISTEN[100000, 2000000], (MIB, 16 * MIB), (16, 3)))
def test_listen_top(running, between, block, reduces):
    check_listen_top(running, 100000, 2000000, between, block, reduces)


def test_wdi(running):
    check_wdi(running, 266000, 16 * MIB, 3)


@pytest.mark.parametrize("block, reduces", DIAGONAL)
def test_movies_years(running, block, reduces):
    check_movies_years(running, 45466, block, reduces)


def test_movies_of_a_year(running):
    check_movies_of_year(running, 45466, MIB, 2001)


@pytest.mark.parametrize("block, reduces", DIAGONAL)
def test_terasort(running, block, reduces):
    check_terasort(running, 200000, block, reduces)

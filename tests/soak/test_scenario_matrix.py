"""The jobs of examples/jobs on their large data sets: all known results, at all block sizes, with all numbers of reduces; and the
recurring pipeline run a hundred times while its zones are read."""
import os
import tempfile

import pytest

from lib import postgres
from lib.cluster import Cluster
from lib.goldens import LISTEN
from lib.jobs import SMALL_BLOCKS, generate
from lib.scenarios import (BLOCKS, MATRIX, check_five_tables, check_listen_top, check_movies_of_year, check_movies_years, check_mta_filter,
                           check_mta_hours, check_mta_stats, check_pi, check_terasort, check_wdi)
from lib.wdi_pipeline import Pipeline, Source, check_readers_during, zip_of

ROWS = [100000, 1000000]
every_case = pytest.mark.parametrize("block, reduces", MATRIX)
every_block = pytest.mark.parametrize("block", BLOCKS)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    mount = tempfile.mkdtemp(prefix="cairn-mount-")
    with Cluster(tmp_path_factory.mktemp("matrix") / "cluster", mount=mount, properties=SMALL_BLOCKS | {"dfs.replication": 1}) as cluster:
        yield cluster
    os.rmdir(mount)


@pytest.fixture
def running(shared):
    """What a test has written is gone after it; what it has read is kept for the next."""
    yield shared
    shared.fs("-rm", "-r", "-f", "-skipTrash", "/o", "/datalake", check=True)


@every_block
@pytest.mark.parametrize("rows", ROWS)
def test_mta_filter(running, rows, block):
    check_mta_filter(running, rows, block)


@every_case
@pytest.mark.parametrize("rows", ROWS)
def test_mta_hours(running, rows, block, reduces):
    check_mta_hours(running, rows, block, reduces)


@every_case
@pytest.mark.parametrize("mode", ["partitioned", "global"])
@pytest.mark.parametrize("rows", ROWS)
def test_mta_stats(running, rows, mode, block, reduces):
    check_mta_stats(running, rows, block, reduces, mode)


@every_case
@pytest.mark.parametrize("users, plays, between", [(*size, between) for size in LISTEN for between in LISTEN[size]])
def test_listen_top(running, users, plays, between, block, reduces):
    check_listen_top(running, users, plays, between, block, reduces)


@every_case
@pytest.mark.parametrize("rows", [2660, 266000])
def test_wdi(running, rows, block, reduces):
    check_wdi(running, rows, block, reduces)


@every_case
@pytest.mark.parametrize("movies", [10000, 45466])
def test_movies_years(running, movies, block, reduces):
    check_movies_years(running, movies, block, reduces)


@every_block
@pytest.mark.parametrize("year", [1800, 1900, 2001])
def test_movies_of_a_year(running, year, block):
    check_movies_of_year(running, 45466, block, year)


@every_case
def test_terasort(running, block, reduces):
    check_terasort(running, 1000000, block, reduces)


@pytest.mark.parametrize("maps", [1, 3, 16])
def test_pi(running, maps):
    check_pi(running, maps, 20000)


@pytest.mark.skipif(not postgres.is_there(), reason="needs Debian's package postgresql")
def test_five_tables_of_a_million(running):
    with postgres.Postgres() as database:
        check_five_tables(running, database, 1000000, 16 << 20)


def test_readers_of_the_zones_during_a_hundred_runs(running, tmp_path):
    datas = [generate("wdi", 60, 10, f"seed={seed}") for seed in (1, 2)]
    source = Source(zip_of(datas[0]))
    try:
        check_readers_during(Pipeline(running, source, tmp_path), source, datas, runs=100)
    finally:
        source.close()

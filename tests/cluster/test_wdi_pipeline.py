"""A recurring pipeline: what it makes, what it leaves alone when something is wrong, and what readers see meanwhile."""
import os
import tempfile

import pytest

from lib.cluster import Cluster
from lib.goldens import WDI
from lib.jobs import generate
from lib.scenarios import check_refined, check_trusted, csv_rows
from lib.waiting import wait_for
from lib.wdi_pipeline import RAW, REFINED, SIDE_FILES, TRUSTED, Pipeline, Source, check_readers_during, zip_of, zones_of

SMALL = [generate("wdi", 60, 10, f"seed={seed}") for seed in (1, 2)]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    mount = tempfile.mkdtemp(prefix="cairn-mount-")
    with Cluster(tmp_path_factory.mktemp("wdi") / "cluster", mount=mount) as cluster:
        yield cluster
    os.rmdir(mount)


@pytest.fixture
def source():
    served = Source(zip_of(SMALL[0]))
    yield served
    served.close()


@pytest.fixture
def pipeline(running, source, tmp_path):
    yield Pipeline(running, source, tmp_path)
    running.fs("-rm", "-r", "-f", "-skipTrash", "/datalake", check=True)


def check_zones(pipeline, data):
    trusted, refined = zones_of(data)
    assert pipeline.cluster.fs("-cat", f"{TRUSTED}/part-*", check=True).stdout.decode() == trusted
    assert pipeline.cluster.fs("-cat", f"{REFINED}/part-*", check=True).stdout.decode() == refined


def test_three_runs_of_known_results(pipeline, source):
    """An unchanged download makes no new version."""
    source.content = zip_of(generate("wdi", 2660))
    for _ in range(3):
        pipeline.must_run()
    check_trusted(csv_rows(pipeline.cluster, TRUSTED), WDI[2660])
    check_refined(csv_rows(pipeline.cluster, REFINED), WDI[2660])
    (version,) = pipeline.versions()
    assert pipeline.cluster.fs("-cat", f"{RAW}/latest", check=True).stdout.decode() == f"{version}\n"
    names = pipeline.cluster.fs("-ls", "-C", f"{RAW}/{version}", check=True).stdout.decode().splitlines()
    assert sorted(names) == sorted(f"{RAW}/{version}/{name}" for name in ["WDICSV.csv", *SIDE_FILES])
    assert [pipeline.logged().count(word) for word in ("new version", "unchanged", "done")] == [1, 2, 3]


def test_a_new_download_makes_a_new_version(pipeline, source):
    for data in SMALL:
        source.content = zip_of(data)
        pipeline.must_run()
        check_zones(pipeline, data)
    assert len(pipeline.versions()) == 2
    assert pipeline.cluster.fs("-cat", f"{RAW}/latest", check=True).stdout.decode().strip() == max(pipeline.versions())


def test_what_is_broken_leaves_the_zones_as_they_were(pipeline, source):
    pipeline.must_run()
    before = pipeline.listing()
    whole = zip_of(SMALL[1])
    data_at = whole.index(b"WDICSV.csv") + 200
    no_data = zip_of(b"").replace(b"WDICSV.csv", b"Others.csv")
    for what, content, cut in (("is broken|zlib|invalid|Error", whole[:data_at] + bytes(40) + whole[data_at + 40:], None), ("bytes came", whole, len(whole) // 2),
                               ("not a zip", whole[:-100], None), ("no WDICSV.csv", no_data, None), ("404", None, None)):
        source.content, source.cut = content, cut
        status, said = pipeline.run()
        assert status == 1 and any(word in said for word in what.split("|")), said
        assert said.strip() in pipeline.logged()
        assert pipeline.listing() == before
    check_zones(pipeline, SMALL[0])


def test_a_late_run_is_left_out(pipeline, source):
    source.may_answer.clear()
    first = pipeline.start()
    wait_for(source.asked.is_set, 30, "the first run's download")
    pipeline.must_run()
    assert "left out" in pipeline.logged() and pipeline.versions() == []
    source.may_answer.set()
    assert first.wait(120) == 0, first.stdout.read()
    first.stdout.close()
    check_zones(pipeline, SMALL[0])


def test_a_step_does_not_begin_when_the_one_before_failed(pipeline, source, running, tmp_path):
    pipeline.must_run()
    running.fs("-touchz", "/datalake/file", check=True)
    os.mkdir(tmp_path / "other")
    source.content = zip_of(SMALL[1])
    status, said = Pipeline(running, source, tmp_path / "other", trusted="/datalake/file/trusted").run()
    assert status == 1 and "/datalake/file" in said
    check_zones(pipeline, SMALL[0])


def test_readers_never_see_an_empty_missing_or_mixed_zone(pipeline, source):
    check_readers_during(pipeline, source, SMALL, runs=5)

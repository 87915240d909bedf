"""Jobs whose output goes into a table: all rows or none, and once, whatever dies."""
import os
import re
import subprocess

import pytest

from lib import postgres
from lib.cluster import ROOT, Cluster, run_cairn
from lib.scenarios import check_five_tables
from lib.waiting import wait_for

pytestmark = pytest.mark.skipif(not postgres.is_there(), reason="needs Debian's package postgresql")

FILTER = os.path.join(ROOT, "examples", "jobs", "mta-filter", "map.awk")
COLUMNS = ("latitude float8,longitude float8,time_received text,vehicle_id int,distance_along_trip text,inferred_direction_id text,"
           "inferred_phase text,inferred_route_id text,inferred_trip_id text,next_scheduled_stop_distance text,"
           "next_scheduled_stop_id text,report_hour text,report_date text").replace(" ", "%20")


@pytest.fixture(scope="module")
def database():
    with postgres.Postgres() as server:
        yield server


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("sink") / "cluster", properties={"dfs.namenode.fs-limits.min-block-size": 1}) as cluster:
        gen = os.path.join(os.path.dirname(os.environ["CAIRN"]), "examples", "gen")
        data = subprocess.run([gen, "mta", "10000"], check=True, capture_output=True).stdout
        run_cairn("fs", "-fs", cluster.uri, "-D", "dfs.blocksize=262144", "-put", "-", "/mta", stdin=data, check=True)
        yield cluster


def submit(cluster, *args, out, deadline_s=120):
    return run_cairn("streaming", "-fs", cluster.uri, *args, "-output", out, deadline_s=deadline_s)


def mta(cluster, url, *more):
    return submit(cluster, "-files", FILTER, "-mapper", "map.awk", "-numReduceTasks", 0, "-input", "/mta", *more, out=url)


def test_append_twice_doubles_and_replace_does_not(running, database):
    """Counts of the generated data as they are known (scenario: the MTA reports)."""
    url = f"{database.uri}?table=mta_reports&columns={COLUMNS}"
    for times in (1, 2):
        done = mta(running, url)
        assert done.returncode == 0, done.stderr.decode()
        assert database.sql("SELECT count(*) FROM mta_reports") == str(times * 9953)
    assert database.sql("SELECT count(*) FROM mta_reports WHERE report_hour = '2014-08-01 04:00:00'") == str(2 * 1192)
    assert database.sql("SELECT count(*) FROM mta_reports WHERE next_scheduled_stop_distance IS NULL") == str(2 * 10)
    done = mta(running, url + "&mode=replace")
    assert done.returncode == 0, done.stderr.decode()
    assert database.sql("SELECT count(*) FROM mta_reports") == "9953"
    assert database.sql("SELECT count(*) FROM cairn_commits") == "3"
    assert database.sql("SELECT min(rows) FROM cairn_commits") == "9953"
    assert running.fs("-ls", "-R", "/tmp/hadoop-yarn/staging/root/.staging").stdout == b""


def test_five_tables_of_bus_positions(running, database):
    check_five_tables(running, database, 10000, 262144)


def test_nothing_in_a_field_is_special(running, database):
    rows = ['a\\tb', '"quoted"', "it's", "back\\slash", "\\N", "ü→", "a,b;c", ""]
    data = "".join(f"{number}\t{row}\n" for number, row in enumerate(rows)).encode()
    run_cairn("fs", "-fs", running.uri, "-put", "-", "/odd", stdin=data, check=True)
    done = submit(running, "-mapper", "cat", "-numReduceTasks", 0, "-input", "/odd", out=f"{database.uri}?table=public.odd&columns=n%20int,t%20text")
    assert done.returncode == 0, done.stderr.decode()
    for number, row in enumerate(rows):
        assert database.sql(f"SELECT coalesce(t, 'null') FROM odd WHERE n = {number}") == (row or "null")


@pytest.mark.parametrize("url, words", [
    ("?mode=append", "table=NAME is missing"),
    ("?table=x&mode=upsert", "append or replace"),
    ("?table=no_such_table", "no_such_table"),
    ("?table=x&delimiter=ab&columns=a%20int", "one character"),
])
def test_wrong_urls_are_refused_before_anything_runs(running, database, url, words):
    done = submit(running, "-mapper", "cat", "-input", "/mta", out=database.uri + url)
    assert done.returncode != 0 and words in done.stderr.decode(), done.stderr.decode()
    assert b"Running job" not in done.stderr


def test_no_database_is_told(running):
    done = submit(running, "-mapper", "cat", "-input", "/mta", out="postgresql://postgres@127.0.0.1:1/x?table=t")
    assert done.returncode != 0 and b"PostgreSQL, connecting" in done.stderr


def test_rows_that_do_not_fit_leave_the_table_as_it_was(running, database):
    database.sql("CREATE TABLE strict (n int); INSERT INTO strict VALUES (1)")
    run_cairn("fs", "-fs", running.uri, "-put", "-", "/numbers", stdin=b"2\n3\nnot a number\n", check=True)
    done = submit(running, "-mapper", "cat", "-numReduceTasks", 0, "-input", "/numbers", out=f"{database.uri}?table=strict&mode=replace")
    assert done.returncode == 1 and b"invalid input syntax" in done.stderr, done.stderr.decode()
    assert database.sql("SELECT sum(n), count(*) FROM strict") == "1|1"
    killed = submit(running, "-mapper", "sh -c 'cat; exit 1'", "-D", "mapreduce.map.maxattempts=1", "-input", "/numbers", out=f"{database.uri}?table=strict")
    assert killed.returncode == 1
    assert database.sql("SELECT count(*) FROM strict") == "1"


def test_scheduler_killed_while_rows_are_sent(running, database):
    """At moments around the commit: in the end the rows are there once."""
    database.sql("CREATE TABLE once (n int, t text)")
    data = b"".join(b"%d\t%s\n" % (i, b"x" * 50) for i in range(40000))
    run_cairn("fs", "-fs", running.uri, "-put", "-", "/once", stdin=data, check=True)
    for round in range(1, 6):
        done = submit(running, "-mapper", "cat", "-numReduceTasks", 0, "-input", "/once", "-background", out=f"{database.uri}?table=once")
        assert done.returncode == 0, done.stderr.decode()
        name = re.search(r"job_\d+_\d+", done.stderr.decode()).group(0)
        if round > 1:
            wait_for(lambda: database.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'cairn'") != "0"
                     or database.sql(f"SELECT count(*) FROM cairn_commits WHERE job = '{name}'") == "1", 30, "the commit", every_s=0.001 * round)
        running.kill("scheduler")
        running.start_again("scheduler")
        wait_for(lambda: b"SUCCEEDED" in run_cairn("job", "-fs", running.uri, "-status", name).stdout, 60, "the job's end")
        assert database.sql("SELECT count(*) FROM once") == str(round * 40000)

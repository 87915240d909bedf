"""Streaming jobs on a whole cluster: results against separate computations, Hadoop's contract, failures and ends."""
import collections
import glob
import gzip
import hashlib
import json
import os
import re
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request

import pytest

from lib.cluster import ROOT, Cluster, cairn_path, client_env, run_cairn
from lib.postgres import free_port
from lib.waiting import wait_for

JOBS = os.path.join(ROOT, "examples", "jobs")
GEN = os.path.join(os.path.dirname(cairn_path()), "examples", "gen")


SMALL_BLOCKS = {"dfs.namenode.fs-limits.min-block-size": 1}


def generate(*args):
    return subprocess.run([GEN, *map(str, args)], check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """One cluster for the tests that break nothing."""
    with Cluster(tmp_path_factory.mktemp("jobs") / "cluster", properties=SMALL_BLOCKS) as cluster:
        yield cluster


def put(cluster, path, data, block_bytes=None):
    cluster.fs("-mkdir", "-p", os.path.dirname(path), check=True)
    blocks = ["-D", f"dfs.blocksize={block_bytes}"] if block_bytes else []
    bytes_per_checksum = ["-D", f"dfs.bytes-per-checksum={min(block_bytes, 512)}"] if block_bytes else []
    run_cairn("fs", "-fs", cluster.uri, *blocks, *bytes_per_checksum, "-put", "-f", "-", path, stdin=data, check=True)


def submit(cluster, *args, out, deadline_s=120, cwd=None, env=None):
    return run_cairn("streaming", "-fs", cluster.uri, *args, "-output", out, deadline_s=deadline_s, cwd=cwd, env=env)


def run(cluster, *args, out, **options):
    """A job that must succeed; what it printed."""
    done = submit(cluster, *args, out=out, **options)
    text = done.stderr.decode(errors="replace")
    assert done.returncode == 0, text
    return text


def output(cluster, path):
    return cluster.fs("-cat", f"{path}/part-*", check=True).stdout


def counter(text, name):
    found = re.search(rf"\t\t{re.escape(name)}=(-?\d+)\n", text)
    return int(found.group(1)) if found else 0


def job_id(text):
    return re.search(r"job_\d+_\d+", text).group(0)


def job(cluster, *args, **options):
    return run_cairn("job", "-fs", cluster.uri, *args, **options)


# ---- results ----

WORDS = b"".join(b"w%d common w%d\n" % (i % 97, i % 11) for i in range(20000))


def word_counts(data):
    return collections.Counter(data.decode().split())


def check_words(cluster, out, want):
    got = dict(line.split("\t") for line in output(cluster, out).decode().splitlines())
    assert {word: int(count) for word, count in got.items()} == dict(want)


WORDCOUNT = ["-files", f"{JOBS}/wordcount/map.awk,{JOBS}/wordcount/reduce.awk", "-mapper", "map.awk", "-reducer", "reduce.awk"]


def test_word_count_with_a_combiner_and_several_reduces(running):
    put(running, "/words/a", WORDS, 65536)
    text = run(running, *WORDCOUNT, "-combiner", "reduce.awk", "-numReduceTasks", 3, "-input", "/words", out="/o/words")
    check_words(running, "/o/words", word_counts(WORDS))
    assert counter(text, "Launched map tasks") == counter(text, "Data-local map tasks") == -(-len(WORDS) // 65536)
    assert counter(text, "Map input records") == 20000
    assert counter(text, "Map output records") == counter(text, "Combine input records") == 60000
    assert counter(text, "Reduce output records") == len(word_counts(WORDS))
    assert " map 100% reduce 100%" in text
    names = running.fs("-ls", "-C", "/o/words", check=True).stdout.decode().split()
    assert names == ["/o/words/_SUCCESS", "/o/words/part-00000", "/o/words/part-00001", "/o/words/part-00002"]
    assert running.fs("-ls", "/tmp/hadoop-yarn/staging/*/.staging/*").returncode == 1, "the staging folder stays"


def test_small_sort_buffer_spills_and_merges_to_the_same_result(running):
    put(running, "/spill/a", generate("mta", 30000))
    want = collections.Counter(line.rstrip("\r") for line in generate("mta", 30000).decode().split("\n")[:-1])
    text = run(running, "-D", "mapreduce.task.io.sort.mb=1", "-D", "mapreduce.task.io.sort.factor=2", "-mapper", "cat", "-reducer", "cat",
               "-D", "stream.num.map.output.key.fields=20", "-numReduceTasks", 2, "-input", "/spill/a", out="/o/spill")
    got = collections.Counter(line.rstrip("\t") for line in output(running, "/o/spill").decode().split("\n")[:-1])
    assert got == want
    assert counter(text, "Spilled Records") > 30000
    for part in (0, 1):
        lines = running.fs("-cat", f"/o/spill/part-0000{part}", check=True).stdout.split(b"\n")[:-1]
        assert [line.rstrip(b"\t") for line in lines] == sorted(line.rstrip(b"\t") for line in lines)


def test_record_larger_than_the_sort_buffer(running):
    data = b"small\t1\n" + b"k" * 10 + b"\t" + b"v" * (3 << 20) + b"\nother\t2\n"
    put(running, "/large/a", data)
    run(running, "-D", "mapreduce.task.io.sort.mb=1", "-mapper", "cat", "-reducer", "cat", "-combiner", "cat", "-input", "/large/a", out="/o/large")
    assert sorted(output(running, "/o/large").split(b"\n")) == sorted(data.split(b"\n"))


def test_paths_with_the_file_systems_name(running):
    put(running, "/uri/a", b"a\n")
    run(running, "-mapper", "cat", "-numReduceTasks", 0, "-input", running.uri.replace("127.0.0.1", "localhost") + "/uri/a", out=running.uri + "/o/uri")
    assert output(running, "/o/uri") == b"a\n"
    run(running, "-mapper", "cat", "-numReduceTasks", 0, "-input", "hdfs:///uri/a", out="hdfs:///o/uri-default")
    assert output(running, "/o/uri-default") == b"a\n"
    done = submit(running, "-mapper", "cat", "-input", "hdfs://127.0.0.1:1/uri/a", out="/o/uri2")
    assert done.returncode == 1 and b"another file system" in done.stderr


MTA_EDGES = [  # line, kept
    ("90\t1\t2014-08-01 04:00:00\t1\t1\t0\tP\tMTA B1\tT\t1\tS", True),
    ("-90\t1\t2014-08-01 04:00:00\t1\t1\t0\tP\tMTA B1\tT\t1\tS", True),
    ("1\t180\t2014-08-01 04:00:00\t1\t1\t0\tP\tMTA B1\tT\t1\tS\r", True),
    ("1\t-180\t2014-08-01 05:00:00\t1\t1\t0\tP\tMTA ü→B1\tT\t1\tS", True),
    ("90.000001\t1\t2014-08-01 04:00:00\t1\t1\t0\tP\tMTA B1\tT\t1\tS", False),
    ("0\t-73.9\t2014-08-01 04:00:00\t1\t1\t0\tP\tMTA B1\tT\t1\tS", True),
    ("40.6\t0\t2014-08-01 04:00:00\t1\t1\t0\tP\tMTA B1\tT\t1\tS", True),
    ("0.000000\t0.000000\t2014-08-01 04:00:00\t1\t1\t0\tP\tMTA B1\tT\t1\tS", False),
    ("0\t0\t2014-08-01 04:00:00\t1\t1\t0\tP\tMTA B1\tT\t1\tS", False),
    ("-0.0\t0\t2014-08-01 04:00:00\t1\t1\t0\tP\tMTA B1\tT\t1\tS", False),
    ("NULL\t1\t2014-08-01 04:00:00\t1\t1\t0\tP\tMTA B1\tT\t1\tS", False),
    ("\t1\t2014-08-01 04:00:00\t1\t1\t0\tP\tMTA B1\tT\t1\tS", False),
    ("abc\t1\t2014-08-01 04:00:00\t1\t1\t0\tP\tMTA B1\tT\t1\tS", False),
    ("40\t-73\t2014-08-01 06:00:00\t7", True),
    ("40\t-73\t2014-08-01 06:00:00\t1\t1\t0\tP\tMTA B1\tT\t1\tS\textra", True),
    ("", False),
    ("40\t-73\t2014-08-01 06:00:00\t1\t1\t0\tP\t" + "long " * 600 + "\tT\t1\tS", True),
    ("40\t-73\t2014-08-01 07:00:00\t1\t1\t0\tP\tMTA B1\tT\t1\tlast", True),
]
MTA_HEADER = "\t".join(["latitude", "longitude", "time_received", "vehicle_id"] + ["x"] * 7)


@pytest.mark.parametrize("block_bytes, split_bytes", [(64, None), (512, None), (1024, None), (1 << 20, None), (1 << 20, 100), (1 << 20, 33)])
def test_mta_filter_edges_at_every_block_size(running, block_bytes, split_bytes):
    data = "\n".join([MTA_HEADER] + [line for line, _ in MTA_EDGES]).encode()  # no end of line at the end
    put(running, "/edges/mta", data, block_bytes)
    limit = ["-D", f"mapreduce.input.fileinputformat.split.maxsize={split_bytes}"] if split_bytes else []
    out = f"/o/edges-{block_bytes}-{split_bytes}"
    text = run(running, *limit, "-files", f"{JOBS}/mta-filter/map.awk", "-mapper", "map.awk", "-numReduceTasks", 0, "-input", "/edges/mta", out=out)
    want = []
    for line, kept in MTA_EDGES:
        if kept:
            fields = (line.rstrip("\r").split("\t") + [""] * 7)[:11]
            want.append("\t".join(fields + [fields[2][:13] + ":00:00", fields[2][:10]]))
    assert output(running, out).decode().split("\n")[:-1] == want
    assert counter(text, "records_bad{coordinate}") == sum(not kept and line != "" for line, kept in MTA_EDGES)
    assert counter(text, "records_out") == len(want)
    assert counter(text, "records_long") == 1


def test_mta_of_the_generator_gives_the_known_counts(running):
    data = generate("mta", 100000)
    assert hashlib.sha256(data).hexdigest().startswith("5690356b0dd2d622")
    put(running, "/mta/100k", data, 1 << 20)
    run(running, "-files", f"{JOBS}/mta-filter/map.awk", "-mapper", "map.awk", "-reducer", "NONE", "-input", "/mta/100k", out="/o/filter")
    rows = output(running, "/o/filter").decode().split("\n")[:-1]
    assert len(rows) == 99493
    assert all(row.count("\t") == 12 for row in rows)
    run(running, "-files", f"{JOBS}/mta-hours/map.awk,{JOBS}/mta-hours/reduce.awk", "-mapper", "map.awk", "-combiner", "reduce.awk",
        "-reducer", "reduce.awk", "-input", "/mta/100k", out="/o/hours")
    hours = dict(line.split("\t") for line in output(running, "/o/hours").decode().splitlines())
    assert len(hours) == 9 and hours["2014-08-01 04:00:00"] == "11946"
    assert sum(map(int, hours.values())) == 99493


LISTEN = ["-files", f"{JOBS}/listen-top/map.py,{JOBS}/listen-top/reduce.py", "-reducer", "reduce.py",
          "-D", "stream.num.map.output.key.fields=4", "-D", "num.key.fields.for.partition=1",
          "-partitioner", "org.apache.hadoop.mapred.lib.KeyFieldBasedPartitioner"]


def listen_rows(cluster, out):
    rows = [line.split(";") for line in output(cluster, out).decode().splitlines() if not line.startswith("userId")]
    return sorted(rows, key=lambda r: (*map(int, r[:4]), *r[4:]))


def test_listen_top_check_values(running):
    put(running, "/listen/log1", b"userId;region;type;paid\n4052;1;2;false\n12832;0;1;true\n27103;0;0;true\n36462;1;0;true\n74637;1;1;true\n")
    log2 = b"hour;userId;songId;genderId;deviceId\n" + b"".join(
        b"18-10-2017 00:00:%02d;%s;1_1\n" % (i, row) for i, row in enumerate([
            b"27103;231990117;23", b"4052;231990117;22", b"4052;231990118;27", b"27103;231990118;16", b"12832;231990117;15",
            b"36462;231990119;28", b"74637;231990117;1", b"55466;231990117;1", b"74637;231990118;2"]))
    put(running, "/listen/log2", log2)
    run(running, *LISTEN, "-mapper", "map.py 1 49999", "-input", "/listen/log1", "-input", "/listen/log2", out="/o/listen")
    assert [";".join(row) for row in listen_rows(running, "/o/listen")] == [
        "4052;22;1;2;1;2;false", "12832;15;1;1;0;1;true", "27103;16;1;2;0;0;true", "36462;28;1;1;1;0;true"]
    assert output(running, "/o/listen").startswith(b"userId;topGenderId;topGenderIdSongs;distSongIds;region;type;paid\n")


@pytest.mark.parametrize("low, high, reduces, rows, digest", [(1, 49999, 1, 4879, "a30eca6d996dc0b7"), (1, 49999, 5, 4879, "a30eca6d996dc0b7"),
                                                              (1000, 8000, 3, 3500, "cae8f724ea963ed6")])
def test_listen_top_of_the_generator(running, low, high, reduces, rows, digest):
    if running.fs("-test", "-e", "/listen5000/log2").returncode:
        put(running, "/listen5000/log1", generate("listen1", 5000))
        put(running, "/listen5000/log2", generate("listen2", 200000, 5000), 1 << 20)
    out = f"/o/listen-{low}-{reduces}"
    run(running, *LISTEN, "-mapper", f"map.py {low} {high}", "-numReduceTasks", reduces, "-input", "/listen5000/log1,/listen5000/log2", out=out)
    got = listen_rows(running, out)
    assert len(got) == rows
    assert hashlib.sha256("".join(";".join(row) + "\n" for row in got).encode()).hexdigest().startswith(digest)


def test_generators_give_the_known_bytes():
    for args, size, digest in [
        (("mta", 1000), 139814, "3fc1d43328f6174a"), (("mta", 10000), 1398924, "3b0580f722827e31"),
        (("listen1", 5000), 72497, "8b1a10c999c1a839"), (("listen2", 200000, 5000), 8842321, "37c01e6b706aea07"),
        (("wdi", 2660), 1212365, "ef2e18745b1d849f"), (("movies", 10000), 1976519, "681cf8e99a7201af"),
    ]:
        data = generate(*args)
        assert (len(data), hashlib.sha256(data).hexdigest()[:16]) == (size, digest), args


# ---- Hadoop's contract ----

def test_environment_of_the_commands(running, tmp_path):
    put(running, "/env/in", b"a\nb\n")
    (tmp_path / "env.sh").write_text("#!/bin/sh\ncat >/dev/null\nenv\npwd | sed 's/^/CWD=/'\n")
    (tmp_path / "env.sh").chmod(0o755)
    text = run(running, "-mapper", "./env.sh", "-numReduceTasks", 0, "-input", "/env/in", "-cmdenv", "GREETING=hello world", "-D", "my.own-key=v1",
               "-D", "mapreduce.job.name=a name", out="/o/env", cwd=tmp_path)
    env = dict(line.split("=", 1) for line in output(running, "/o/env").decode().splitlines() if "=" in line)
    job_name = job_id(text)
    assert env["GREETING"] == "hello world" and env["my_own_key"] == "v1"
    assert env["mapreduce_job_id"] == env["mapred_job_id"] == job_name
    assert env["mapreduce_job_name"] == "a name"
    attempt = env["mapreduce_task_attempt_id"]
    assert attempt == env["mapred_task_id"] == job_name.replace("job", "attempt") + "_m_000000_0"
    assert env["mapreduce_task_id"] == job_name.replace("job", "task") + "_m_000000"
    assert env["mapreduce_map_input_file"] == env["map_input_file"] == f"{running.uri}/env/in"
    assert (env["mapreduce_map_input_start"], env["map_input_length"]) == ("0", "4")
    assert (env["mapreduce_task_partition"], env["mapreduce_task_ismap"], env["mapred_reduce_tasks"]) == ("0", "true", "0")
    assert env["mapreduce_task_output_dir"] == f"{running.uri}/o/env/_temporary/0/{attempt}"
    assert attempt in env["CWD"]


def test_commands_inherit_nothing_of_the_daemons(running):
    put(running, "/bare/in", b"x\n")
    script = "cat >/dev/null; for f in /proc/self/fd/*; do readlink $f; done; grep SigIgn /proc/self/status"
    run(running, "-input", "/bare/in", "-mapper", f"sh -c '{script}'", "-reducer", "NONE", out="/bare/out")
    lines = output(running, "/bare/out").decode().split("\n")
    assert not [line for line in lines if ".log" in line]
    ignored = int(next(line for line in lines if line.startswith("SigIgn:")).split()[1], 16)
    assert not ignored & (1 << (signal.SIGINT - 1) | 1 << (signal.SIGPIPE - 1))


def test_reporter_lines_and_logs(running):
    put(running, "/rep/in", b"a\nb\n")
    script = "cat; echo reporter:counter:mine,seen,41 >&2; echo reporter:counter:mine,seen,1 >&2; echo reporter:status:all is well >&2; echo a plain line >&2"
    text = run(running, "-mapper", f"sh -c '{script}'", "-numReduceTasks", 0, "-input", "/rep/in", out="/o/rep")
    assert counter(text, "seen") == 42
    name = job_id(text)
    log = job(running, "-logs", name, check=True).stdout.decode()
    assert "a plain line" in log and "reporter:" not in log
    one = job(running, "-logs", name.replace("job", "attempt") + "_m_000000_0", check=True).stdout.decode()
    assert one == "a plain line\n"
    assert "all is well" in running.http_get(f"/jobs/{name}", running.scheduler_http).decode()


def test_job_commands(running):
    put(running, "/cmd/in", b"a\n")
    name = job_id(run(running, "-mapper", "cat", "-input", "/cmd/in", out="/o/cmd"))
    assert f"Job State: SUCCEEDED" in job(running, "-status", name, check=True).stdout.decode()
    assert "Map input records\t1\n" in job(running, "-counters", name, check=True).stdout.decode()
    assert name in job(running, "-list", "all", check=True).stdout.decode()
    assert name not in job(running, "-list", check=True).stdout.decode()
    history = job(running, "-history", name, check=True).stdout.decode()
    assert name.replace("job", "attempt") + "_m_000000_0\tSUCCEEDED" in history and "node-local" in history
    assert job(running, "-wait", name).returncode == 0
    assert b"is over already" in job(running, "-kill", name, check=True).stdout
    missing = job(running, "-status", "job_1_0001")
    assert missing.returncode == 1 and b"job_1_0001" in missing.stderr
    assert job(running, "-nonsense").returncode == 255
    listed = json.loads(running.http_get("/v1/jobs", running.scheduler_http))
    assert any(entry["id"] == name and entry["state"] == "SUCCEEDED" for entry in listed)
    shown = json.loads(running.http_get(f"/v1/jobs/{name}", running.scheduler_http))
    assert shown["attempts"][0]["locality"] == "node-local"
    assert b"cairn_scheduler_workers_live 3" in running.http_get("/metrics", running.scheduler_http)
    json.loads(running.http_get("/jmx", running.scheduler_http))


def test_input_formats(running):
    put(running, "/fmt/in", b"k1\tv1\nk2\nk3\tv3\tw\n")
    run(running, "-inputformat", "KeyValueTextInputFormat", "-mapper", "cat", "-numReduceTasks", 0, "-input", "/fmt/in", out="/o/kv")
    assert output(running, "/o/kv") == b"k1\tv1\nk2\t\nk3\tv3\tw\n"
    text = run(running, "-inputformat", "org.apache.hadoop.mapred.lib.NLineInputFormat", "-D", "mapreduce.input.lineinputformat.linespermap=2",
               "-mapper", "cat", "-numReduceTasks", 0, "-input", "/fmt/in", out="/o/nline")
    assert output(running, "/o/nline") == b"0\tk1\tv1\n6\tk2\n9\tk3\tv3\tw\n"
    assert counter(text, "Launched map tasks") == 2
    run(running, "-D", "stream.map.input.ignoreKey=true", "-inputformat", "NLineInputFormat", "-mapper", "cat", "-numReduceTasks", 0,
        "-input", "/fmt/in", out="/o/nline2")
    assert output(running, "/o/nline2") == b"k1\tv1\nk2\nk3\tv3\tw\n"


def test_inputs_globs_folders_gzip_empty_and_hidden(running):
    put(running, "/many/a1", b"a1\n")
    put(running, "/many/a2", b"a2")
    put(running, "/many/b.gz", gzip.compress(b"b\n" * 3))
    put(running, "/many/empty", b"")
    put(running, "/many/_hidden", b"no\n")
    put(running, "/many/.hidden", b"no\n")
    run(running, "-mapper", "cat", "-reducer", "cat", "-input", "/many", out="/o/many")
    assert output(running, "/o/many") == b"a1\t\na2\t\nb\t\nb\t\nb\t\n"
    run(running, "-mapper", "cat", "-numReduceTasks", 0, "-lazyOutput", "-input", "/many/a?,/many/{empty,b.gz}", out="/o/glob")
    assert sorted(output(running, "/o/glob").split()) == [b"a1", b"a2", b"b", b"b", b"b"]
    assert len(running.fs("-ls", "-C", "/o/glob", check=True).stdout.split()) == 4  # the empty map wrote no part file
    put(running, "/many/sub/c", b"c\n")
    refused = submit(running, "-mapper", "cat", "-input", "/many", out="/o/sub")
    assert refused.returncode == 5 and b"Not a file: " in refused.stderr
    run(running, "-D", "mapreduce.input.fileinputformat.input.dir.recursive=true", "-mapper", "cat", "-input", "/many", out="/o/sub")
    assert b"c\t\n" in output(running, "/o/sub")


def test_identity_map_only_keeps_lines_as_they_are(running):
    data = b"with\ttab\nwithout\n\nlast without end"
    put(running, "/same/in", data)
    run(running, "-mapper", "cat", "-numReduceTasks", 0, "-input", "/same/in", out="/o/same")
    assert output(running, "/o/same") == data + b"\n"


def test_mapper_that_reads_only_a_part_of_its_input(running):
    put(running, "/head/in", WORDS * 20)
    run(running, "-mapper", "head -n 3", "-numReduceTasks", 0, "-input", "/head/in", out="/o/head")
    assert output(running, "/o/head").count(b"\n") == 3


def one_replica_job(cluster):
    """(maps, local maps) of a job whose blocks have one replica each."""
    run_cairn("fs", "-fs", cluster.uri, "-D", "dfs.replication=1", "-D", "dfs.blocksize=32768", "-put", "-f", "-", "/local",
              stdin=WORDS * 2, check=True)
    text = run(cluster, "-mapper", "cat", "-numReduceTasks", 0, "-input", "/local", out="/o-local")
    assert counter(text, "maps_local") + counter(text, "maps_remote") == counter(text, "Launched map tasks") > 10
    return text


def test_maps_run_where_their_block_is(running):
    text = one_replica_job(running)
    assert counter(text, "maps_local") >= 0.9 * counter(text, "Launched map tasks")
    assert counter(text, "bytes_local") >= 0.9 * (counter(text, "bytes_local") + counter(text, "bytes_remote"))


def test_locality_is_a_measurement(tmp_path):
    """Switched off, maps run anywhere, and the counters say so."""
    with Cluster(tmp_path / "cluster", properties=SMALL_BLOCKS | {"cairn.scheduler.locality": "false"}) as cluster:
        text = one_replica_job(cluster)
        assert counter(text, "maps_local") <= 0.7 * counter(text, "Launched map tasks")
        assert counter(text, "bytes_remote") > 0


# ---- wrong input, failures ----

def test_output_that_exists_and_input_that_does_not(running):
    put(running, "/wrong/in", b"a\n")
    done = submit(running, "-mapper", "cat", "-input", "/wrong/in", out="/wrong")
    assert done.returncode == 4 and f"Output directory {running.uri}/wrong already exists" in done.stderr.decode()
    done = submit(running, "-mapper", "cat", "-input", "/not/there", out="/o/none")
    assert done.returncode == 5 and f"Input path does not exist: {running.uri}/not/there" in done.stderr.decode()
    done = submit(running, "-mapper", "cat", "-input", "/not/*", out="/o/none")
    assert done.returncode == 5 and f"Input Pattern {running.uri}/not/* matches 0 files" in done.stderr.decode()
    assert running.fs("-test", "-e", "/o/none").returncode == 1


@pytest.mark.parametrize("args, words", [
    (["-mapper", "cat", "-inputformat", "my.InputFormat"], "my.InputFormat"),
    (["-mapper", "cat", "-outputformat", "my.OutputFormat"], "my.OutputFormat"),
    (["-mapper", "cat", "-partitioner", "my.Own"], "my.Own"),
    (["-mapper", "org.apache.hadoop.mapred.lib.TokenCountMapper"], "TokenCountMapper"),
    (["-mapper", "cat", "-file", "/no/such/file"], "/no/such/file"),
    (["-mapper", "sh -c 'open"], "not closed"),
    (["-mapper", "cat", "-numReduceTasks", "many"], "many"),
    (["-mapper", "cat", "-nonsense", "x"], "-nonsense"),
    (["-mapper", "cat", "operand"], "operand"),
    (["-mapper"], "mapper"),
    ([], "-mapper"),
])
def test_wrong_arguments_name_the_thing(running, args, words):
    put(running, "/wrong/in", b"a\n")
    done = run_cairn("streaming", "-fs", running.uri, "-input", "/wrong/in", "-output", "/o/args", *args)
    assert done.returncode == 1, done.stderr
    assert words in done.stderr.decode() and "Streaming Command Failed!" in done.stderr.decode()
    assert running.fs("-test", "-e", "/o/args").returncode == 1


@pytest.mark.parametrize("setting", ["mapreduce.job.priority=URGENT", "mapreduce.map.memory.mb=much", "cairn.task.max-seconds=-1"])
def test_wrong_settings_name_the_thing(running, setting):
    put(running, "/wrong/in", b"a\n")
    done = submit(running, "-D", setting, "-mapper", "cat", "-input", "/wrong/in", out="/o/settings")
    assert done.returncode != 0 and setting.split("=")[0] in done.stderr.decode(), done.stderr
    assert running.fs("-test", "-e", "/o/settings").returncode == 1


@pytest.mark.parametrize("mapper, words", [
    ("no-such-program", ["no-such-program"]),
    ("sh -c 'echo it is broken >&2; exit 3'", ["it is broken", "exit status 3"]),
    ("sh -c 'kill -9 $$'", ["signal 9"]),
])
def test_failing_mapper_says_where_and_why(running, mapper, words):
    put(running, "/fail/in", b"a\nb\n")
    done = submit(running, "-mapper", mapper, "-input", "/fail/in", out="/o/fail")
    text = done.stderr.decode()
    assert done.returncode == 1, text
    for word in words + ["127.0.0.", "attempt_", "failed 4 times"]:
        assert word in text
    assert running.fs("-test", "-e", "/o/fail").returncode == 1, "a failed job leaves its output folder"
    workers = {entry["worker"] for entry in json.loads(running.http_get(f"/v1/jobs/{job_id(text)}", running.scheduler_http))["attempts"]}
    assert len(workers) == 3, "an attempt is tried again elsewhere"


def test_attempt_that_fails_once_is_tried_again(running):
    put(running, "/once/in", b"a\nb\n")
    script = 'case $mapreduce_task_attempt_id in *_0) exit 1;; esac; cat'
    text = run(running, "-mapper", f"sh -c '{script}'", "-reducer", f"sh -c '{script}'", "-input", "/once/in", out="/o/once")
    assert output(running, "/o/once") == b"a\t\nb\t\n"
    assert counter(text, "Failed map tasks") == 1 and counter(text, "Failed reduce tasks") == 1
    assert counter(text, "Reduce input records") == 2


def test_hanging_mapper_is_killed_after_its_timeout(running):
    put(running, "/hang/in", b"a\n")
    done = submit(running, "-D", "mapreduce.task.timeout=1500", "-D", "mapreduce.map.maxattempts=1", "-mapper", "sleep 1000", "-input", "/hang/in",
                  out="/o/hang")
    assert done.returncode == 1 and b"did not report progress" in done.stderr


def start(cluster, *args, out):
    """A job in the background; its id once it runs."""
    text = run(cluster, "-background", *args, out=out)
    return job_id(text)


def state(cluster, name):
    return re.search(r"Job State: (\w+)", job(cluster, "-status", name, check=True).stdout.decode()).group(1)


def running_maps(cluster, name):
    shown = json.loads(cluster.http_get(f"/v1/jobs/{name}", cluster.scheduler_http))
    return [entry for entry in shown["attempts"] if entry["state"] == "RUNNING"]


def test_killed_job_leaves_nothing(running):
    put(running, "/kill/in", b"a\n")
    marker = f"cairn-test-{os.getpid()}"
    name = start(running, "-mapper", f"sh -c 'sleep 1000; echo {marker}'", "-input", "/kill/in", out="/o/kill")
    wait_for(lambda: running_maps(running, name), 20, "a running map")
    assert b"Killed job" in job(running, "-kill", name, check=True).stdout
    assert state(running, name) == "KILLED"
    assert job(running, "-wait", name).returncode == 1
    wait_for(lambda: running.fs("-test", "-e", "/o/kill").returncode == 1, 10, "end of the output folder")
    wait_for(lambda: marker not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout, 10, "end of the mapper")


def test_interrupt_leaves_the_job_running(running):
    put(running, "/int/in", b"a\n")
    process = subprocess.Popen([cairn_path(), "streaming", "-fs", running.uri, "-mapper", "sh -c 'sleep 2; cat'", "-input", "/int/in", "-output", "/o/int"],
                               stderr=subprocess.PIPE, env=client_env())
    seen = b""
    while b"Running job" not in seen:
        seen += process.stderr.readline()
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(10) == 130 and b"goes on running" in rest
    assert job(running, "-wait", job_id(seen.decode())).returncode == 0
    assert output(running, "/o/int") == b"a\t\n"


# ---- faults ----

SLOW = "sh -c 'sleep 1; cat'"


def test_worker_killed_in_mid_job(tmp_path):
    with Cluster(tmp_path / "cluster", properties=SMALL_BLOCKS | {"cairn.scheduler.worker-timeout": 3}) as cluster:
        put(cluster, "/in", WORDS, 65536)
        name = start(cluster, "-D", "mapreduce.reduce.shuffle.parallelcopies=2", "-files", f"{JOBS}/wordcount/map.awk,{JOBS}/wordcount/reduce.awk",
                     "-mapper", "sh -c 'sleep 1; exec ./map.awk'", "-reducer", "reduce.awk", "-numReduceTasks", 2, "-input", "/in", out="/out")
        wait_for(lambda: len(running_maps(cluster, name)) >= 3, 20, "running maps")
        victim = running_maps(cluster, name)[0]["worker"]
        cluster.kill(next(d["name"] for d in cluster.daemons_named("worker") if d["address"].startswith(victim + ":")))
        done = job(cluster, "-wait", name, deadline_s=90)
        assert done.returncode == 0, done.stdout + done.stderr
        check_words(cluster, "/out", word_counts(WORDS))


def test_scheduler_killed_and_its_jobs_go_on(tmp_path):
    """What ran, runs on; what had ended is not run again; the job's result is the same."""
    with Cluster(tmp_path / "cluster", properties=SMALL_BLOCKS) as cluster:
        put(cluster, "/in", WORDS, 65536)
        finished = job_id(run(cluster, "-mapper", "cat", "-input", "/in", out="/done"))
        name = start(cluster, "-files", f"{JOBS}/wordcount/map.awk,{JOBS}/wordcount/reduce.awk", "-mapper", "sh -c 'sleep 2; exec ./map.awk'",
                     "-reducer", "sh -c 'sleep 2; exec ./reduce.awk'", "-numReduceTasks", 2, "-input", "/in", out="/out")
        wait_for(lambda: len(running_maps(cluster, name)) >= 3, 20, "running maps")
        cluster.kill("scheduler")
        again = cluster.start_again("scheduler")
        try:
            done = job(cluster, "-wait", name, deadline_s=90)
            assert done.returncode == 0, done.stdout + done.stderr
            check_words(cluster, "/out", word_counts(WORDS))
            attempts = json.loads(cluster.http_get(f"/v1/jobs/{name}", cluster.scheduler_http))["attempts"]
            assert len(attempts) == -(-len(WORDS) // 65536) + 2, "nothing ran twice"
            assert state(cluster, finished) == "SUCCEEDED"
        finally:
            again.stop()


def test_worker_restarted_keeps_its_map_output(tmp_path):
    with Cluster(tmp_path / "cluster", properties=SMALL_BLOCKS) as cluster:
        put(cluster, "/in", WORDS, 65536)
        name = start(cluster, "-files", f"{JOBS}/wordcount/map.awk,{JOBS}/wordcount/reduce.awk", "-mapper", "map.awk",
                     "-D", "mapreduce.job.reduce.slowstart.completedmaps=1", "-reducer", "sh -c 'sleep 3; exec ./reduce.awk'",
                     "-numReduceTasks", 2, "-input", "/in", out="/out")
        maps = -(-len(WORDS) // 65536)
        wait_for(lambda: [a for a in running_maps(cluster, name) if "_r_" in a["id"]], 30, "a running reduce")
        victims = []
        for daemon in cluster.daemons_named("worker"):
            cluster.kill(daemon["name"])
            victims.append(cluster.start_again(daemon["name"]))
        try:
            done = job(cluster, "-wait", name, deadline_s=90)
            assert done.returncode == 0, done.stdout + done.stderr
            check_words(cluster, "/out", word_counts(WORDS))
            attempts = json.loads(cluster.http_get(f"/v1/jobs/{name}", cluster.scheduler_http))["attempts"]
            assert len([a for a in attempts if "_m_" in a["id"]]) == maps, "a map ran again"
        finally:
            for victim in victims:
                victim.stop()


def test_memory_stays_small(running):
    for daemon in running.daemons_named("scheduler") + running.daemons_named("worker"):
        assert running.resident_mib(daemon["name"]) < 32


# ---- later, again, instead ----

def test_job_waits_for_anothers_output(running):
    put(running, "/chain/in", b"b\na\n")
    first = start(running, "-mapper", "sh -c 'sleep 1; cat'", "-input", "/chain/in", out="/chain/mid")
    second = start(running, "-D", f"cairn.job.after={first}", "-mapper", "cat", "-numReduceTasks", 0, "-input", "/chain/mid", out="/chain/out")
    assert state(running, second) == "WAITING"
    assert job(running, "-wait", second, check=True)
    assert output(running, "/chain/out") == b"a\t\nb\t\n"
    bad = start(running, "-mapper", "sleep 100", "-input", "/chain/in", out="/chain/bad")
    after = start(running, "-D", f"cairn.job.after={bad}", "-mapper", "cat", "-input", "/chain/bad", out="/chain/never")
    job(running, "-kill", bad, check=True)
    assert job(running, "-wait", after).returncode == 1
    assert bad in job(running, "-status", after).stdout.decode()
    refused = submit(running, "-D", f"cairn.job.after={bad}", "-mapper", "cat", "-input", "/chain/in", out="/chain/refused")
    assert refused.returncode == 1 and b"did not succeed" in refused.stderr


def test_output_that_takes_anothers_place(running):
    put(running, "/replace/in", b"new\n")
    put(running, "/replace/out/old", b"old\n")
    run(running, "-D", "cairn.job.replace=true", "-mapper", "cat", "-numReduceTasks", 0, "-input", "/replace/in", out="/replace/out")
    names = running.fs("-ls", "-C", "-R", "/replace", check=True).stdout.decode().split()
    assert names == ["/replace/in", "/replace/out", "/replace/out/_SUCCESS", "/replace/out/part-00000"]
    failed = submit(running, "-D", "cairn.job.replace=true", "-D", "mapreduce.map.maxattempts=1", "-mapper", "false", "-input", "/replace/in", out="/replace/out")
    assert failed.returncode == 1
    assert output(running, "/replace/out") == b"new\n"
    assert running.fs("-ls", "-C", "/replace", check=True).stdout.decode().split() == ["/replace/in", "/replace/out"]


def test_recurring_job_runs_and_does_not_overlap(running):
    put(running, "/cron/in", b"a\n")
    done = submit(running, "-D", "cairn.job.schedule=* * * * *", "-D", "cairn.job.replace=true", "-D", "mapreduce.job.name=every minute",
                  "-mapper", "cat", "-numReduceTasks", 0, "-input", "/cron/in", out="/cron/out-%Y")
    assert done.returncode == 0 and b"runs for the first time" in done.stderr, done.stderr
    listed = job(running, "-schedules", check=True).stdout.decode()
    assert "every minute" in listed and "* * * * *" in listed
    wait_for(lambda: output_or_none(running, "/cron/out-*") == b"a\n", 90, "the first run")
    assert b"refused" not in job(running, "-unschedule", "every minute", check=True).stderr
    assert "every minute" not in job(running, "-schedules", check=True).stdout.decode()
    wrong = submit(running, "-D", "cairn.job.schedule=* * * *", "-mapper", "cat", "-input", "/cron/in", out="/cron/wrong")
    assert wrong.returncode == 1 and b"five fields" in wrong.stderr


def output_or_none(cluster, path):
    done = cluster.fs("-cat", f"{path}/part-*")
    return done.stdout if done.returncode == 0 else None


# ---- workers, attempts, history ----

def test_drained_worker_takes_no_tasks(running):
    put(running, "/drain/in", WORDS, 65536)
    listed = job(running, "-workers", check=True).stdout.decode()
    name = next(line.split()[0] for line in listed.splitlines() if line.startswith("127.0.0.2"))
    job(running, "-drain", name, check=True)
    try:
        assert re.search(rf"{name}\s.*drained", job(running, "-workers", check=True).stdout.decode())
        text = run(running, "-mapper", "cat", "-numReduceTasks", 0, "-input", "/drain/in", out="/o/drain")
        shown = json.loads(running.http_get(f"/v1/jobs/{job_id(text)}", running.scheduler_http))
        assert {entry["worker"] for entry in shown["attempts"]} <= {"127.0.0.1", "127.0.0.3"}
    finally:
        job(running, "-undrain", name, check=True)
    assert job(running, "-drain", "no-such-worker").returncode == 1


def test_attempt_that_a_person_fails_is_tried_again(running):
    put(running, "/ft/in", b"a\n")
    name = start(running, "-mapper", "sh -c 'case $mapreduce_task_attempt_id in *_0) sleep 1000;; esac; cat'", "-numReduceTasks", 0,
                 "-input", "/ft/in", out="/o/ft")
    wait_for(lambda: running_maps(running, name), 20, "a running map")
    attempt = running_maps(running, name)[0]["id"]
    assert b"Failed task" in job(running, "-fail-task", attempt, check=True).stdout
    assert job(running, "-wait", name).returncode == 0
    assert output(running, "/o/ft") == b"a\n"
    assert b"Failed map tasks\t1" in job(running, "-counters", name, check=True).stdout


def test_slow_attempt_gets_a_second_one(tmp_path):
    with Cluster(tmp_path / "cluster", properties=SMALL_BLOCKS | {"cairn.scheduler.speculative-after": "1s"}) as cluster:
        put(cluster, "/in", WORDS, 65536)
        script = "case $mapreduce_task_attempt_id in *_m_000001_0) sleep 1000;; esac; cat"
        text = run(cluster, "-mapper", f"sh -c '{script}'", "-numReduceTasks", 0, "-input", "/in", out="/out", deadline_s=60)
        assert output(cluster, "/out") == WORDS
        assert counter(text, "Killed map tasks") == 1
        shown = json.loads(cluster.http_get(f"/v1/jobs/{job_id(text)}", cluster.scheduler_http))["attempts"]
        assert [entry["speculative"] for entry in shown].count(True) == 1


def test_logs_are_followed(running):
    put(running, "/follow/in", b"a\n")
    name = start(running, "-mapper", "sh -c 'echo one >&2; sleep 1; echo two >&2; cat'", "-numReduceTasks", 0, "-input", "/follow/in", out="/o/follow")
    said = job(running, "-logs", "-f", name, check=True).stdout.decode()
    assert said.index("one") < said.index("two")
    assert said.count("one\n") == 1


def test_history_is_in_the_file_system(running):
    put(running, "/hist/in", b"a\n")
    name = job_id(run(running, "-mapper", "cat", "-input", "/hist/in", out="/o/hist"))
    path = f"/tmp/hadoop-yarn/staging/history/done/{name}.json"
    wait_for(lambda: running.fs("-test", "-e", path).returncode == 0, 10, "the history")
    kept = wait_for(lambda: running.fs("-cat", path).stdout, 10, "its text")
    kept = json.loads(kept)
    assert kept["job"]["state"] == "SUCCEEDED" and len(kept["attempts"]) == 2
    assert kept["request"]["inputs"] == ["/hist/in"] and kept["request"]["mapper"] == "cat"


# ---- isolation ----

def processes_with(text):
    return [line for line in subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True).stdout.splitlines()
            if text in line and "ps -eo" not in line and "streaming" not in line]


def test_nothing_of_a_task_is_left_behind(running):
    """Not what went into a session of its own either, whether the task ends well, badly, or by its timeout."""
    put(running, "/left/in", b"a\n")
    for number, (end, good) in enumerate([("cat", True), ("exit 1", False), ("sleep 7000", False)]):
        marker = f"6{os.getpid()}{number}"
        done = submit(running, "-D", "mapreduce.map.maxattempts=1", "-D", "mapreduce.task.timeout=1500", "-numReduceTasks", 0,
                      "-mapper", f"sh -c 'setsid sh -c \"sleep {marker}; true\" >/dev/null 2>&1 & sleep 0.2; {end}'", "-input", "/left/in", out=f"/o/left{number}")
        assert (done.returncode == 0) == good, done.stderr
        wait_for(lambda: not processes_with(f"sleep {marker}"), 10, "end of what the task left behind")


def has_memory_groups():
    return os.geteuid() == 0 and (os.access("/sys/fs/cgroup/memory", os.W_OK) or os.path.exists("/sys/fs/cgroup/cgroup.controllers"))


@pytest.mark.skipif(not has_memory_groups(), reason="no control groups for memory that we may use")
def test_too_much_memory_is_said(running):
    put(running, "/oom/in", b"a\n")
    done = submit(running, "-D", "mapreduce.map.memory.mb=64", "-D", "mapreduce.map.maxattempts=1", "-numReduceTasks", 0,
                  "-mapper", "python3 -c 'x = bytearray(300 << 20)'", "-input", "/oom/in", out="/o/oom")
    text = done.stderr.decode()
    assert done.returncode == 1
    assert "out of memory: it needed more than 64 MB (mapreduce.map.memory.mb)" in text
    assert "/oom/in, bytes 0 to 2" in text


@pytest.mark.skipif(not has_memory_groups(), reason="no control groups for memory that we may use")
def test_control_groups_end_with_their_worker(tmp_path):
    """What a killed worker leaves is ended by the next one, and no group stays when that ends."""
    with Cluster(tmp_path / "cluster", nodes=1) as cluster:
        put(cluster, "/in", b"a\n")
        marker = f"7{os.getpid()}"
        name = start(cluster, "-numReduceTasks", 0, "-mapper", f"sh -c 'case $mapreduce_task_attempt_id in *_0) setsid sleep {marker};; esac; cat'",
                     "-input", "/in", out="/out")
        wait_for(lambda: processes_with(f"sleep {marker}"), 20, "the sleeper")
        with open(os.path.join(cluster.folder, "worker-1", "instance")) as file:
            groups = f"/sys/fs/cgroup/**/cairn-{file.read()[:16]}"
        assert glob.glob(groups, recursive=True)
        cluster.kill("worker-1")
        again = cluster.start_again("worker-1")
        wait_for(lambda: not processes_with(f"sleep {marker}"), 20, "the sleeper's end")
        assert job(cluster, "-wait", name).returncode == 0
        again.stop()
        assert not glob.glob(groups, recursive=True)


def test_limits_of_size_processor_and_time(running):
    put(running, "/limit/in", b"a\n")
    for number, (setting, mapper, words) in enumerate([
            ("cairn.task.max-file-mb=1", "sh -c 'head -c 5000000 /dev/zero > big'", "exit status 153"),
            ("cairn.task.max-cpu-seconds=1", "sh -c 'while :; do :; done'", "signal 24"),
            ("cairn.task.max-seconds=2", "sleep 1000", "ran for 2 seconds")]):
        done = submit(running, "-D", setting, "-D", "mapreduce.map.maxattempts=1", "-numReduceTasks", 0, "-mapper", mapper, "-input", "/limit/in",
                      out=f"/o/limit{number}")
        assert done.returncode == 1 and words in done.stderr.decode(), done.stderr


def test_failure_shows_the_last_forty_lines(running):
    put(running, "/forty/in", b"a\nb\n")
    done = submit(running, "-D", "mapreduce.map.maxattempts=1", "-numReduceTasks", 0, "-mapper", "sh -c 'cat >/dev/null; seq -f line-%g 100 >&2; exit 7'",
                  "-input", "/forty/in", out="/o/forty")
    text = done.stderr.decode()
    assert "exit status 7" in text and "/forty/in, bytes 0 to 4, about record 2" in text
    assert "line-62\n" in text and "line-100\ncairn task: " in text and "line-61\n" not in text


def test_log_is_capped(tmp_path):
    with Cluster(tmp_path / "cluster", properties={"cairn.worker.log-max": 65536}) as cluster:
        put(cluster, "/in", b"a\n")
        text = run(cluster, "-numReduceTasks", 0, "-mapper", "sh -c 'cat; seq 100000 >&2'", "-input", "/in", out="/out")
        log = job(cluster, "-logs", job_id(text), check=True).stdout
        assert len(log) < 70000 and b"bytes are left out" in log and log.rstrip().endswith(b"100000")


@pytest.mark.parametrize("factor", [64, 2])
def test_damaged_map_output_is_made_again(running, tmp_path, factor):
    """With the smaller factor one merge cannot take all outputs, and none is merged from where it lies."""
    folder, gate = f"/damaged{factor}", tmp_path / "gate"
    for name in "abc":
        put(running, f"{folder}/{name}", b"x\n" * 1000)
    slow = (f"sh -c 'grep -c . | sed s,^,$mapreduce_task_partition=,; "
            f"while [ $mapreduce_task_partition != 0 ] && ! [ -e {gate} ]; do sleep 0.1; done'")
    name = start(running, "-D", "mapreduce.job.reduce.slowstart.completedmaps=1", "-D", f"mapreduce.task.io.sort.factor={factor}",
                 "-mapper", slow, "-reducer", "cat", "-input", folder, out=f"/o{folder}")
    pattern = f"{running.folder}/worker-*/jobs/{name}/output/*_m_000000_*/file.out"
    made = wait_for(lambda: glob.glob(f"{pattern}.index") and glob.glob(pattern), 20, "map output")[0]
    with open(made, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)[0]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last ^ 1]))
    gate.touch()
    assert job(running, "-wait", name).returncode == 0
    assert output(running, f"/o{folder}").split() == [b"0=1000", b"1=1000", b"2=1000"]
    attempts = json.loads(running.http_get(f"/v1/jobs/{name}", running.scheduler_http))["attempts"]
    assert sum("_m_000000_" in attempt["id"] for attempt in attempts) == 2, attempts


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run tasks as somebody else")
def test_tasks_run_as_who_submitted_them():
    with tempfile.TemporaryDirectory(prefix="cairn-user-") as folder:
        os.chmod(folder, 0o755)
        with Cluster(os.path.join(folder, "cluster"), properties={"dfs.permissions.enabled": "false"}) as cluster:
            put(cluster, "/in", b"a\n")
            for user, who in (("daemon", "daemon"), ("someone-elsewhere", "nobody"), ("root", "root")):
                out = f"/out-{user}"
                env = {"HADOOP_USER_NAME": user}
                run(cluster, "-mapper", "sh -c 'cat; id -un; touch mine; id -G'", "-reducer", "sh -c 'cat; id -un'", "-input", "/in", out=out, env=env)
                lines = [line.rstrip("\t") for line in output(cluster, out).decode().splitlines()]
                assert lines.count(who) == 2, lines
                if who != "root":
                    assert "0" not in lines, "groups of root stay"


def test_map_output_that_leads_elsewhere_is_not_served(running, tmp_path):
    """A task's folder is its user's: what he puts there must not make the worker read out what is not his."""
    put(running, "/leads/in", b"a\n")
    name = start(running, "-mapper", "cat", "-reducer", "sh -c 'sleep 3; cat'", "-input", "/leads/in", out="/o/leads")
    found = wait_for(lambda: glob.glob(f"{running.folder}/worker-*/jobs/{name}/output/*/file.out"), 20, "map output")[0]
    attempt = os.path.basename(os.path.dirname(found))
    worker = next(d for d in running.daemons_named("worker") if f"/{d['name']}/" in found)
    get = f"/shuffle?map={attempt}&reduce=0"
    assert wait_for(lambda: running.http_get(get, worker["address"]), 10, "the output")
    os.rename(found, f"{found}.aside")
    try:
        (tmp_path / "secret").write_text("s" * 100000)
        os.symlink(tmp_path / "secret", found)
        with pytest.raises(urllib.error.HTTPError) as refused:
            running.http_get(get, worker["address"])
        assert refused.value.code == 404
        os.unlink(found)
        if os.geteuid() == 0:
            (tmp_path / "others").write_text("s" * 100000)
            os.chown(tmp_path / "others", 1, 1)
            os.link(tmp_path / "others", found)
            with pytest.raises(urllib.error.HTTPError):
                running.http_get(get, worker["address"])
            os.unlink(found)
    finally:
        os.rename(f"{found}.aside", found)
    assert job(running, "-wait", name).returncode == 0


# ---- REST ----

def rest(address, method, path, body=None, content_type="application/json"):
    request = urllib.request.Request(f"http://{address}{path}", method=method, data=None if body is None else json.dumps(body).encode(),
                                     headers={"Content-Type": content_type})
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_rest_submits_shows_and_kills(running):
    put(running, "/rest/in", b"b\na\n")
    at = running.scheduler_http
    status, made = rest(at, "POST", "/v1/jobs?user.name=root", {"name": "by REST", "inputs": ["/rest/in"], "output": "/rest/out", "mapper": "cat",
                                                               "reducer": "cat", "properties": {"mapreduce.job.priority": "HIGH"}})
    assert status == 201, made
    assert job(running, "-wait", made["id"]).returncode == 0
    assert output(running, "/rest/out") == b"a\t\nb\t\n"
    shown = rest(at, "GET", f"/v1/jobs/{made['id']}")[1]["job"]
    assert (shown["name"], shown["priority"], shown["user"]) == ("by REST", 1, "root")
    again = {"inputs": ["/rest/in"], "output": "/rest/out", "mapper": "cat"}
    assert rest(at, "POST", "/v1/jobs?user.name=root", again)[0] == 409
    assert rest(at, "POST", "/v1/jobs", again)[0] == 401
    assert rest(at, "POST", "/v1/jobs?user.name=root", again, content_type="text/plain")[0] == 415
    for wrong in ({}, [], {"inputs": ["/rest/in"], "output": "x", "mapper": "cat"}, {"inputs": [1], "output": "/x", "mapper": "cat"}):
        assert rest(at, "POST", "/v1/jobs?user.name=root", wrong)[0] == 400, wrong
    slow = rest(at, "POST", "/v1/jobs?user.name=root", {"inputs": ["/rest/in"], "output": "/rest/slow", "mapper": "sleep 1000"})[1]["id"]
    assert rest(at, "DELETE", f"/v1/jobs/{slow}?user.name=daemon")[0] == 403
    assert rest(at, "DELETE", f"/v1/jobs/{slow}?user.name=root") == (200, {"killed": True})
    assert job(running, "-wait", slow).returncode == 1
    assert rest(at, "DELETE", "/v1/jobs/job_1_0001?user.name=root")[0] == 404
    workers = rest(at, "GET", "/v1/workers")[1]
    assert {worker["name"] for worker in workers} == {"127.0.0.1", "127.0.0.2", "127.0.0.3"}


def test_rest_has_a_port_of_its_own(tmp_path):
    port = free_port()
    with Cluster(tmp_path / "cluster", properties={}) as cluster:
        cluster.kill("scheduler")
        daemon = cluster.daemon("scheduler")
        daemon["command"] += ["-D", f"cairn.scheduler.rest-address=127.0.0.1:{port}"]
        again = cluster.start_again("scheduler")
        try:
            wait_for(lambda: len(rest(f"127.0.0.1:{port}", "GET", "/v1/workers")[1]) == 3, 20, "the workers")
            assert rest(f"127.0.0.1:{port}", "GET", "/v1/jobs") == (200, [])
        finally:
            again.stop()


@pytest.mark.parametrize("locality", ["true", "false"])
def test_locality_on_eight_nodes(tmp_path, locality):
    """200 blocks with three replicas on eight nodes, two jobs at once: next to the blocks, or, switched off, 3/8 of the time."""
    with Cluster(tmp_path / "cluster", nodes=8, properties=SMALL_BLOCKS | {"cairn.scheduler.locality": locality}) as cluster:
        for name in ("/a", "/b"):
            for part in range(8):  # written by clients elsewhere, so that first replicas are spread
                run_cairn("fs", "-fs", cluster.uri, "-D", "dfs.blocksize=512", "-D", f"cairn.client.local-address=127.0.0.{part + 1}", "-put", "-",
                          f"{name}/{part}", stdin=(b"x" * 511 + b"\n") * 25, check=True)
        jobs = [start(cluster, "-lazyOutput", "-mapper", "true", "-numReduceTasks", 0, "-input", name, out=f"/o{name}") for name in ("/a", "/b")]
        shown = []
        for name in jobs:
            assert job(cluster, "-wait", name).returncode == 0
            shown.append(json.loads(cluster.http_get(f"/v1/jobs/{name}", cluster.scheduler_http)))
        placed, local = (sum(one["job"][key] for one in shown) for key in ("maps_placed", "maps_local"))
        assert placed >= 400
        if locality == "true":
            assert local >= 0.99 * placed
        else:
            assert 0.2 * placed <= local <= 0.6 * placed
        for one in shown:
            for attempt in one["attempts"]:
                assert (attempt["locality"] != "node-local") == ("locality_reason" in attempt)

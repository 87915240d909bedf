"""Streaming jobs for tests: putting their input, running them, looking at what came of it."""
import collections
import json
import os
import re
import subprocess

import pytest

from lib.cluster import ROOT, Cluster, cairn_path, run_cairn

JOBS = os.path.join(ROOT, "examples", "jobs")
GEN = os.path.join(os.path.dirname(cairn_path()), "examples", "gen")
PROGRAMS = os.path.join(os.path.dirname(cairn_path()), "examples", "programs")
SMALL_BLOCKS = {"dfs.namenode.fs-limits.min-block-size": 1}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """One cluster for the tests of a file that break nothing."""
    with Cluster(tmp_path_factory.mktemp("jobs") / "cluster", properties=SMALL_BLOCKS) as cluster:
        yield cluster


def generate(*args):
    return subprocess.run([GEN, *map(str, args)], check=True, capture_output=True).stdout


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


def start(cluster, *args, out):
    """A job in the background; its id once it runs."""
    return job_id(run(cluster, "-background", *args, out=out))


def output(cluster, path):
    return cluster.fs("-cat", f"{path}/part-*", check=True).stdout


def counter(text, name):
    found = re.search(rf"\t\t{re.escape(name)}=(-?\d+)\n", text)
    return int(found.group(1)) if found else 0


def job_id(text):
    return re.search(r"job_\d+_\d+", text).group(0)


def job(cluster, *args, **options):
    return run_cairn("job", "-fs", cluster.uri, *args, **options)


def state(cluster, name):
    return re.search(r"Job State: (\w+)", job(cluster, "-status", name, check=True).stdout.decode()).group(1)


def running_maps(cluster, name):
    shown = json.loads(cluster.http_get(f"/v1/jobs/{name}", cluster.scheduler_http))
    return [entry for entry in shown["attempts"] if entry["state"] == "RUNNING"]


# ---- the usual one: words ----

WORDS = b"".join(b"w%d common w%d\n" % (i % 97, i % 11) for i in range(20000))
WORDCOUNT = ["-files", f"{JOBS}/wordcount/map.awk,{JOBS}/wordcount/reduce.awk", "-mapper", "map.awk", "-reducer", "reduce.awk"]


def word_counts(data):
    return collections.Counter(data.decode().split())


def check_words(cluster, out, want):
    got = dict(line.split("\t") for line in output(cluster, out).decode().splitlines())
    assert {word: int(count) for word, count in got.items()} == dict(want)

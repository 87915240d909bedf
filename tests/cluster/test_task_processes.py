"""Attempts of a job share processes: none finds anything of the one before, and none leaves anything behind."""
import collections
import os
import subprocess

import pytest

from lib.cluster import Cluster
from lib.jobs import SMALL_BLOCKS, counter, job, job_id, output, put, run
from lib.waiting import wait_for

LINES = b"".join(b"%06d\n" % i for i in range(4000))
BLOCK_BYTES = 1024
MAPS = -(-len(LINES) // BLOCK_BYTES)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("processes") / "cluster", properties=SMALL_BLOCKS) as cluster:
        put(cluster, "/in", LINES, BLOCK_BYTES)
        yield cluster


def run_script(cluster, tmp_path, text, out, *options):
    (tmp_path / "map.sh").write_text("#!/bin/sh\n" + text)
    (tmp_path / "map.sh").chmod(0o755)
    return run(cluster, *options, "-mapper", "./map.sh", "-reducer", "NONE", "-input", "/in", out=out, cwd=tmp_path)


LOOK = """cat >/dev/null
echo $PPID "$(ls -A . tmp | tr '\\n' ' ')" $(pwd) "$mapreduce_task_attempt_id"
echo "log of $mapreduce_task_attempt_id" >&2
mkdir -p left/more tmp/left && touch left/more/file tmp/left/file .left && ln -s / link && rm map.sh
"""


@pytest.mark.parametrize("shared", [True, False])
def test_attempts_find_nothing_of_each_other(running, tmp_path, shared):
    out = f"/o/look-{shared}"
    text = run_script(running, tmp_path, LOOK, out, *([] if shared else ["-D", "cairn.task.reuse-process=false"]))
    rows = [line.split() for line in output(running, out).decode().splitlines()]
    assert len(rows) == MAPS == counter(text, "Launched map tasks")
    processes = collections.Counter(row[0] for row in rows)
    assert len(processes) <= MAPS / 2 if shared else len(processes) == MAPS
    for row in rows:
        assert row[1:-2] == [".:", "map.sh", "tmp", "tmp:"], row
        assert row[-2].endswith("/work/" + row[-1]), row
    log = job(running, "-logs", job_id(text), check=True).stdout.decode()
    assert sorted(line for line in log.splitlines() if line.startswith("log of ")) == sorted(f"log of {row[-1]}" for row in rows)
    attempt = rows[0][-1]
    assert job(running, "-logs", attempt, check=True).stdout.decode() == f"log of {attempt}\n"


def test_those_that_say_nothing_have_an_empty_log(running, tmp_path):
    text = run_script(running, tmp_path, 'cat\nif [ $((mapreduce_task_partition % 3)) = 0 ]; then echo "number $mapreduce_task_partition" >&2; fi\n', "/o/quiet")
    for number in range(MAPS):
        attempt = f"{job_id(text).replace('job', 'attempt')}_m_{number:06}_0"
        want = "" if number % 3 else f"number {number}\n"
        assert job(running, "-logs", attempt, check=True).stdout.decode() == want


def test_what_is_left_running_ends(running, tmp_path):
    marker = f"1000.{os.getpid()}"
    run_script(running, tmp_path, f"cat\nsetsid sleep {marker} >/dev/null 2>&1 &\n", "/o/leave")
    assert output(running, "/o/leave") == LINES
    wait_for(lambda: marker not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout, 10, "the end of what maps left")


def test_folder_that_cannot_be_cleaned_is_not_used_again(running, tmp_path):
    text = run_script(running, tmp_path, "cat >/dev/null\nstat -c %a . tmp | tr '\\n' ' '\necho $PPID\nchmod 0711 .\n", "/o/mode")
    rows = [line.split() for line in output(running, "/o/mode").decode().splitlines()]
    assert {tuple(row[:2]) for row in rows} == {("755", "755")}
    assert len({row[2] for row in rows}) == MAPS == counter(text, "Launched map tasks")


def test_reduces_share_processes_with_reduces(running):
    command = "sh -c 'cat; echo $PPID $mapreduce_task_ismap >&2'"
    text = run(running, "-mapper", command, "-reducer", command, "-numReduceTasks", 24, "-input", "/in", out="/o/reduces")
    assert sorted(line.strip() for line in output(running, "/o/reduces").splitlines()) == LINES.split()
    log = job(running, "-logs", job_id(text), check=True).stdout.decode()
    pairs = [line.split() for line in log.splitlines() if line.endswith((" true", " false"))]
    maps = {pid for pid, is_map in pairs if is_map == "true"}
    reduces = {pid for pid, is_map in pairs if is_map == "false"}
    assert len(pairs) == MAPS + 24 and not maps & reduces and len(reduces) < 24


def test_a_shipped_cat_is_no_pipe(running, tmp_path):
    (tmp_path / "cat").write_text("#!/bin/sh\nsed s/^/mine/\n")
    run(running, "-file", str(tmp_path / "cat"), "-mapper", "cat", "-reducer", "NONE", "-input", "/in", out="/o/cat")
    assert output(running, "/o/cat").startswith(b"mine000000\nmine000001\n")

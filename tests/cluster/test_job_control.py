"""Workers that are drained, attempts that are failed or slow, logs, history."""
import json
import re

from lib.cluster import Cluster
from lib.jobs import SMALL_BLOCKS, WORDS, counter, job, job_id, output, put, run, running, running_maps, start, state
from lib.waiting import wait_for


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

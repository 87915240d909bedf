"""Jobs with wrong arguments, missing input, commands that fail: who is told what, and what is left."""
import json
import os
import signal
import subprocess

import pytest

from lib.cluster import cairn_path, client_env, run_cairn
from lib.jobs import counter, job, job_id, output, put, run, running, running_maps, start, state, submit
from lib.waiting import wait_for


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
    (["-mapper", "cat", "-nonsense"], "Unrecognized option: -nonsense"),
    (["-mapper", "cat", "-numReduceTasks"], "Missing argument for option: numReduceTasks"),
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


@pytest.mark.parametrize("setting", [
    "mapreduce.job.priority=URGENT", "mapreduce.map.memory.mb=much", "cairn.task.max-seconds=-1", "mapreduce.job.maps=many",
    "mapreduce.job.reduces=few", "mapreduce.map.speculative=maybe", "cairn.csv.fields=commas", "cairn.job.replace=yes",
    "mapreduce.map.failures.maxpercent=101", "mapreduce.job.reduce.slowstart.completedmaps=5", "mapreduce.job.reduce.slowstart.completedmaps=nan"])
def test_wrong_settings_name_the_thing(running, setting):
    put(running, "/wrong/in", b"a\n")
    done = submit(running, "-D", setting, "-mapper", "cat", "-input", "/wrong/in", out="/o/settings")
    assert done.returncode == 3 and setting.split("=")[0] in done.stderr.decode(), done.stderr
    assert running.fs("-test", "-e", "/o/settings").returncode == 1


def test_recurring_job_that_could_never_run_is_refused_at_once(running):
    put(running, "/wrong/in", b"a\n")
    done = submit(running, "-D", "cairn.job.schedule=* * * * *", "-D", "mapreduce.job.name=never", "-D", "mapreduce.job.priority=URGENT",
                  "-mapper", "cat", "-input", "/wrong/in", out="/o/never")
    assert done.returncode == 3 and "mapreduce.job.priority" in done.stderr.decode(), done.stderr
    assert b"never" not in job(running, "-schedules", check=True).stdout


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


def test_output_lost_before_the_commit_fails_the_job(running, tmp_path):
    """Somebody deletes what an attempt has written: a job that succeeds has all of its output."""
    gate = tmp_path / "gate"
    put(running, "/gone/in/a", b"a\n")
    put(running, "/gone/in/b", b"b\n")
    slow = f"sh -c 'cat; while [ $mapreduce_task_partition != 0 ] && ! [ -e {gate} ]; do sleep 0.1; done'"
    name = start(running, "-mapper", slow, "-numReduceTasks", 0, "-input", "/gone/in", out="/o/gone")
    first = f"/o/gone/_temporary/0/{name.replace('job', 'attempt')}_m_000000_0"

    def maps_that_run():
        return [entry["id"][-8:] for entry in running_maps(running, name)]

    wait_for(lambda: running.fs("-test", "-s", f"{first}/part-00000").returncode == 0 and maps_that_run() == ["000001_0"], 30, "end of the first map")
    running.fs("-rm", "-r", "-skipTrash", first, check=True)
    gate.touch()
    assert job(running, "-wait", name).returncode == 1
    assert b"could not be put in place" in job(running, "-status", name, check=True).stdout
    assert running.fs("-test", "-e", "/o/gone/_SUCCESS").returncode == 1


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


def test_a_job_may_do_without_some_tasks(running):
    """Its output is that of the others, and it says what is missing."""
    put(running, "/some/in", b"".join(b"%d\n" % n for n in range(10)))
    split = ["-D", "mapreduce.input.fileinputformat.split.maxsize=4", "-D", "mapreduce.map.maxattempts=2", "-D", "mapreduce.reduce.maxattempts=1"]
    mapper = "awk '{if ($1 == 4) exit 3; print}'"
    text = run(running, *split, "-D", "mapreduce.map.failures.maxpercent=20", "-mapper", mapper, "-reducer", "cat", "-numReduceTasks", 2, "-input", "/some/in", out="/o/some")
    lines = sorted(output(running, "/o/some").split())
    assert b"0" in lines and b"9" in lines and b"4" not in lines and len(lines) in (7, 8), lines
    assert "1 of 5 maps and 0 of 2 reduces failed for good" in text and "exit status 3" in text, text
    assert counter(text, "Failed map tasks") == 2 and counter(text, "Launched map tasks") == 6
    assert counter(text, "Merged Map outputs") == 8
    status = job(running, "-status", job_id(text), check=True).stdout.decode()
    assert "Job State: SUCCEEDED" in status and "(4 done, 0 running, 1 failed)" in status, status
    shown = json.loads(running.http_get(f"/v1/jobs/{job_id(text)}", running.scheduler_http))["job"]
    assert (shown["maps_done"], shown["maps_failed"], shown["reduces_failed"]) == (4, 1, 0)
    assert running.fs("-test", "-e", "/o/some/_SUCCESS").returncode == 0 and running.fs("-test", "-e", "/o/some/_temporary").returncode == 1
    done = submit(running, *split, "-D", "mapreduce.map.failures.maxpercent=19", "-mapper", mapper, "-numReduceTasks", 0, "-input", "/some/in", out="/o/none")
    assert done.returncode == 1 and "exit status 3" in done.stderr.decode()


def test_a_job_may_do_without_some_reduces(running):
    put(running, "/some/words", b"a\nb\nc\nd\ne\nf\n")
    text = run(running, "-D", "mapreduce.reduce.maxattempts=1", "-D", "mapreduce.reduce.failures.maxpercent=50", "-mapper", "cat",
               "-reducer", "sh -c 'test $mapreduce_task_partition != 1 || exit 4; cat'", "-numReduceTasks", 2, "-input", "/some/words", out="/o/reduces")
    assert "0 of 1 maps and 1 of 2 reduces failed for good" in text
    names = running.fs("-ls", "-C", "/o/reduces", check=True).stdout.decode().split()
    assert [name.rsplit("/", 1)[1] for name in names] == ["_SUCCESS", "part-00000"]

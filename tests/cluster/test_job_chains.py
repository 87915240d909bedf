"""Jobs after jobs, at times, instead of others' output."""
import os

import pytest

from lib.jobs import job, output, put, run, running, start, state, submit
from lib.reader import Reader
from lib.waiting import wait_for


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


def test_there_is_always_an_output_while_it_is_replaced(running):
    """Readers find the old one or the new one, in that order, and never none."""
    put(running, "/always/in", b"x\n")
    put(running, "/always/out/part-00000", b"0\n")
    with Reader(running, "/always/out/part-00000") as reader:
        for number in range(1, 21):
            run(running, "-D", "cairn.job.replace=keep", "-mapper", f"echo {number}", "-numReduceTasks", 0, "-input", "/always/in", out="/always/out")
            wait_for(lambda: reader.seen[-1:] == [f"{number}\n"], 10, f"output {number}")
    assert reader.seen == [f"{number}\n" for number in range(21)]
    assert reader.looks > 100


def test_what_was_replaced_can_be_kept_until_the_next_time(running):
    put(running, "/keep/in", b"a\n")
    put(running, "/keep/out/part-00000", b"0\n")
    for number in 1, 2:
        run(running, "-D", "cairn.job.replace=keep", "-mapper", f"echo {number}", "-numReduceTasks", 0, "-input", "/keep/in", out="/keep/out")
        assert output(running, "/keep/out") == b"%d\n" % number
        assert output(running, "/keep/_replaced_out") == b"%d\n" % (number - 1)
    assert running.fs("-ls", "-C", "/keep", check=True).stdout.decode().split() == ["/keep/_replaced_out", "/keep/in", "/keep/out"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be other users")
def test_nobody_replaces_what_is_not_his(running):
    """The scheduler is the namenode's superuser; who submits is not."""
    put(running, "/owned/in", b"a\n")
    put(running, "/owned/out/old", b"old\n")
    running.fs("-chmod", "1777", "/owned", check=True)
    done = submit(running, "-D", "cairn.job.replace=true", "-mapper", "cat", "-numReduceTasks", 0, "-input", "/owned/in", out="/owned/out",
                  env={"HADOOP_USER_NAME": "ann"})
    assert done.returncode == 1 and b"sticky bit" in done.stderr, done.stderr
    assert running.fs("-cat", "/owned/out/old", check=True).stdout == b"old\n"


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

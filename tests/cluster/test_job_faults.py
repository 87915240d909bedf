"""Jobs whose scheduler or workers are killed."""
import glob
import json
import os

import pytest

from lib.cluster import Cluster
from lib.jobs import JOBS, SMALL_BLOCKS, WORDS, check_words, job, job_id, output, put, run, running, running_maps, start, state, word_counts
from lib.waiting import wait_for


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


def test_memory_stays_small(running):
    for daemon in running.daemons_named("scheduler") + running.daemons_named("worker"):
        assert running.resident_mib(daemon["name"]) < 32

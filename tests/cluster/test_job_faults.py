"""Jobs whose scheduler or workers are killed."""
import json

from lib.cluster import Cluster
from lib.jobs import JOBS, SMALL_BLOCKS, WORDS, check_words, job, job_id, put, run, running, running_maps, start, state, word_counts
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


def test_memory_stays_small(running):
    for daemon in running.daemons_named("scheduler") + running.daemons_named("worker"):
        assert running.resident_mib(daemon["name"]) < 32

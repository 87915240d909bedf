#!/usr/bin/python3
"""How many tasks a second a cluster on this machine launches, and how long an empty job takes.

    CAIRN=build/release/cairn python3 tests/bench/task_rate.py [--tasks 1000] [--nodes 3] [--slots 4] [--dir FOLDER] [--rounds 3]

Every task reads a file of one line. Prints tab-separated lines: kind, tasks, seconds (of each round), tasks per second (of the
median). The cluster lives in FOLDER (a folder on tmpfs leaves the disk out)."""
import argparse
import os
import statistics
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib.cluster import Cluster, cairn_path, run_cairn  # noqa: E402

PROGRAM = os.path.join(os.path.dirname(cairn_path()), "examples", "programs", "wordcount.so")
KINDS = {  # what a job's mapper and reducer are
    "cat, no reduce": ["-mapper", "cat", "-reducer", "NONE"],
    "command, no reduce": ["-mapper", "cut -c 1-", "-reducer", "NONE"],
    "command without output, no reduce": ["-mapper", "true", "-reducer", "NONE"],
    "C program, no reduce": ["-mapper", PROGRAM, "-reducer", "NONE"],
    "cat, 1 reduce": ["-mapper", "cat", "-reducer", "cat", "-numReduceTasks", "1"],
    "command, 1 reduce": ["-mapper", "cut -c 1-", "-reducer", "cat", "-numReduceTasks", "1"],
}


def job_seconds(cluster, number, options, given):
    began = time.monotonic()
    run_cairn("streaming", "-fs", cluster.uri, *options, "-input", given, "-output", f"/out/{number}", check=True)
    seconds = time.monotonic() - began
    cluster.fs("-rm", "-r", "-skipTrash", f"/out/{number}", check=True)
    return seconds


def say(kind, tasks, seconds):
    rounds = ",".join(f"{s:.3f}" for s in seconds)
    print(kind, tasks, rounds, f"{tasks / statistics.median(seconds):.0f}", sep="\t", flush=True)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--tasks", type=int, default=1000)
    options.add_argument("--nodes", type=int, default=3)
    options.add_argument("--slots", type=int, default=4)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--dir")
    options.add_argument("--kinds", help="only those whose names begin so, separated by commas")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.dir) as folder:
        os.chmod(folder, 0o755)
        os.mkdir(f"{folder}/in")
        for i in range(chosen.tasks):
            with open(f"{folder}/in/{i}", "w", encoding="ascii") as file:
                file.write(f"line {i}\n")
        with Cluster(f"{folder}/cluster", nodes=chosen.nodes, properties={"cairn.worker.slots": chosen.slots}) as cluster:
            cluster.fs("-put", f"{folder}/in", "/in", check=True)
            cluster.fs("-put", f"{folder}/in/0", "/one", check=True)
            cluster.fs("-touchz", "/empty", check=True)
            number = 0
            for kind, given, tasks in [("empty job, no reduce", "/empty", 1), ("one task, 1 reduce", "/one", 2)]:
                how = KINDS["cat, no reduce" if tasks == 1 else "cat, 1 reduce"]
                seconds = []
                for number in range(number + 1, number + 1 + 3 * chosen.rounds):
                    seconds.append(job_seconds(cluster, number, how, given))
                say(kind, tasks, sorted(seconds))
            for kind, how in KINDS.items():
                if chosen.kinds and not any(kind.startswith(begin) for begin in chosen.kinds.split(",")):
                    continue
                seconds = []
                for number in range(number + 1, number + 1 + chosen.rounds):
                    seconds.append(job_seconds(cluster, number, how, "/in"))
                say(kind, chosen.tasks, seconds)


if __name__ == "__main__":
    main()

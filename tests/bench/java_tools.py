"""Hadoop's own benchmarks, run by the same Java on both clusters."""
import re
import subprocess

from lib import apache, jars
from lib.cluster import client_env
from measure import measure, median
from report import Row, Section

DEPENDENCIES = [
    *apache.DEPENDENCIES,
    jars.hadoop("hadoop-hdfs", tests=True),
    jars.hadoop("hadoop-mapreduce-client-jobclient", tests=True),
]
NAMENODE_OPERATIONS = "create", "mkdirs", "open", "fileStatus", "rename", "delete"
NAMENODE_THREADS, NAMENODE_NAMES = 16, 8000
IO_FILES, IO_FILE_MIB = 4, 128


def _run(main, *args):
    """What a Java program printed; it logs to both outputs."""
    command = [*apache.JVM, "-Xmx1g", "-cp", jars.class_path(DEPENDENCIES, jars.java_files("lib/HadoopHost.java")), main, *args]
    done = subprocess.run(command, env=client_env(), capture_output=True, text=True, timeout=600)
    text = done.stdout + done.stderr
    if done.returncode:
        raise SystemExit(f"{' '.join(command[-len(args) - 1:])} ended with {done.returncode}:\n{text[-2000:]}")
    return text


def _rate(text, label):
    """The number behind the last `label:` of a report."""
    found = re.findall(rf"{label}:\s*([0-9.]+)", text)
    if not found:
        raise SystemExit(f"no '{label}' in what the benchmark printed:\n{text[-2000:]}")
    return float(found[-1])


def _section(title, unit, note, servers, steps, run, rate_of, rounds):
    """steps in order on each server in turn, `rounds` times after a warm-up; one row per step and server."""
    rates, samples = {}, {}
    for attempt in range(1 + rounds):
        for server, cluster, pids in servers.each():
            for step in steps:
                output = []
                sample = measure(lambda: output.append(run(cluster, step)), pids)
                if attempt:
                    rates.setdefault((step, server), []).append(rate_of(output[0]))
                    samples.setdefault((step, server), []).append(sample)
    rows = []
    for step in steps:
        best = {server: sorted(rates[step, server])[rounds // 2] for server, _, _ in servers.each()}
        for server, rate in best.items():
            share = median(samples[step, server])
            ratios = {"Apache": rate / best["Apache"]} if server == "Cairn" else {}
            rows.append(Row(f"{step}, {server}", rate, share.client_cpu_s, share.server_cpu_s, ratios))
    return Section(title, unit, note, rows)


def namenode_throughput(servers, work):
    def run(cluster, step):
        amount = "-dirs" if step == "mkdirs" else "-files"
        options = ["-fs", cluster.uri, "-op", step, "-threads", str(NAMENODE_THREADS), amount, str(NAMENODE_NAMES)]
        return _run("org.apache.hadoop.hdfs.server.namenode.NNThroughputBenchmark", *options)

    note = (
        f"Hadoop's NNThroughputBenchmark from another process: {NAMENODE_NAMES} names, {NAMENODE_THREADS} threads over one "
        "connection, while its main thread waits for them in a busy loop. CPU seconds are those of a whole run: the client's "
        "JVM starts, and most operations first make their files."
    )
    rate = lambda text: _rate(text, "Ops per sec")
    return _section("NNThroughputBenchmark", "calls/s", note, servers, NAMENODE_OPERATIONS, run, rate, rounds=3)


def dfsio(servers, work):
    def run(cluster, step):
        options = ["-D", f"fs.defaultFS={cluster.uri}", "-D", "mapreduce.framework.name=local", "-D", f"hadoop.tmp.dir={work}/io"]
        options += ["-D", "mapreduce.local.map.tasks.maximum=2"]
        size = ["-nrFiles", str(IO_FILES), "-size", f"{IO_FILE_MIB}MB", "-resFile", f"{work}/TestDFSIO.log"]
        return _run("org.apache.hadoop.fs.TestDFSIO", *options, f"-{step}", *size)

    note = (
        f"Hadoop's TestDFSIO in the local job runner: {IO_FILES} files of {IO_FILE_MIB} MiB, two at a time, three replicas. "
        "The rate is the one it reports per task."
    )
    rate = lambda text: _rate(text, "Throughput mb/sec")
    return _section("TestDFSIO", "MB/s", note, servers, ("write", "read"), run, rate, rounds=2)

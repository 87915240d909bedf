"""What Cairn does beside what a user would take instead, measured in one run: `make bench`.

  bench.py [--record] [--smoke] [SECTION...]   copies metadata nnthroughput dfsio wordcount memory mount; no name: all of them

Prints the tables of each section; --record also puts them into docs/benchmarks.md. --smoke makes mount tiny: its figures
say nothing, but that it runs."""
import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from java_tools import dfsio, namenode_throughput  # noqa: E402
from measure import measure, median, resident_mib  # noqa: E402
from mounts import mount_tables  # noqa: E402
from programs import build, checked  # noqa: E402
from report import Row, Section, record  # noqa: E402
from lib import apache, data  # noqa: E402
from lib.cluster import ROOT, Cluster, cairn_path, run_cairn  # noqa: E402

COPY_BYTES = 256 * data.MIB
TEXT_BYTES = 32 * data.MIB
ROUNDS = 3
SETTINGS = {"dfs.blocksize": 64 * data.MIB}


class Servers:
    """Both clusters, three datanodes each, and a Java client that can talk to either."""

    def __init__(self, work):
        self.cairn = Cluster(f"{work}/cairn", nodes=3)
        self.apache = apache.ApacheCluster(f"{work}/apache", datanodes=3, jvm_options=[])
        os.makedirs(f"{work}/java")
        self.java = apache.JavaShell(f"{work}/java", jvm_options=[])

    def __enter__(self):
        self.apache.start()
        self.cairn.__enter__()
        return self

    def __exit__(self, *error):
        self.cairn.__exit__(*error)
        self.apache.stop()
        self.java.stop()

    def each(self):
        yield "Cairn", self.cairn, [daemon["pid"] for daemon in self.cairn.daemons]
        yield "Apache", self.apache, [daemon.pid for daemon in self.apache.daemons]

    def java_fs(self, cluster, *args):
        done = self.java.run("fs", "-D", f"fs.defaultFS={cluster.uri}", *args)
        if done.returncode:
            sys.exit(f"hadoop fs {' '.join(args)} on {cluster.uri}: {done.stderr.decode()}")
        return done.stdout

    def cairn_fs(self, cluster, *args):
        return run_cairn("fs", "-fs", cluster.uri, *args, check=True).stdout


def repeat(step, between, server_pids=(), client_pids=()):
    """One warm-up and ROUNDS measurements of step(); between() undoes it outside the measured time."""
    samples = []
    for _ in range(1 + ROUNDS):
        samples.append(measure(step, server_pids, client_pids))
        between()
    return median(samples[1:])


def copies(servers, work):
    local, back = f"{work}/file", f"{work}/back"
    want = data.write_file(local, COPY_BYTES)
    mib = COPY_BYTES / data.MIB

    def forget():
        os.unlink(back)

    rows = []
    sample = repeat(lambda: checked(["cp", local, back]), forget)
    cp_rate = mib / sample.wall_s
    rows.append(Row("cp", cp_rate, sample.client_cpu_s, 0))
    clients = {"cairn fs": (servers.cairn_fs, ()), "Java": (servers.java_fs, (servers.java.pid,))}
    for replication in 1, 3:
        options = [f"-Ddfs.replication={replication}", *(f"-D{name}={value}" for name, value in SETTINGS.items())]
        rates = {}
        for client, (fs, client_pids) in clients.items():
            for server, cluster, pids in servers.each():

                def put():
                    fs(cluster, *options, "-put", local, "/bench-file")

                def get():
                    fs(cluster, *options, "-get", "/bench-file", back)

                def remove():
                    fs(cluster, "-rm", "-skipTrash", "/bench-file")

                steps = [("put", put, remove)] + ([("get", get, forget)] if replication == 3 else [])
                for name, step, between in steps:
                    if name == "get":
                        put()
                        get()
                        if data.sha256_file(back) != want:
                            sys.exit(f"{client} on {server}: what came back is not what was put")
                        forget()
                    sample = repeat(step, between, pids, client_pids)
                    rates[name, client, server] = mib / sample.wall_s
                    what = f"{name}, {client} client, {server}" + (f", {replication} replicas" if name == "put" else "")
                    ratios = {"cp": rates[name, client, server] / cp_rate}
                    rows.append(Row(what, rates[name, client, server], sample.client_cpu_s, sample.server_cpu_s, ratios))
                    if name == "get":
                        remove()
        add_ratios_to_apache(rows, rates, lambda name, client, server: f"{name}, {client} client, {server}", replication)
    rows.sort(key=lambda row: ["cp", "put", "get"].index(row.what.split(",")[0]))
    note = f"One file of {mib:.0f} MiB in 64 MiB blocks, three datanodes, between local disk and the cluster."
    return Section("Copies in and out", "MiB/s", note, rows)


def add_ratios_to_apache(rows, rates, text, replication):
    for (name, client, server), rate in rates.items():
        if server == "Cairn":
            wanted = text(name, client, server) + (f", {replication} replicas" if name == "put" else "")
            row = next(row for row in rows if row.what == wanted)
            row.ratios["Apache, same client"] = rate / rates[name, client, "Apache"]


def build_metadata_rate(work):
    build_folder = os.path.dirname(os.path.realpath(cairn_path()))
    include = os.path.join(ROOT, "client", "include")
    return build(work, "metadata_rate", f"-I{include}", f"-L{build_folder}", "-lhdfs", f"-Wl,-rpath,{build_folder}")


METADATA_OPERATIONS = "mkdir", "create", "stat", "rename", "delete"  # each finds what those before it made


def echo_row(program, threads, count):
    runs = []
    for _ in range(1 + ROUNDS):
        printed = checked([program, str(threads), str(count)], stdout=subprocess.PIPE, text=True).stdout
        runs.append([float(number) for number in printed.split()])
    rate, client_s, server_s = map(statistics.median, zip(*runs[1:]))
    return Row(f"sockets alone, {thread_text(threads)}", rate, client_s / count * 1e6, server_s / count * 1e6)


def thread_text(threads):
    return f"{threads} client thread{'s' * (threads > 1)}"


def metadata(servers, work):
    program, echo = build_metadata_rate(work), build(work, "echo_rate")
    rows = []
    for threads, count in (1, 2000), (16, 8000):
        seen = {}  # {(operation, server): [(rate, client CPU, server CPU)]}
        for attempt in range(1 + ROUNDS):  # in turn, so that both servers see the same machine; the first warms up
            for server, cluster, pids in servers.each():
                folder = f"/bench-{threads}-{attempt}"
                for operation in METADATA_OPERATIONS:
                    command = [program, *cluster.namenode.split(":"), folder, str(threads), str(count), operation]
                    output = []
                    sample = measure(lambda: output.append(checked(command, stdout=subprocess.PIPE, text=True).stdout), pids)
                    cpu = sample.client_cpu_s / count * 1e6, sample.server_cpu_s / count * 1e6
                    seen.setdefault((operation, server), []).append((float(output[0]), *cpu))
                servers.cairn_fs(cluster, "-rm", "-r", "-skipTrash", folder)
        middle = {key: [statistics.median(values) for values in zip(*runs[1:])] for key, runs in seen.items()}
        sockets = echo_row(echo, threads, 10 * count)
        for (operation, server), (rate, client_cpu, server_cpu) in middle.items():
            ratios = {"sockets": rate / sockets.rate}
            if server == "Cairn":
                apache_rate, _, apache_cpu = middle[operation, "Apache"]
                ratios |= {"Apache": rate / apache_rate, "Apache per server CPU": apache_cpu / server_cpu}
            rows.append(Row(f"{operation}, {thread_text(threads)}, {server}", rate, client_cpu, server_cpu, ratios))
        rows.append(sockets)
    note = (
        "Calls of one C program through libhdfs, each thread over a connection of its own; create makes and closes an empty file. "
        "Sockets alone: the same clients against a loop that answers a request of 150 bytes with 100 others and does nothing else, "
        "so about the most that any server can reach on these cores."
    )
    return Section("Namenode", "calls/s", note, rows, cpu_unit="µs per call")


def write_text(path):
    """Words with the frequencies of a natural text (Zipf), 12 to a line."""
    source = random.Random(42)
    words = ["".join(source.choices("abcdefghijklmnopqrstuvwxyz", k=source.randint(2, 11))) for _ in range(30_000)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    with open(path, "w") as file:
        written = 0
        while written < TEXT_BYTES:
            picked = source.choices(words, weights, k=12_000)
            text = "\n".join(" ".join(picked[i : i + 12]) for i in range(0, len(picked), 12)) + "\n"
            written += file.write(text)


def counts(text):
    """{word: count} of what `uniq -c` or a streaming job with it as reducer printed."""
    return {line.split()[1]: int(line.split()[0]) for line in text.splitlines() if line.strip()}


def wordcount(servers, work):
    text = f"{work}/text"
    write_text(text)
    mib = os.path.getsize(text) / data.MIB
    mapper, reducer = "tr -s ' ' '\\n'", "uniq -c"
    gnu = f"tr -s ' ' '\\n' <{text} | LC_ALL=C sort | uniq -c >{work}/gnu"
    want = {}

    def check(name, output):
        if counts(output) != want:
            sys.exit(f"wordcount: {name} counts other words than GNU tools")

    def job(run, cluster):
        return lambda: run(cluster, mapper, reducer)

    def clear(cluster):
        servers.cairn_fs(cluster, "-rm", "-r", "-f", "-skipTrash", "/words-out")

    def run_cairn_job(cluster, mapper, reducer):
        run_cairn(
            *["streaming", "-fs", cluster.uri, "-D", "mapreduce.job.reduces=2", "-input", "/words"],
            *["-output", "/words-out", "-mapper", mapper, "-reducer", reducer],
            deadline_s=300,
            check=True,
        )

    def run_hadoop_job(cluster, mapper, reducer):
        conf = ["-D", f"fs.defaultFS={cluster.uri}", "-D", "mapreduce.framework.name=local"]
        conf += ["-D", "mapreduce.job.reduces=2", "-D", f"hadoop.tmp.dir={work}/hadoop-tmp"]
        conf += ["-D", "mapreduce.local.map.tasks.maximum=2", "-D", "mapreduce.local.reduce.tasks.maximum=2"]
        command = [*apache.JVM, "-cp", apache.class_path(), "org.apache.hadoop.streaming.HadoopStreaming", *conf]
        command += ["-input", "/words", "-output", "/words-out", "-mapper", mapper, "-reducer", reducer]
        with open(f"{work}/hadoop-streaming.log", "ab") as log:
            checked(command, stdout=log, stderr=log)

    sample = repeat(lambda: checked(["bash", "-c", gnu]), lambda: None)
    with open(f"{work}/gnu") as file:
        want.update(counts(file.read()))
    rates = {"GNU tools": mib / sample.wall_s}
    rows = [Row("tr | sort | uniq -c", rates["GNU tools"], sample.client_cpu_s, 0)]
    for (server, cluster, pids), run in zip(servers.each(), (run_cairn_job, run_hadoop_job)):
        servers.cairn_fs(cluster, "-D", f"dfs.blocksize={8 * data.MIB}", "-put", text, "/words")
        samples = []
        for _ in range(2):
            clear(cluster)
            samples.append(measure(job(run, cluster), pids))
        check(server, servers.cairn_fs(cluster, "-cat", "/words-out/part-*").decode())
        rates[server] = mib / samples[-1].wall_s
        name = {"Cairn": "cairn streaming", "Apache": "Hadoop Streaming, local runner"}[server]
        rows.append(Row(name, rates[server], samples[-1].client_cpu_s, samples[-1].server_cpu_s))
    for row, key in zip(rows, ("GNU tools", "Cairn", "Apache")):
        row.ratios = {f"{name}": rates[key] / rates[name] for name in ("GNU tools", "Apache") if name != key}
    note = f"{mib:.0f} MiB of text in 8 MiB blocks, mapper `{mapper}`, reducer `{reducer}`, two reducers, start-up included."
    return Section("Word count", "MiB/s", note, rows)


def memory(servers, work):
    rows = []
    total = {server: resident_mib(pids) for server, _, pids in servers.each()}
    for server, mib in total.items():
        ratios = {"Apache": mib / total["Apache"]} if server == "Cairn" else {}
        what = {"Cairn": "Cairn: namenode, 3 datanodes, scheduler, workers", "Apache": "Apache: NameNode, 3 DataNodes"}
        rows.append(Row(what[server], mib, 0, 0, ratios))
    return Section("Resident memory after all of the above", "MiB", "Sum over the daemons; here less is better.", rows)


SECTIONS = {
    "copies": copies,
    "metadata": metadata,
    "nnthroughput": namenode_throughput,
    "dfsio": dfsio,
    "wordcount": wordcount,
    "memory": memory,
}


def beside_apache(names, work):
    """The sections that need both clusters, one after another."""
    with Servers(work) as servers:
        for name in names:
            yield SECTIONS[name](servers, work)


def chosen_sections(names, smoke, work):
    if others := [name for name in names if name != "mount"]:
        apache.class_path()
        yield from beside_apache(others, work)
    if "mount" in names:  # on its own: nobody else's servers on the machine
        yield from mount_tables(f"{work}/mount", smoke)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = [*SECTIONS, "mount"]
    parser.add_argument("sections", nargs="*", choices=[*every, []], help="what to measure; default: everything")
    parser.add_argument("--record", action="store_true", help="put the tables into docs/benchmarks.md")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes in the section mount")
    args = parser.parse_args()
    load_before = os.getloadavg()[0]
    work = tempfile.mkdtemp(prefix="cairn-bench-")
    done = []
    try:
        for section in chosen_sections(args.sections or every, args.smoke, work):
            done.append(section)
            print(section.markdown(), end="\n\n", flush=True)
    except apache.Unavailable as error:
        sys.exit(f"bench: Apache Hadoop cannot be run, and without it there is nothing to compare with: {error}")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if args.record:
        record(os.path.join(ROOT, "docs", "benchmarks.md"), done, apache.VERSION, load_before)


if __name__ == "__main__":
    main()

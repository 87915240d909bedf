"""What Cairn does beside what a user would take instead, measured in one run: `make bench`.

  bench.py [--record] [--smoke] [SECTION...]   copies metadata nnthroughput dfsio memory mount mapreduce; no name: all of them

Prints the tables of each section; --record also puts them into docs/benchmarks.md. --smoke makes mount and mapreduce tiny:
their figures say nothing, but that they run."""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from java_tools import dfsio, namenode_throughput  # noqa: E402
from mapreduce import mapreduce_tables  # noqa: E402
from measure import measure, median, resident_mib  # noqa: E402
from mounts import mount_tables  # noqa: E402
from programs import build, checked  # noqa: E402
from report import Row, Section, record  # noqa: E402
from lib import apache, data  # noqa: E402
from lib.cluster import ROOT, Cluster, cairn_path, run_cairn  # noqa: E402

COPY_BYTES = 256 * data.MIB
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
    "memory": memory,
}


def beside_apache(names, work):
    """The sections that need both clusters, one after another."""
    with Servers(work) as servers:
        for name in names:
            yield SECTIONS[name](servers, work)


# On their own, with nobody else's servers on the machine: {name: (folder, smoke) -> tables}
ALONE = {"mount": mount_tables, "mapreduce": mapreduce_tables}


def chosen_sections(names, smoke, work):
    if others := [name for name in names if name not in ALONE]:
        apache.class_path()
        yield from beside_apache(others, work)
    for name in ALONE:
        if name in names:
            yield from ALONE[name](f"{work}/{name}", smoke)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = [*SECTIONS, *ALONE]
    parser.add_argument("sections", nargs="*", choices=[*every, []], help="what to measure; default: everything")
    parser.add_argument("--record", action="store_true", help="put the tables into docs/benchmarks.md")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes in the sections mount and mapreduce")
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

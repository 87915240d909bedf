"""`make bench`'s section mount: the mount of a Cairn cluster, beside a local disk, a FUSE file system that does nothing
(the floor), MooseFS with the same number of copies, and for streams a bare chain of copies over sockets."""
import contextlib
import functools
import os
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

import moosefs
from measure import cpu_seconds, measure, memory_mib
from programs import build, checked, library
from report import Table, figure
from lib.cluster import ROOT, Cluster
from lib.mounts import Mount
from lib.process import Daemon
from lib.waiting import wait_for

COPIES = 3
BLOCK_STREAMS = 8  # none is longer than a block
MIB = 1 << 20


@dataclass
class Size:
    stream_mib: int
    random_reads: int
    small_files: int
    rounds: int  # after one that warms up
    tree: str  # of the project, as the source tree


FULL = Size(stream_mib=1024, random_reads=20_000, small_files=2_000, rounds=3, tree=".")
SMOKE = Size(stream_mib=16, random_reads=200, small_files=40, rounds=1, tree="fuse")


# ---- what is measured ----


class System:
    """A folder to work in, and who works for it: processes named by what they are."""

    def __init__(self, name, folder, mounts=(), servers=(), read_only=None):
        self.name, self.folder = name, f"{folder}/bench"
        self.read_only = f"{read_only or folder}/bench"  # the same folder, for programs that only read
        self.mounts, self.servers = dict(mounts), dict(servers)
        os.makedirs(self.folder)


def local_name(folder):
    kind = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=True).stdout.strip()
    return "ext4" if kind == "ext2/ext3" else kind


@contextlib.contextmanager
def pass_through(work):
    program = build(work, "pass_through", "-D_FILE_OFFSET_BITS=64", *library("fuse3"))
    below, mount = f"{work}/below", f"{work}/pass-through"
    os.makedirs(below)
    os.makedirs(mount)
    with Daemon("pass_through", [program, below, mount], f"{work}/pass_through.log") as daemon:
        try:
            wait_for(lambda: daemon.check_alive() and os.path.ismount(mount), 60, "the pass-through")
            yield System("pass-through", mount, {"pass-through": daemon.pid})
        finally:
            subprocess.run(["umount", "-l", mount], check=False)


@contextlib.contextmanager
def moose(work):
    with moosefs.MooseFs(f"{work}/moosefs") as m:
        pids = {name: daemon.pid for name, daemon in m.daemons.items() if name != "network"}
        mounts = {"mount": pids.pop("mount")}
        yield System("MooseFS", m.mount, mounts, pids)


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


@contextlib.contextmanager
def cairn(work):
    mount = f"{work}/cairn-mount"
    with Cluster(f"{work}/cairn", nodes=3, mount=mount, properties={"dfs.replication": COPIES}) as cluster:
        keeper = cluster.pid("mount")
        mounts = {"mount's keeper": keeper} | {"mount": child for child in children_of(keeper)}
        servers = {d["name"]: d["pid"] for d in cluster.daemons if d["name"].startswith(("namenode", "datanode"))}
        read_only = Mount(cluster, f"{work}/cairn-read-only", f"{work}/cairn-read-only.log", "-o", "ro,passthrough")
        try:
            yield System("Cairn", mount, mounts, servers, read_only.path)
        finally:
            read_only.stop()


# ---- the steps, each of which finds what those before it left ----


def busy_share(seconds):
    """Of the machine's cores, disk included, over the next so many seconds."""
    def ticks():
        with open("/proc/stat") as file:
            fields = list(map(int, file.readline().split()[1:9]))
        return sum(fields), fields[3]  # all, idle

    all_before, idle_before = ticks()
    time.sleep(seconds)
    all_after, idle_after = ticks()
    return 1 - (idle_after - idle_before) / max(1, all_after - all_before)


def settle(deadline_s=30):
    """What a system put off (write-back, deleted chunks) is not to be paid by the one that is measured next."""
    os.sync()
    end = time.monotonic() + deadline_s
    while busy_share(0.25) > 0.1 and time.monotonic() < end:
        pass


def drop_caches(what):
    """1: pages of files that are on the disk, 2: names and inodes; those of all file systems."""
    with open("/proc/sys/vm/drop_caches", "w") as file:
        file.write(f"{what}\n")


class Steps:
    def __init__(self, work, size):
        self.work, self.size = work, size
        self.file_rate, self.copy_chain = build(work, "file_rate"), build(work, "copy_chain")
        self.archive, self.tree_files = f"{work}/tree.tar", 0
        self.local = None  # the name of the system without a mount

    def rate(self, system, operation, threads, amount):
        """Of the load generator; on the local disk, reads are from the page cache that the others have below them."""
        if system.name == self.local:
            operation = {"read": "reread", "random": "rerandom"}.get(operation, operation)
        return self.rate_in(system.folder, operation, threads, amount)

    def rate_in(self, folder, operation, threads, amount):
        command = [self.file_rate, operation, folder, str(threads), str(amount)]
        return float(checked(command, stdout=subprocess.PIPE, text=True).stdout)

    def prepare_archive(self):
        checked(["tar", "-C", ROOT, "--exclude=./build", "--exclude=.git", "-cf", self.archive, self.size.tree])
        listed = checked(["tar", "-tf", self.archive], stdout=subprocess.PIPE, text=True).stdout
        self.tree_files = len(listed.splitlines())

    # before a step, not measured
    def quiet(self, system):
        """Nothing left to be written back, and memory that was touched a moment ago: a virtual machine's host takes back what is
        free for long."""
        settle()
        with open("/proc/meminfo") as file:
            available = next(int(line.split()[1]) for line in file if line.startswith("MemAvailable:")) // 1024
        mib = min((COPIES + 1) * self.size.stream_mib, available // 2)
        checked([self.file_rate, "warm", system.folder, "1", str(mib)], stdout=subprocess.DEVNULL)

    def without_streams(self, system):
        self.without_files(system)
        self.quiet(system)

    def one_block_each(self, system):
        self.without_streams(system)
        self.rate(system, "write", BLOCK_STREAMS, self.size.stream_mib)
        self.quiet(system)

    def without_files(self, system):
        """Nor pages of files, of whatever system, that would have to make room for what is written next."""
        shutil.rmtree(system.folder)
        os.makedirs(system.folder)
        settle()
        drop_caches(1)

    def without_tree(self, system):
        self.without_files(system)
        with open(self.archive, "rb") as archive:
            archive.read()

    def read_once(self, system, threads):
        """What lies below a mount has the files in memory again, of which it was bereft."""
        self.quiet(system)
        self.rate(system, "read", threads, self.size.stream_mib)

    def forget_names(self, system):
        """By the mount's kernel alone: what lies below has them in memory, of which others that made files bereft it."""
        self.rate(system, "stat", 1, self.size.small_files)
        self.forget_names_now(system)

    def forget_names_now(self, _system):
        settle()
        drop_caches(2)

    def with_repository(self, system):
        self.git(system, "init", "--quiet")
        self.git(system, "add", "--all")
        self.git(system, "-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "--quiet", "-m", "tree")
        self.git(system, "status", "--porcelain")  # writes the index once more, with times that are not doubtful
        self.forget_names_now(system)

    # measured
    def git(self, system, *args):
        alone = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
        return checked(["git", "-C", system.folder, *args], stdout=subprocess.PIPE, env=alone).stdout

    def git_status(self, system):
        if self.git(system, "status", "--porcelain"):
            sys.exit(f"bench: git sees changes in a tree that nobody changed, on {system.name}")

    def list_folder(self, system):
        listed = checked(["ls", "-l", system.folder], stdout=subprocess.PIPE).stdout
        if listed.count(b"\n") != self.size.small_files + 1:
            sys.exit(f"bench: ls on {system.name} does not list every file")

    def all(self):
        """[(what, unit, aim, before, step, amount)]: step returns a rate, or the amount was done in the measured time."""
        mib, small = self.size.stream_mib, self.size.small_files

        def of(operation, threads, amount):
            return lambda system: self.rate(system, operation, threads, amount)

        def tar(system):
            checked(["tar", "-C", system.folder, "-xf", self.archive])

        nothing = lambda system: settle()  # noqa: E731
        steps = []
        for threads in 1, 4:
            streams = f"{threads} stream{'s' * (threads > 1)}"
            before_reading = functools.partial(self.read_once, threads=threads)
            steps += [
                (f"write, {streams}", "MiB/s", "chain", self.without_streams, of("write", threads, mib), mib),
                (f"write and fsync, {streams}", "MiB/s", "chain fsync", self.without_streams, of("fsync", threads, mib), mib),
                (f"read, {streams}", "MiB/s", "read", before_reading, of("read", threads, mib), mib),
            ]
            if threads == 1:
                reads = self.size.random_reads
                steps.append(("read 4 KiB anywhere", "op/s", "read", nothing, of("random", 1, reads), reads))

        def read_blocks(system):
            """The median of several, since a GiB of a page cache is read in a thirtieth of a second."""
            return statistics.median(self.rate_in(system.read_only, "reread", BLOCK_STREAMS, mib) for _ in range(5))

        steps += [
            (f"read, {BLOCK_STREAMS} streams, passthrough", "MiB/s", "disk", self.one_block_each, read_blocks, mib),
            ("make, write, close 4 KiB", "op/s", "", self.without_files, of("make", 1, small), small),
            ("stat", "op/s", "", self.forget_names, of("stat", 1, small), small),
            ("ls -l", "files/s", "", self.forget_names, self.list_folder, small),
            ("rename", "op/s", "", nothing, of("rename", 1, small), small),
            ("unlink", "op/s", "", nothing, of("unlink", 1, small), small),
            ("make, write, close 4 KiB, 8 at once", "op/s", "", self.without_files, of("make", 8, small), small),
            ("tar -x of a source tree", "files/s", "", self.without_tree, tar, self.tree_files),
            ("git status", "files/s", "", self.with_repository, self.git_status, self.tree_files),
        ]
        return steps

    def chain(self, sync):
        """The bare chain. It is one for several streams too: more of them would only share the same cores."""
        command = [self.copy_chain, self.work, str(COPIES), str(self.size.stream_mib), *(["fsync"] if sync else [])]
        return float(checked(command, stdout=subprocess.PIPE, text=True).stdout)


# ---- a run ----


@dataclass
class Seen:
    rate: float
    load_cpu_s: float
    mount_cpu_s: float = 0
    server_cpu_s: float = 0


def measure_step(system, step, amount):
    mounts, said = list(system.mounts.values()), []
    mount_before = cpu_seconds(mounts)
    sample = measure(lambda: said.append(step(system)), list(system.servers.values()))
    rate = said[0] if said[0] is not None else amount / sample.wall_s
    return Seen(rate, sample.client_cpu_s, cpu_seconds(mounts) - mount_before, sample.server_cpu_s)


def measure_chain(steps, sync):
    said = []
    sample = measure(lambda: said.append(steps.chain(sync)))
    return Seen(said[0], sample.client_cpu_s)


def middle(runs):
    """Of the runs after the first, the one with the median rate; of a single one, that."""
    counted = runs[1:] or runs
    rate = statistics.median_low([run.rate for run in counted])
    return next(run for run in counted if run.rate == rate)


def run_rounds(steps, systems):
    """{(what, system's name): Seen}; each step is run on all systems in turn before the next one."""
    runs = {}
    for _ in range(1 + steps.size.rounds):
        for what, _unit, aim, before, step, amount in steps.all():
            for system in systems:
                before(system)
                runs.setdefault((what, system.name), []).append(measure_step(system, step, amount))
            if aim.startswith("chain"):
                drop_caches(1)
                steps.quiet(systems[0])
                runs.setdefault((what, "chain"), []).append(measure_chain(steps, aim == "chain fsync"))
    return {key: middle(values) for key, values in runs.items()}


def aimed_at(aim, what, seen, local):
    """The rate that this row should reach, or None if that cannot be said without MooseFS."""
    floor, moose_seen = seen[what, "pass-through"].rate, seen.get((what, "MooseFS"))
    if aim.startswith("chain"):
        return 0.7 * seen[what, "chain"].rate
    if aim == "read":
        return 0.9 * floor
    if aim == "disk":
        return 0.9 * seen[what, local].rate
    return min(2 * moose_seen.rate, 0.9 * floor) if moose_seen else None


def rate_table(steps, names, seen, note):
    head = ["", "unit", *names[:-1], "copy chain", names[-1], *(f"× {name}" for name in reversed(names[:-1]))]
    head += ["× copy chain", "of the aim"]
    rows = []
    for what, unit, aim, *_ in steps.all():
        ours, chain, target = seen[what, names[-1]].rate, seen.get((what, "chain")), aimed_at(aim, what, seen, names[0])
        row = [what, unit, *(figure(seen[what, name].rate) for name in names[:-1])]
        row += [figure(chain.rate) if chain else "", figure(ours)]
        row += [f"{ours / seen[what, name].rate:.2f}" for name in reversed(names[:-1])]
        row += [f"{ours / chain.rate:.2f}" if chain else "", f"{ours / target:.2f}" if target else ""]
        rows.append(row)
    return Table("The mount", note, head, rows)


def cpu_table(steps, names, seen):
    note = "CPU seconds of each of these runs: the programs that ask, the process of the mount, the servers."
    rows = []
    for what, *_ in steps.all():
        cells = [seen[what, name] for name in names]
        texts = [f"{cell.load_cpu_s:.2f} + {cell.mount_cpu_s:.2f} + {cell.server_cpu_s:.2f}" for cell in cells]
        rows.append([what, *texts, f"{seen[what, 'chain'].load_cpu_s:.2f}" if (what, "chain") in seen else ""])
    return Table("The mount: who worked how long", note, ["", *names, "copy chain"], rows)


def memory_table(systems):
    rows, sums = [], {}
    for system in systems:
        for name, pid in (system.servers | system.mounts).items():
            now, peak = memory_mib(pid)
            rows.append([f"{system.name}: {name}", figure(now), figure(peak)])
            sums[system.name] = sums.get(system.name, 0) + now
    for name, mib in sums.items():
        rows.append([f"{name}: all", figure(mib), ""])
    if "MooseFS" in sums:
        rows.append(["Cairn over MooseFS", f"{sums['Cairn'] / sums['MooseFS']:.3f}", ""])
    note = "MiB that each process holds after all of the above, and at most held. Here less is better."
    return Table("The mount: resident memory", note, ["", "MiB", "peak"], rows)


def note_of(size, local, has_moose, lacking):
    text = (
        f"Streams are {size.stream_mib:,} MiB in all, in pieces of 1 MiB; there are {size.small_files:,} small files; three datanodes "
        f"or chunkservers, {COPIES} copies. One round is every step on every system in turn. Before each the machine is idle and the page "
        "cache dropped, which else would have to make room, but not what is read. Before reading, what the mount's kernel "
        f"has cached is dropped, and what lies below stays cached; {local} reads from its page cache. Before stat, ls and git status "
        "the kernel forgets all names. The pass-through is the least that any FUSE file system costs; the copy chain hands bytes "
        f"through {COPIES} processes into as many files, with no checksum and no metadata. **Cairn syncs every change of metadata to "
        "the disk before it answers. MooseFS syncs none,** and writes what changed in the background; it runs with Debian's "
        "defaults, but at the same priority as all else and without its trash. (Mode, owner and times of a file that was just made "
        "and not closed yet, as tar sets them, Cairn syncs with its bytes, before it answers the close.) The aim is 0.7 of the copy chain for writing streams, "
        "0.9 of the pass-through for reading (with -o ro,passthrough, where the kernel reads the datanode's file by itself, 0.9 of "
        f"{local}), and else twice MooseFS or 0.9 of the pass-through, whichever is lower."
    )
    return text if has_moose else f"{text} **MooseFS is not in this table: {lacking}.**"


def cannot_run():
    if os.geteuid() != 0:
        return "it needs root, to mount and to make the kernel forget names"
    return "" if os.path.exists("/dev/fuse") else "there is no /dev/fuse"


def mount_tables(work, smoke=False):
    """The section's tables; none, and why on stderr, where it cannot run."""
    if why := cannot_run():
        print(f"bench: SKIPPED the section mount: {why}", file=sys.stderr)
        return []
    size, lacking = SMOKE if smoke else FULL, moosefs.missing()
    if lacking:
        print(f"bench: SKIPPED MooseFS: missing {' '.join(lacking)} (tools/deps bench)", file=sys.stderr)
    os.makedirs(f"{work}/local")  # and with it the work folder
    steps = Steps(work, size)
    steps.prepare_archive()
    with contextlib.ExitStack() as stack:
        systems = [System(local_name(work), f"{work}/local"), stack.enter_context(pass_through(work))]
        steps.local = systems[0].name
        if not lacking:
            systems.append(stack.enter_context(moose(work)))
        systems.append(stack.enter_context(cairn(work)))
        names = [system.name for system in systems]
        seen = run_rounds(steps, systems)
        note = note_of(size, steps.local, not lacking, "its packages are missing")
        return [rate_table(steps, names, seen, note), cpu_table(steps, names, seen), memory_table(systems)]

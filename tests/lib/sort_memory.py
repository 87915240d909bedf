"""A sort of many records, and what its worker and its tasks hold of memory while it runs."""
import os
import re
import subprocess
import threading

from lib import sanitizer
from lib.cluster import Cluster, cairn_path, client_env, run_cairn

RECORD_BYTES = 100
FILES = 8
BUILD = os.path.dirname(cairn_path())
TOOL = os.path.join(BUILD, "tests", "tools", "sort_records")
PROGRAMS = os.path.join(BUILD, "examples", "programs")
TASK_MIB, WORKER_MIB = 128, 32
SORT_BUFFER_MIB = 80  # of the 128: the rest is for programs, buffers of a merge, and what is read ahead


def sort_cluster(folder):
    return Cluster(folder, nodes=1, properties={"dfs.replication": 1, "dfs.blocksize": 128 << 20, "cairn.worker.slots": 2})


def make_input(cluster, mib):
    """(records, sum) of what is in /in then."""
    records, total = mib * (1 << 20) // RECORD_BYTES // FILES, 0
    cluster.fs("-mkdir", "/in", check=True)
    for i in range(FILES):
        maker = subprocess.Popen([TOOL, "make", "17", str(i * records), str(records)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        subprocess.run([cairn_path(), "fs", "-fs", cluster.uri, "-D", "dfs.replication=1", "-put", "-", f"/in/{i}"], stdin=maker.stdout,
                       env=client_env(), check=True)
        maker.stdout.close()
        count, part = map(int, maker.stderr.read().split())
        assert maker.wait() == 0 and count == records
        total = (total + part) % 2**64
    return records * FILES, total


def check_output(cluster, out):
    checker = subprocess.Popen([TOOL, "check"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    subprocess.run([cairn_path(), "fs", "-fs", cluster.uri, "-cat", f"{out}/part-*"], stdout=checker.stdin, env=client_env(), check=True)
    checker.stdin.close()
    count, total, order = checker.stdout.read().decode().split()
    assert checker.wait() == 0
    return (int(count), int(total)), order


class Memory:
    """Looks at a worker and all processes below it until it is left; the most that was seen, in MiB of the resident set:
    of the worker with its spawner, of a task with its programs, and of a task if what is shared is shared out (Pss)."""

    def __init__(self, worker_pid):
        self.worker_pid = worker_pid
        self.worker = self.task_rss = self.task_pss = 0.0
        self.samples = self.tasks_seen = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.wait(0.1):
            self._look()

    def _look(self):
        children = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat") as file:
                    children.setdefault(int(file.read().rsplit(")", 1)[1].split()[1]), []).append(int(pid))
            except OSError:
                pass  # it has ended
        worker, tasks = memory_of(self.worker_pid)[0], 0
        for child in children.get(self.worker_pid, []):
            family = [child]
            for pid in family:  # one that was made a moment ago still is its parent, memory and all
                family += [found for found in children.get(pid, []) if name_of(found) != "cairn-task"]
            sizes = [memory_of(pid) for pid in family]
            rss, pss = sum(size[0] for size in sizes), sum(size[1] for size in sizes)
            if name_of(child) == "cairn-spawner":
                worker += pss  # its pages are those of the tasks, until they write
                continue
            tasks += 1
            self.task_rss, self.task_pss = max(self.task_rss, rss), max(self.task_pss, pss)
        self.worker, self.tasks_seen = max(self.worker, worker), max(self.tasks_seen, tasks)
        self.samples += 1


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return ""


def memory_of(pid):
    """(Rss, Pss) in MiB; of a process that has ended, nothing."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            found = dict(re.findall(r"^(Rss|Pss): +(\d+) kB", file.read(), re.M))
        return int(found.get("Rss", 0)) / 1024, int(found.get("Pss", 0)) / 1024
    except OSError:
        return 0, 0


PROGRAM = ["-program", f"{PROGRAMS}/sort.so"]
COMMANDS = ["-mapper", "cut -c 1-", "-reducer", "cut -c 1-", "-D", "stream.map.output.field.separator= ", "-D", "stream.reduce.input.field.separator= "]


def check_sort(folder, mib, how):
    """Sorts that much; the output is right, and the memory within its bounds."""
    with sort_cluster(os.path.join(folder, "cluster")) as cluster:
        want = make_input(cluster, mib)
        with Memory(cluster.pid("worker-1")) as memory:
            done = run_cairn("streaming", "-fs", cluster.uri, "-D", "dfs.replication=1", "-D", f"mapreduce.task.io.sort.mb={SORT_BUFFER_MIB}", *how,
                             "-partitioner", "TotalOrderPartitioner", "-numReduceTasks", 4, "-input", "/in", "-output", "/out", deadline_s=60 + mib)
        assert done.returncode == 0, done.stderr.decode()
        print(f"{mib} MiB: worker {memory.worker:.1f} MiB, task {memory.task_rss:.1f} MiB (Pss {memory.task_pss:.1f}), {memory.samples} looks")
        assert check_output(cluster, "/out") == (want, "sorted")
    assert memory.samples > 10 and memory.tasks_seen >= 2
    assert memory.task_rss <= TASK_MIB * sanitizer.memory_factor()
    assert memory.worker <= WORKER_MIB * sanitizer.memory_factor()

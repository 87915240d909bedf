"""Wall and CPU time of one step, client and servers apart."""
import os
import resource
import statistics
import time
from dataclasses import dataclass

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids):
    """User and system time that the processes have used so far, with all their threads and the children they ended."""
    total = 0
    for pid in pids:
        total += time.clock_gettime(~pid << 3 | 2)  # the process's CPU clock, as clock_getcpuclockid(3) makes it
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        total += sum(map(int, fields[13:15])) / TICKS
    return total


def _children_cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def memory_mib(pid):
    """What the process holds now, and the most it held so far."""
    with open(f"/proc/{pid}/status") as file:
        said = dict(line.split(":", 1) for line in file)
    return tuple(int(said[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))


def resident_mib(pids):
    return sum(memory_mib(pid)[0] for pid in pids)


@dataclass
class Sample:
    wall_s: float
    client_cpu_s: float
    server_cpu_s: float


def measure(step, server_pids=(), client_pids=()):
    """Runs step() once. The client's time is that of the children it waits for, and of client_pids."""
    client, server = _children_cpu_seconds() + cpu_seconds(client_pids), cpu_seconds(server_pids)
    start = time.monotonic()
    step()
    wall_s = time.monotonic() - start
    return Sample(
        wall_s, _children_cpu_seconds() + cpu_seconds(client_pids) - client, cpu_seconds(server_pids) - server
    )


def median(samples):
    """The sample with the median wall time."""
    middle = statistics.median_low([sample.wall_s for sample in samples])
    return next(sample for sample in samples if sample.wall_s == middle)

"""How much memory a step needs, over all processes that take part."""
import os
import threading

EVERY_S = 0.25
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def _parents():
    """{pid: its parent's}"""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    parents[int(name)] = int(file.read().rsplit(")", 1)[1].split()[1])
            except OSError:  # it has ended
                pass
    return parents


def with_descendants(pids):
    """The processes and all that they have started, directly or not. Their CPU seconds together, with those of ended children,
    are all that was used: who ends hands his to his parent, and who is kept for the next job is among them."""
    parents, found = _parents(), set(pids)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _own_bytes(pid):
    """Without pages of files, which others have too or could have."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            _, resident, shared = map(int, file.read().split()[:3])
        return (resident - shared) * PAGE_BYTES
    except OSError:
        return 0


class MemoryWatch:
    """While it is entered: peak_mib is the most that the servers, what we start, and all their descendants held together."""

    def __init__(self, server_pids):
        self.servers, self.peak_mib = set(server_pids), 0.0
        parents, us = _parents(), os.getpid()
        self._others = {pid for pid, parent in parents.items() if parent == us} - self.servers
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _look(self):
        parents, us = _parents(), os.getpid()

        def counts(pid):
            while pid in parents and pid not in self._others:
                if pid in self.servers or parents[pid] == us:
                    return True
                pid = parents[pid]
            return False

        mib = sum(_own_bytes(pid) for pid in parents if pid != us and counts(pid)) / 2**20
        self.peak_mib = max(self.peak_mib, mib)

    def _watch(self):
        while not self._over.wait(EVERY_S):
            self._look()

    def __enter__(self):
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

"""kill -9 of namenode and datanodes all at once, at a random moment of a stream of operations, again and again on the same
folders: after each start every acknowledged operation is there, none is there by half, and nobody had to help."""
import hashlib
import os
import random
import threading
import time

import pytest

from lib.cluster import cairn_path, client_env, run_cairn
from lib.ports import port_block
from lib.process import Daemon, log_tail
from lib.waiting import wait_for

ROUNDS = int(os.environ.get("CAIRN_RESTART_ROUNDS", "20"))
WRITERS = 4
BLOCK = 64 * 1024


class Storage:
    """A namenode and three datanodes, without a supervisor: what is killed stays dead until start()."""

    def __init__(self, folder):
        self.folder, self.base, self.daemons = str(folder), port_block(), []
        self.uri = f"hdfs://127.0.0.1:{self.base}"

    def _daemon(self, name, *words):
        settings = [word for pair in words for word in ("-D", pair)]
        common = ["-D", f"fs.defaultFS={self.uri}", "-D", "dfs.heartbeat.interval=1", "-D",
                  "dfs.namenode.fs-limits.min-block-size=1024"]
        command = [cairn_path(), name.split("-")[0], *common, *settings]
        self.daemons.append(Daemon(name, command, f"{self.folder}/{name}.log", env=client_env()))

    def start(self):
        self.daemons = []
        self._daemon("namenode", f"dfs.namenode.http-address=127.0.0.1:{self.base + 1}",
                     f"dfs.namenode.name.dir={self.folder}/name")
        for i in (1, 2, 3):
            at = f"127.0.0.{i}"
            self._daemon(f"datanode-{i}", f"dfs.datanode.data.dir={self.folder}/data-{i}", f"dfs.datanode.hostname={at}",
                         f"dfs.datanode.address={at}:{self.base + 2}", f"dfs.datanode.ipc.address={at}:{self.base + 3}",
                         f"dfs.datanode.http.address={at}:{self.base + 4}")
        wait_for(self.is_ready, 30, "a namenode out of safe mode with three datanodes")

    def is_ready(self):
        for daemon in self.daemons:
            daemon.check_alive()
        report = run_cairn("dfsadmin", "-fs", self.uri, "-report", deadline_s=10).stdout
        return b"Live datanodes (3)" in report and b"OFF" in run_cairn("dfsadmin", "-fs", self.uri, "-safemode", "get").stdout

    def kill_all(self):
        for daemon in self.daemons:
            daemon.kill()
        for daemon in self.daemons:
            daemon.stop()

    def fs(self, *args, **options):
        return run_cairn("fs", "-fs", self.uri, "-D", f"dfs.blocksize={BLOCK}", *args, **options)


class Writer:
    """One client's stream of operations in a folder of its own, and what must be there after each acknowledgement."""

    def __init__(self, storage, number, seed):
        self.storage, self.root, self.random = storage, f"/w{number}", random.Random(seed)
        self.there = {}      # path -> None for a directory, digest for a file
        self.unsure = None   # (operation, path, other path): under way when the cluster died
        self.count = 0

    def fresh(self):
        self.count += 1
        return f"{self.root}/{self.count:05d}"

    def pick(self, kind):
        found = [path for path, what in self.there.items() if path != self.root and (what is None) == (kind == "dir")]
        return self.random.choice(found) if found else None

    def step(self):
        """One operation. False: it was not acknowledged."""
        what = self.random.choice(["mkdir", "touch", "put", "put", "move", "remove"])
        target = self.pick("dir" if self.random.random() < 0.3 else "file")
        if what in ("move", "remove") and not target:
            what = "put"
        path = self.fresh()
        if what == "mkdir":
            return self.run((what, path, None), ("-mkdir", "-p", path), lambda: self.there.update({path: None}))
        if what == "touch":
            digest = hashlib.sha256().hexdigest()
            return self.run((what, path, None), ("-touchz", path), lambda: self.there.update({path: digest}))
        if what == "put":
            data = self.random.randbytes(self.random.choice([10, BLOCK, 3 * BLOCK + 5]))
            digest = hashlib.sha256(data).hexdigest()
            return self.run((what, path, digest), ("-put", "-", path), lambda: self.there.update({path: digest}), data)
        if what == "move":
            return self.run((what, target, path), ("-mv", target, path), lambda: self.there.update({path: self.there.pop(target)}))
        return self.run((what, target, None), ("-rm", "-r", "-skipTrash", target), lambda: self.there.pop(target))

    def run(self, operation, command, acknowledged, data=b""):
        self.unsure = operation
        if self.storage.fs(*command, stdin=data).returncode:
            return False
        acknowledged()
        self.unsure = None
        return True

    def settle(self, seen):
        """What the cluster made of the operation that was under way becomes part of what must be there."""
        if not self.unsure:
            return
        what, path, other = self.unsure
        self.unsure = None
        if what == "mkdir" and path in seen:
            self.there[path] = None
        elif what == "remove" and path not in seen:
            self.there.pop(path)
        elif what == "move" and other in seen:
            assert path not in seen, f"{path} and {other} are both there: half a rename"
            self.there[other] = self.there.pop(path)
        elif what == "touch" and path in seen:
            self.there[path] = hashlib.sha256().hexdigest()
        elif what == "put" and path in seen:
            self.there[path] = other
        elif what == "put" and f"{path}._COPYING_" in seen:
            self.storage.fs("-rm", "-skipTrash", f"{path}._COPYING_", check=True)
            seen.remove(f"{path}._COPYING_")

    def check(self):
        listing = self.storage.fs("-ls", "-R", "-C", self.root, check=True).stdout.decode()
        seen = set(listing.split())
        self.settle(seen)
        assert seen == set(self.there) - {self.root}
        for path in self.random.sample(sorted(self.there), min(6, len(self.there))):
            if self.there[path] is not None:
                data = self.storage.fs("-cat", path, check=True).stdout
                assert hashlib.sha256(data).hexdigest() == self.there[path], path


@pytest.fixture
def storage(tmp_path):
    cluster = Storage(tmp_path)
    try:
        yield cluster
    except BaseException:
        for daemon in cluster.daemons:
            print(daemon.name, log_tail(daemon.log))
        raise
    finally:
        cluster.kill_all()


def work(writer, stop, failures):
    try:
        while not stop.is_set() and writer.step():
            pass
    except BaseException as error:  # shown by the test's own thread
        failures.append(error)


def test_twenty_times_kill_everything(storage):
    seed = int(os.environ.get("CAIRN_RESTART_SEED", time.time()))
    print(f"CAIRN_RESTART_SEED={seed}")
    moments, done = random.Random(seed), 0
    writers = [Writer(storage, number, seed + number) for number in range(WRITERS)]
    storage.start()
    for writer in writers:
        storage.fs("-mkdir", writer.root, check=True)
        writer.there[writer.root] = None
    for _ in range(ROUNDS):
        stop, failures = threading.Event(), []
        threads = [threading.Thread(target=work, args=(writer, stop, failures)) for writer in writers]
        for thread in threads:
            thread.start()
        time.sleep(moments.uniform(0.2, 1.5))  # the moment is the point; nothing is awaited
        storage.kill_all()
        stop.set()
        for thread in threads:
            thread.join(90)
        assert not failures, failures
        storage.start()
        for writer in writers:
            writer.check()
        done = sum(writer.count for writer in writers)
    print(f"{done} operations, {sum(len(writer.there) for writer in writers)} paths at the end")
    assert done > ROUNDS * WRITERS
    fsck = storage.fs("-count", "/", check=True)
    print(fsck.stdout.decode())

"""What several mounts append to one file, while processes of one of them are killed: each byte is there once, and nothing lies over
what another has appended."""
import contextlib
import os
import platform
import signal
import subprocess
import sys
import zlib

import pytest

from lib.data import MIB
from lib.posix_mounts import beside, cluster, hdfs_bytes, here, keeper_of, mount_on, other, path_in_dfs, serving_of
from lib.waiting import wait_for

FIRST = b"staged when it was killed " * 4
CLOSE = {"x86_64": 3}.get(platform.machine(), 57)
BETWEEN = b"appended by the other mount " * 3


@contextlib.contextmanager
def _without_a_process(keeper, serving):
    """The mount's process is killed, and the next one comes afterwards."""
    os.kill(keeper, signal.SIGSTOP)
    try:
        os.kill(serving, signal.SIGKILL)
        yield
    finally:
        os.kill(keeper, signal.SIGCONT)


def _append(path, data):
    with open(path, "ab", buffering=0) as f:
        f.write(data)


def _seen(cluster, other, path):
    """By HDFS's clients, and through both mounts."""
    data = hdfs_bytes(cluster, path)
    for mounted in path, beside(cluster, other, path):
        wait_for(lambda: open(mounted, "rb").read() == data, 5, f"{mounted} to show the same")
    return data


def test_what_a_killed_process_appended_goes_behind_what_another_did(cluster, here, other):
    path, keeper = here + "/f", keeper_of(cluster)
    serving = serving_of(keeper)  # a child would close its copies of open files, and so save them
    _append(path, b"before ")
    with open(path, "ab", buffering=0) as f:
        f.write(FIRST)
        with _without_a_process(keeper, serving):
            _append(beside(cluster, other, path), BETWEEN)
        f.write(b"last")
    assert _seen(cluster, other, path) == b"before " + BETWEEN + FIRST + b"last"


def test_what_had_come_into_the_file_before_the_kill_stays_there(cluster, here, other):
    path, keeper, data = here + "/f", keeper_of(cluster), os.urandom(3 * MIB)
    serving = serving_of(keeper)
    with open(path, "ab", buffering=0) as f:
        f.write(data[:MIB])
        os.fsync(f.fileno())
        f.write(data[MIB:])
        with _without_a_process(keeper, serving):
            _append(beside(cluster, other, path), BETWEEN)
        f.write(b"last")
    seen = _seen(cluster, other, path)
    at = seen.index(BETWEEN)
    assert at >= MIB and seen[:at] + seen[at + len(BETWEEN):] == data + b"last"


def test_nobody_else_appended_before_the_next_process_came(cluster, here, other):
    path, keeper = here + "/f", keeper_of(cluster)
    serving = serving_of(keeper)
    with open(path, "ab", buffering=0) as f:
        for i in range(5):
            f.write(b"%d " % i * 20)
        os.kill(serving, signal.SIGKILL)
        f.write(b"last")
    assert _seen(cluster, other, path) == b"".join(b"%d " % i * 20 for i in range(5)) + b"last"


@pytest.mark.parametrize("change", [lambda fd: os.pwrite(fd, b"PLACE", 3), lambda fd: os.pread(fd, 10, 0), lambda fd: os.ftruncate(fd, 50)],
                         ids=["write", "read", "truncate"])
def test_what_is_done_to_a_place_after_the_kill_is_done_to_that_place(cluster, here, other, tmp_path, change):
    path, keeper = here + "/f", keeper_of(cluster)
    serving = serving_of(keeper)
    with open(path, "ab", buffering=0) as f, open(path, "r+b", buffering=0) as g:
        f.write(FIRST)
        with _without_a_process(keeper, serving):
            _append(beside(cluster, other, path), BETWEEN)
        change(g.fileno())
    model = tmp_path / "model"
    model.write_bytes(BETWEEN + FIRST)
    with open(model, "r+b") as f:
        change(f.fileno())
    assert _seen(cluster, other, path) == model.read_bytes()


def test_what_was_written_to_its_place_stays_there(cluster, here, other):
    path, keeper = here + "/f", keeper_of(cluster)
    serving = serving_of(keeper)
    open(path, "w").close()
    with open(path, "r+b", buffering=0) as f:
        f.write(BETWEEN.upper() * 2)
        with _without_a_process(keeper, serving):
            _append(beside(cluster, other, path), BETWEEN)
        f.write(b"last")
    assert _seen(cluster, other, path) == BETWEEN.upper() * 2 + b"last"


def test_what_a_mount_that_was_killed_as_a_whole_appended_goes_behind_the_end(cluster, here, tmp_path):
    target = tmp_path / "mnt"
    daemon = mount_on(cluster, target, tmp_path / "log")
    serving = serving_of(daemon.pid)
    _append(here + "/f", b"before ")
    f = os.open(str(target) + path_in_dfs(cluster, here) + "/f", os.O_WRONLY | os.O_APPEND)
    os.write(f, FIRST)
    os.kill(daemon.pid, signal.SIGSTOP)
    os.kill(serving, signal.SIGKILL)
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.stop()
    with contextlib.suppress(OSError):
        os.close(f)
    _append(here + "/f", BETWEEN)
    again = mount_on(cluster, target, tmp_path / "log2", fresh=False)
    wait_for(lambda: hdfs_bytes(cluster, here + "/f") == b"before " + BETWEEN + FIRST, 20, "what was staged")
    again.stop()


# ---- under fire ----

WRITER = """
import os, random, select, sys, zlib
path, name, said = sys.argv[1:]
i, rng = 0, random.Random(name)
while not select.select([sys.stdin], [], [], 0)[0]:
    f = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for left in reversed(range(rng.randrange(1, 200))):
        text = f"{name} {i:08} ".ljust(119, "-")
        assert os.write(f, f"{text}{zlib.crc32(text.encode()):08x}\\n".encode()) == 128
        i += 1
        open(said, "w").write(f"{i} {left}")
    os.close(f)
"""


class Appender:
    """A process that appends numbered records of 128 bytes, some at a time. (Linux hands what crosses the end of a page that it has not
    cached to the mount in two writes.)"""

    def __init__(self, path, name, folder):
        self._name, self._said = name, folder / f"said-{name}"
        self._process = subprocess.Popen([sys.executable, "-c", WRITER, path, name, str(self._said)], stdin=subprocess.PIPE,
                                         stderr=subprocess.PIPE)

    def _says(self):
        """How many it has written, and how many follow before it closes the file."""
        assert self._process.poll() is None, self._process.stderr.read()
        said = self._said.read_text().split() if self._said.exists() else []
        return [int(number) for number in said] if len(said) == 2 else [0, 0]

    def written(self):
        return self._says()[0]

    def is_writing(self):
        return self._says()[1] > 0

    def end(self):
        assert self._process.communicate(timeout=120)[1] == b"" and self._process.returncode == 0
        return [f"{self._name} {i:08} ".ljust(119, "-") for i in range(int(self._said.read_text().split()[0]))]

    def kill(self):
        self._process.kill()
        self._process.communicate()


def _wait_for_more(writers):
    before = {name: writer.written() for name, writer in writers.items()}
    wait_for(lambda: all(writers[name].written() > before[name] + 30 for name in writers), 120, "records of all writers")


def test_every_record_is_there_once_whoever_is_killed_when(cluster, here, other, tmp_path):
    folders, keeper = {"here": here, "there": beside(cluster, other, here)}, keeper_of(cluster)
    with contextlib.ExitStack() as ends:
        writers = {}
        for name in "here0", "there0", "here1", "there1":
            writers[name] = Appender(folders[name[:-1]] + "/log", name, tmp_path)
            ends.callback(writers[name].kill)
        for i in range(int(os.environ.get("CAIRN_ROUNDS", 1)) * 12):
            _wait_for_more(writers)
            serving = serving_of(keeper)
            wait_for(lambda: writers["here0"].is_writing() or writers["here1"].is_writing(), 60, "one of them to write")
            os.kill(serving, signal.SIGKILL)
            if i % 3 == 0:  # and again, while that one is about to save
                os.kill(serving_of(keeper), signal.SIGKILL)
        expected = {name: writer.end() for name, writer in writers.items()}
    data = _seen(cluster, other, here + "/log")
    seen = {name: [] for name in writers}
    for at in range(0, len(data), 128):
        text, rest = data[at:at + 119], data[at + 119:at + 128]
        assert rest == b"%08x\n" % zlib.crc32(text), f"at {at}: {data[at:at + 128]}"
        seen[text.split()[0].decode()].append(text.decode())
    for name in writers:
        lost = set(expected[name]) - set(seen[name])
        assert not lost, f"{len(lost)} of {len(expected[name])} lost: {sorted(lost)[:5]}"
        assert seen[name] == expected[name], f"{len(seen[name])} for {len(expected[name])}"


PROGRAM = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(fd, b"a" * 300000)
os.fsync(fd)
os.write(fd, b"b" * 300000)
print("written", flush=True)
sys.stdin.readline()
os.close(fd)
"""


def _is_closing(pid):
    with open(f"/proc/{pid}/syscall") as file:
        return file.read().split()[0] == str(CLOSE)


def test_the_namenode_and_the_mounts_process_are_killed_together(cluster, here, tmp_path):
    """What is appended by a program of its own: this one starts daemons, whose processes close what it has open."""
    target = tmp_path / "mnt"
    daemon = mount_on(cluster, target, tmp_path / "log")
    path = f"{target}{path_in_dfs(cluster, here)}/f"
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert program.stdout.readline()
    cluster.kill("namenode")
    os.kill(serving_of(daemon.pid), signal.SIGKILL)
    program.stdin.write("\n")
    program.stdin.flush()
    wait_for(lambda: _is_closing(program.pid), 10, "the program to wait for its close")
    cluster.start_again("namenode")
    program.communicate(timeout=60)
    assert program.returncode == 0 and hdfs_bytes(cluster, here + "/f") == b"a" * 300000 + b"b" * 300000
    daemon.stop()

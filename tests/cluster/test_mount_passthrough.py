"""Files that the kernel reads by itself, on read-only mounts: FUSE passthrough. Whether it does is seen while the process
that serves the mount is stopped: nobody else could answer."""
import contextlib
import mmap
import os
import signal
import subprocess
import threading

import pytest

from lib.cluster import Cluster, run_cairn
from lib.mounts import Mount
from lib.needs import missing
from lib.waiting import wait_for

MIB = 1 << 20
OLD, NEW = os.urandom(3 * MIB), os.urandom(3 * MIB + 5)


def kernel_can():
    major, minor = map(int, os.uname().release.split(".")[:2])
    return (major, minor) >= (6, 9)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    if not kernel_can():
        missing("FUSE passthrough needs Linux 6.9")
    with Cluster(tmp_path_factory.mktemp("passthrough") / "cluster", nodes=2) as up:
        yield up


@pytest.fixture
def mount(cluster, tmp_path):
    put(cluster, "/one", OLD)
    with mounted(cluster, tmp_path) as up:
        yield up


@contextlib.contextmanager
def mounted(cluster, folder, options="ro,passthrough"):
    up = Mount(cluster, folder / "m", folder / "log", "-o", options)
    try:
        yield up
    finally:
        up.stop()


def put(cluster, path, data, *options):
    cluster.fs(*options, "-put", "-f", "-", path, stdin=data, check=True)


@contextlib.contextmanager
def nobody_serves(mount):
    """The process that serves is stopped; not for ever, since who waits for it cannot be killed."""
    pid, waited = mount.serving(), threading.Event()

    def go_on():
        waited.set()
        os.kill(pid, signal.SIGCONT)

    os.kill(pid, signal.SIGSTOP)
    patience = threading.Timer(5, go_on)
    patience.start()
    try:
        yield
    finally:
        patience.cancel()
        patience.join()
        os.kill(pid, signal.SIGCONT)
    assert not waited.is_set(), "it was the mount's process that had to answer"


def content(file):
    """What is open, with no call but reads: a stat asks the mount, since a read changes the access time."""
    return os.pread(file.fileno(), 2 * len(NEW), 0)


def test_the_kernel_reads_by_itself(mount):
    with open(f"{mount.path}/one", "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped, nobody_serves(mount):
        assert content(file) == mapped[:] == OLD
        assert os.pread(file.fileno(), 100, MIB + 7) == OLD[MIB + 7:MIB + 107]
        assert os.pread(file.fileno(), 100, len(OLD)) == b""


def test_what_is_not_one_block_here_is_read_by_the_mount(cluster, mount):
    put(cluster, "/blocks", NEW, "-D", f"dfs.blocksize={MIB}")
    put(cluster, "/short", b"short")
    put(cluster, "/empty", b"")
    for name, data in (("blocks", NEW), ("short", b"short"), ("empty", b"")):
        with open(f"{mount.path}/{name}", "rb") as file:
            assert file.read() == data


def test_who_has_it_open_sees_what_it_was(cluster, mount):
    path = f"{mount.path}/one"
    with open(path, "rb") as first:
        cluster.fs("-mv", "/one", "/aside", check=True)
        put(cluster, "/one", NEW)
        cluster.fs("-rm", "-skipTrash", "/aside", check=True)
        with open(path, "rb") as second:
            assert second.read() == NEW
            assert first.read() == OLD
            with nobody_serves(mount):
                assert os.pread(first.fileno(), 10, 0) == OLD[:10] and os.pread(second.fileno(), 10, 0) == NEW[:10]


def test_a_file_that_is_changed_is_seen_when_nobody_has_the_old_one(cluster, mount):
    path = f"{mount.path}/one"
    with open(path, "rb") as first:
        cluster.fs("-appendToFile", "-", "/one", stdin=b"more", check=True)
        with open(path, "rb") as second:
            assert second.read(10) == first.read(10) == OLD[:10]
    with open(path, "rb") as file:
        assert file.read() == OLD + b"more"


def opened_as(path, data):
    """The file, open, if it has that content."""
    file = open(path, "rb")
    if content(file) == data:
        return file
    file.close()
    return None


def test_another_mount_edits_it(cluster, mount, tmp_path):
    path = f"{mount.path}/one"
    (tmp_path / "writable").mkdir()
    with mounted(cluster, tmp_path / "writable", "rw") as writable:
        with open(path, "rb") as first:
            with open(f"{writable.path}/one", "r+b") as file:
                file.write(b"edited")
            with open(path, "rb") as second:
                assert content(first) == content(second) == OLD
        edited = b"edited" + OLD[6:]
        with wait_for(lambda: opened_as(path, edited), 10, "the mount to hear that it was closed"):
            pass


def test_the_process_that_serves_is_killed(mount):
    path = f"{mount.path}/one"
    with open(path, "rb") as first:
        mount.kill_serving()
        with open(path, "rb") as second, nobody_serves(mount):
            assert content(first) == content(second) == OLD
    with open(path, "rb") as file, nobody_serves(mount):
        assert content(file) == OLD


def test_the_program_is_exchanged(mount):
    path = f"{mount.path}/one"
    with open(path, "rb") as first:
        run_cairn("mount", "--reload", mount.path, check=True)
        with open(path, "rb") as second:
            assert first.read() == second.read() == OLD


def test_many_open_and_close_at_once(mount):
    reader = "import os, sys\nfor i in range(300):\n  with open(sys.argv[1], 'rb') as f: assert len(f.read()) == 3 << 20"
    readers = [subprocess.Popen(["python3", "-c", reader, f"{mount.path}/one"]) for _ in range(4)]
    assert [each.wait(timeout=120) for each in readers] == [0] * 4


def test_writable_mounts_may_not(cluster, tmp_path):
    done = run_cairn("mount", "-fs", cluster.uri, "--foreground", tmp_path, "-o", "passthrough")
    assert done.returncode != 0 and b"-o ro,passthrough" in done.stderr
    done = run_cairn("mount", "-fs", cluster.uri, "--foreground", tmp_path, "-o", "ro,passthrough,rw")
    assert done.returncode != 0 and b"-o ro,passthrough" in done.stderr


def test_made_writable_later(mount):
    """The superuser may remount it; what is open so is not written then."""
    path = f"{mount.path}/one"
    with open(path, "rb") as first:
        if subprocess.run(["mount", "-i", "-o", "remount,rw", mount.path], check=False, capture_output=True).returncode != 0:
            pytest.skip("this mount cannot be remounted")
        with pytest.raises(OSError):
            open(path, "r+b").close()
        assert first.read() == OLD

    def write():
        with contextlib.suppress(OSError), open(path, "r+b") as file:
            return file.write(b"x")

    wait_for(write, 10, "the mount to hear that it was closed")
    with open(path, "rb") as file:
        assert file.read() == b"x" + OLD[1:]

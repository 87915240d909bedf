"""A mount whose own processes are killed: the one that serves, or its keeper with it."""
import contextlib
import fcntl
import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time

import pytest

from lib import sanitizer
from lib.cluster import Cluster
from lib.data import MIB
from lib.ports import port_block
from lib.posix_mounts import cluster, hdfs_bytes, here, keeper_of, mount_on, path_in_dfs, serving_of
from lib.waiting import wait_for


def test_killing_the_serving_process_is_not_noticed(cluster, here):
    """A stream, an edited file, an unlinked one, a lock and a listing, all open across the death."""
    rng, stream, edited = random.Random(5), bytearray(), bytearray(os.urandom(2 * MIB))
    with open(here + "/edited", "wb") as f:
        f.write(edited)
    for i in range(50):
        open(f"{here}/name-{i}", "w").close()
    with open(here + "/stream", "wb", buffering=0) as s, open(here + "/edited", "r+b", buffering=0) as e, \
            open(here + "/gone", "w+b", buffering=0) as gone, os.scandir(here) as names:
        gone.write(b"nobody sees this")
        os.unlink(here + "/gone")
        fcntl.flock(e, fcntl.LOCK_EX)
        seen = {next(names).name}
        for i in range(30):
            part = rng.randbytes(300000)
            s.write(part)
            stream += part
            offset = rng.randrange(len(edited) - 5000)
            os.pwrite(e.fileno(), part[:5000], offset)
            edited[offset:offset + 5000] = part[:5000]
            if i % 10 == 5:
                os.kill(serving_of(keeper_of(cluster)), 9)
        assert os.pread(gone.fileno(), 100, 0) == b"nobody sees this"
        with open(here + "/edited", "r+b") as second, pytest.raises(BlockingIOError):
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        seen |= {entry.name for entry in names}
        assert os.pread(e.fileno(), 5000, offset) == edited[offset:offset + 5000]
    assert {f"name-{i}" for i in range(50)} <= seen
    assert hdfs_bytes(cluster, here + "/stream") == stream
    assert hdfs_bytes(cluster, here + "/edited") == edited


def test_a_lock_of_an_open_file_ends_with_it_after_a_death(cluster, here):
    def lock(f):
        fcntl.fcntl(f, fcntl.F_OFD_SETLK if hasattr(fcntl, "F_OFD_SETLK") else 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))

    def gets(f):
        with contextlib.suppress(BlockingIOError):
            lock(f)
            return True

    open(here + "/f", "w").close()
    with open(here + "/f", "r+") as other:
        with open(here + "/f", "r+") as f:
            lock(f)
            os.kill(serving_of(keeper_of(cluster)), 9)
            assert not gets(other)
        wait_for(lambda: gets(other), 10, "the end of the lock")


def test_a_mount_outlives_processes_that_die_at_once(cluster, here, tmp_path):
    target = tmp_path / "mnt"
    daemon = mount_on(cluster, target, tmp_path / "log")
    path = str(target) + path_in_dfs(cluster, here) + "/f"
    with open(path, "wb", buffering=0) as f:
        f.write(b"before")
        for _ in range(12):
            os.kill(serving_of(daemon.pid), 9)
        f.write(b" and after")
    assert open(path, "rb").read() == b"before and after"
    daemon.stop()


def test_what_was_open_before_a_kill_is_held_after_it(cluster, here):
    open(here + "/f", "w").write("still there")
    open(here + "/g", "w").write("replaced")
    with open(here + "/f") as f, open(here + "/g") as g:
        os.kill(serving_of(keeper_of(cluster)), 9)
        os.unlink(here + "/f")
        open(here + "/h", "w").close()
        os.rename(here + "/h", here + "/g")
        assert f.read() == "still there" and g.read() == "replaced"


def _append(path, stop, lines):
    """Numbered lines of 100 bytes, each by one write."""
    f = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    while not stop.is_set():
        lines.append(f"{len(lines):099}\n")
        os.write(f, lines[-1].encode())
    os.close(f)


def _make_and_remove(folder, stop, done):
    os.mkdir(folder)
    while not stop.is_set():
        os.mkdir(f"{folder}/d")
        os.rename(f"{folder}/d", f"{folder}/e")
        os.rmdir(f"{folder}/e")
        with open(f"{folder}/f", "x") as f:
            f.write("x")
        os.link(f"{folder}/f", f"{folder}/g")
        os.unlink(f"{folder}/f")
        os.symlink("g", f"{folder}/s")
        os.unlink(f"{folder}/s")
        assert open(f"{folder}/g").read() == "x"
        os.unlink(f"{folder}/g")
        os.setxattr(folder, "user.x", b"1", os.XATTR_CREATE)
        os.removexattr(folder, "user.x")
        done.append(folder)


def test_what_was_done_before_a_kill_is_not_done_again(cluster, here):
    """The kernel sends again what the dead process did not answer."""
    stop, lines, done, failed = threading.Event(), [[] for _ in range(3)], [], []

    def run(what, *args):
        try:
            what(*args)
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=run, args=(_append, f"{here}/log-{i}", stop, lines[i])) for i in range(3)]
    threads += [threading.Thread(target=run, args=(_make_and_remove, f"{here}/dir-{i}", stop, done)) for i in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(8):
        before = len(done), len(lines[0])
        wait_for(lambda: failed or (len(done) > before[0] + 3 and len(lines[0]) > before[1] + 20), 60, "work to be done")
        os.kill(serving_of(keeper_of(cluster)), 9)
    stop.set()
    for thread in threads:
        thread.join(120)
    assert not failed
    for i in range(3):
        assert open(f"{here}/log-{i}").read() == "".join(lines[i])


def test_a_mount_whose_process_is_killed_without_a_namenode_goes_on(cluster, here, tmp_path):
    target = tmp_path / "mnt"
    daemon = mount_on(cluster, target, tmp_path / "log", "-o", "retry=2s")
    path = str(target) + path_in_dfs(cluster, here) + "/f"
    with open(path, "wb") as f:
        f.write(bytes(MIB))
    with open(path, "r+b", buffering=0) as f, open(path + "2", "wb", buffering=0) as stream:
        os.pwrite(f.fileno(), b"staged", 1000)
        stream.write(b"streamed")
        cluster.kill("namenode")
        os.kill(serving_of(daemon.pid), 9)
        with pytest.raises(OSError):
            os.stat(path + "3")
        cluster.start_again("namenode")
        wait_for(lambda: os.path.exists(path), 30, "the mount to answer")
        assert os.pread(f.fileno(), 6, 1000) == b"staged"
        stream.write(b" and more")
    assert hdfs_bytes(cluster, here + "/f")[1000:1006] == b"staged"
    assert hdfs_bytes(cluster, here + "/f2") == b"streamed and more"
    daemon.stop()


def test_streams_that_a_kill_ended_keep_nobody_waiting(cluster, here):
    """Their last blocks are recovered beside what programs do."""
    with contextlib.ExitStack() as files:
        streams = [files.enter_context(open(f"{here}/f{i}", "wb", buffering=0)) for i in range(20)]
        for i, stream in enumerate(streams):
            stream.write(f"{i:08}".encode())
        os.kill(serving_of(keeper_of(cluster)), 9)
        began = time.monotonic()
        os.mkdir(here + "/d")
        assert sorted(os.listdir(here)) == ["d"] + sorted(f"f{i}" for i in range(20))
        assert time.monotonic() - began < 3 * sanitizer.slowness()
    for i in range(20):
        assert hdfs_bytes(cluster, f"{here}/f{i}") == f"{i:08}".encode()


# ---- both ----


def _kill_with_staged_bytes(daemon, path):
    serving = serving_of(daemon.pid)  # first: the process that asks would close, and so save, the file
    f = os.open(path, os.O_RDWR)
    os.pwrite(f, b"staged and not saved", 1000)
    os.pwrite(f, bytes(MIB), os.fstat(f).st_size)  # a quota minds
    os.kill(daemon.pid, signal.SIGSTOP)  # or it would start another one
    os.kill(serving, signal.SIGKILL)
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.stop()
    with contextlib.suppress(OSError):
        os.close(f)


def _leave_staged_bytes(cluster, here, target, log):
    """In the file f, of a mount that is dead."""
    daemon = mount_on(cluster, target, log)
    path = str(target) + path_in_dfs(cluster, here) + "/f"
    with open(path, "wb") as f:
        f.write(bytes(MIB))
    _kill_with_staged_bytes(daemon, path)


def test_a_mount_killed_as_a_whole_is_taken_up_by_the_next(cluster, here, tmp_path):
    target = tmp_path / "mnt"
    _leave_staged_bytes(cluster, here, target, tmp_path / "log")
    assert hdfs_bytes(cluster, here + "/f") == bytes(MIB)
    again = mount_on(cluster, target, tmp_path / "log2", fresh=False)
    wait_for(lambda: hdfs_bytes(cluster, here + "/f")[1000:1020] == b"staged and not saved", 10, "the staged bytes")
    again.stop()
    assert not os.path.ismount(target)


def test_mounting_again_waits_for_the_end_of_the_mount_before(cluster, tmp_path):
    """umount(8) returns when the kernel has let go; then the mount's processes end."""
    target, mounts = tmp_path / "mnt", []

    def looks():
        return open(cluster.daemon("namenode")["log"]).read().count("mount (looking)")

    before = mount_on(cluster, target, tmp_path / "log")
    looked = looks()
    os.kill(before.pid, signal.SIGSTOP)
    subprocess.run(["umount", target], check=True)
    again = threading.Thread(target=lambda: mounts.append(mount_on(cluster, target, tmp_path / "log2", fresh=False)))
    again.start()
    wait_for(lambda: looks() > looked, 10, "the next mount to look")
    os.kill(before.pid, signal.SIGCONT)
    again.join(30)
    before.stop()
    open(target / "f", "w").close()
    mounts[0].stop()


def test_what_was_staged_for_a_cluster_is_not_saved_in_another_one(tmp_path):
    """It has the same address, and a file of the same number."""
    target, base = tmp_path / "mnt", port_block()
    os.mkdir(target)
    with Cluster(tmp_path / "one", nodes=1, port_base=base) as one:
        one.fs("-put", "-", "/f", check=True, stdin=bytes(MIB))
        daemon = mount_on(one, target, tmp_path / "log", fresh=False)
        number = os.stat(target / "f").st_ino
        _kill_with_staged_bytes(daemon, str(target / "f"))
    with Cluster(tmp_path / "two", nodes=1, port_base=base) as two:
        two.fs("-put", "-", "/f", check=True, stdin=b"z" * MIB)
        daemon = mount_on(two, target, tmp_path / "log", fresh=False)
        assert os.stat(target / "f").st_ino == number
        assert open(target / "f", "rb").read() == b"z" * MIB
        daemon.stop()


def test_a_mount_whose_keeper_is_killed_ends_by_itself(cluster, tmp_path):
    target = tmp_path / "mnt"
    daemon = mount_on(cluster, target, tmp_path / "log")
    assert [line.split()[0] for line in open("/proc/self/mounts") if f" {target} " in line] == [cluster.uri]
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.stop()
    wait_for(lambda: f" {target} " not in open("/proc/self/mounts").read(), 10, "the end of the mount")


def test_what_the_next_mount_cannot_save_either_stays_staged(cluster, here, tmp_path):
    target = tmp_path / "mnt"
    _leave_staged_bytes(cluster, here, target, tmp_path / "log")
    cluster.dfsadmin("-setSpaceQuota", "1m", path_in_dfs(cluster, here), check=True)
    again = mount_on(cluster, target, tmp_path / "log2", fresh=False)
    again.stop()
    cluster.dfsadmin("-clrSpaceQuota", path_in_dfs(cluster, here), check=True)
    again = mount_on(cluster, target, tmp_path / "log3", fresh=False)
    wait_for(lambda: hdfs_bytes(cluster, here + "/f")[1000:1020] == b"staged and not saved", 10, "the staged bytes")
    again.stop()


def test_the_next_writer_of_a_killed_mounts_stream_waits_for_no_heartbeat(cluster, here, tmp_path):
    """Its last block has to be recovered, which a datanode hears of in an answer to one of those: they come every 3 s."""
    program = "import os, sys; f = open(sys.argv[1], 'wb', buffering=0); f.write(bytes(1 << 20)); os.fsync(f.fileno()); print(flush=True); input()"
    waits = []
    for i in range(5):
        target, path = tmp_path / f"mnt{i}", f"{here}/f{i}"
        daemon = mount_on(cluster, target, tmp_path / f"log{i}")
        writer = subprocess.Popen([sys.executable, "-c", program, str(target) + path_in_dfs(cluster, path)], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        assert writer.stdout.readline()
        serving = serving_of(daemon.pid)
        os.kill(daemon.pid, signal.SIGSTOP)
        os.kill(serving, signal.SIGKILL)
        os.kill(daemon.pid, signal.SIGKILL)
        began = time.monotonic()
        with open(path, "ab", buffering=0) as f:
            f.write(b"more")
            os.fsync(f.fileno())
        waits.append(time.monotonic() - began)
        writer.kill()
        writer.communicate()
        daemon.stop()
        subprocess.run(["umount", "-l", target], check=True)
        assert hdfs_bytes(cluster, path) == bytes(MIB) + b"more"
    assert sorted(waits)[2] < 1 * sanitizer.slowness(), waits

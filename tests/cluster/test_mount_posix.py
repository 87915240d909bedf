"""The mount of a Cairn namenode as the file system that programs expect: writes anywhere, links, special files, locks,
and two mounts of one file system that see each other's work. What each call must do is tests/posix's; here is what is
special about blocks, HDFS clients beside the mount, and daemons that die under it."""
import contextlib
import ctypes
import errno
import fcntl
import hashlib
import itertools
import json
import mmap
import os
import platform
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time

import pytest

from lib import sanitizer
from lib.cluster import Cluster, cairn_path, client_env, run_cairn
from lib.data import MIB
from lib.ports import port_block
from lib.process import Daemon
from lib.waiting import wait_for

BLOCK = 4 * MIB


def _mount(cluster, folder, log, *options, fresh=True):
    if fresh:
        os.mkdir(folder)
    command = [cairn_path(), "mount", "-fs", cluster.uri, "--foreground", str(folder), "-D", f"dfs.blocksize={BLOCK}", *options]
    daemon = Daemon("mount", command, str(log), env=client_env())
    wait_for(lambda: _is_served(folder), 20, "the mount")
    return daemon


def _is_served(folder):
    try:
        return os.path.ismount(folder) and os.listdir(folder) is not None
    except OSError:
        return False


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mount-posix")
    mount = tempfile.mkdtemp(prefix="cairn-mount-")
    os.chmod(mount, 0o755)
    with Cluster(folder / "cluster", nodes=3, mount=mount, properties={"dfs.blocksize": BLOCK}) as running:
        yield running
    os.rmdir(mount)


@pytest.fixture(scope="module")
def other(cluster, tmp_path_factory):
    """A second mount of the same file system."""
    folder = tmp_path_factory.mktemp("other") / "mnt"
    daemon = _mount(cluster, folder, folder.parent / "log")
    yield str(folder)
    daemon.stop()


@pytest.fixture
def here(cluster, request):
    path = os.path.join(cluster.mount, request.node.name.replace("/", "_"))
    os.mkdir(path)
    return path


def path_in_dfs(cluster, path):
    return path[len(cluster.mount):]


def hdfs_bytes(cluster, path):
    return cluster.fs("-cat", path_in_dfs(cluster, path), check=True).stdout


def beside(cluster, other, path):
    return other + path_in_dfs(cluster, path)


# ---- bytes ----


def test_writes_anywhere_are_what_everybody_reads(cluster, here):
    rng, model = random.Random(7), bytearray(os.urandom(10 * MIB + 12345))
    with open(here + "/f", "wb") as f:
        f.write(model)
    with open(here + "/f", "r+b", buffering=0) as f:
        for _ in range(60):
            offset, size = rng.randrange(len(model)), rng.randrange(1, 70000)
            part = rng.randbytes(size)
            os.pwrite(f.fileno(), part, offset)
            model[offset:offset + size] = part
        os.fsync(f.fileno())
        assert hashlib.sha256(hdfs_bytes(cluster, here + "/f")).digest() == hashlib.sha256(model).digest()
        os.pwrite(f.fileno(), b"last", 17)
        model[17:21] = b"last"
        assert os.pread(f.fileno(), len(model), 0)[:MIB] == model[:MIB]
    assert open(here + "/f", "rb").read() == model
    assert hdfs_bytes(cluster, here + "/f") == model
    assert b"is HEALTHY" in cluster.fsck(path_in_dfs(cluster, here + "/f")).stdout


def test_one_byte_costs_one_small_block(cluster, here):
    with open(here + "/f", "wb") as f:
        f.write(bytes(BLOCK))
    with open(here + "/f", "r+b") as f:
        f.write(b"x")
    with open(here + "/f", "r+b") as f:
        f.seek(1)
        f.write(b"y")
    blocks = cluster.fsck(path_in_dfs(cluster, here + "/f"), "-files", "-blocks").stdout.decode()
    lengths = [int(word.split("=")[1]) for word in blocks.split() if word.startswith("len=")]
    assert sum(lengths) == BLOCK and lengths[0] == 256 * 1024, blocks


def test_edits_of_a_file_with_the_smallest_blocks(cluster, here):
    data = bytearray(os.urandom(4 * MIB))
    cluster.fs("-D", f"dfs.blocksize={MIB}", "-put", "-", path_in_dfs(cluster, here) + "/f", check=True, stdin=bytes(data))
    with open(here + "/f", "r+b", buffering=0) as f:
        for offset in 0, 2 * MIB - 1:
            os.pwrite(f.fileno(), b"!", offset)
            data[offset:offset + 1] = b"!"
        os.fsync(f.fileno())
    assert hdfs_bytes(cluster, here + "/f") == data


def test_truncate_both_ways_and_holes(cluster, here):
    with open(here + "/f", "wb") as f:
        f.write(b"a" * 1000)
    os.truncate(here + "/f", 400)
    os.truncate(here + "/f", 3 * MIB)
    assert open(here + "/f", "rb").read() == b"a" * 400 + bytes(3 * MIB - 400)
    assert hdfs_bytes(cluster, here + "/f") == b"a" * 400 + bytes(3 * MIB - 400)
    assert os.stat(here + "/f").st_blocks * 512 < MIB
    with open(here + "/f", "r+b") as f:
        assert f.seek(0, os.SEEK_HOLE) <= 256 * 1024
        f.seek(1 << 40)
        f.write(b"end")
    assert os.stat(here + "/f").st_size == (1 << 40) + 3
    with open(here + "/f", "rb") as f:
        assert f.seek(MIB, os.SEEK_DATA) <= 1 << 40
        f.seek((1 << 40) - 5)
        assert f.read() == bytes(5) + b"end"


NEW = 256 << 10  # longer files become streams


def test_a_new_file_is_saved_at_once_or_becomes_a_stream(cluster, here):
    for size, piece in itertools.product([1, NEW - 1, NEW, NEW + 1, NEW + 70_000, BLOCK + 10], [40_000, BLOCK * 2]):
        data, path = random.Random(size).randbytes(size), f"{here}/{size}-{piece}"
        with open(path, "wb", buffering=0) as f, open(path, "rb") as again:
            for at in range(0, size, piece):
                f.write(data[at:at + piece])
                assert os.fstat(f.fileno()).st_size == min(at + piece, size)
            assert again.read() == data, path
        assert hdfs_bytes(cluster, path) == data, path
        with open(path, "ab") as f:
            f.write(b"more")
        assert hdfs_bytes(cluster, path) == data + b"more", path


def test_a_new_file_is_synced_written_on_and_emptied(cluster, here):
    with open(here + "/f", "wb", buffering=0) as f:
        for i in range(3):
            f.write(b"%d" % i * 100_000)
            os.fsync(f.fileno())
            assert hdfs_bytes(cluster, here + "/f") == b"".join(b"%d" % k * 100_000 for k in range(i + 1))
    with open(here + "/f", "wb") as f:
        f.write(b"short")
    assert hdfs_bytes(cluster, here + "/f") == b"short"
    with open(here + "/f", "wb", buffering=0) as f:
        os.unlink(here + "/f")
        f.write(b"x" * (2 * NEW))  # nobody will see it
        assert os.fstat(f.fileno()).st_size == 2 * NEW


def test_mapped_pages_are_written(cluster, here):
    with open(here + "/f", "wb") as f:
        f.write(bytes(MIB))
    with open(here + "/f", "r+b") as f, mmap.mmap(f.fileno(), MIB) as pages:
        pages[5:10] = b"hello"
        pages[MIB - 5:] = b"world"
        pages.flush()
    data = hdfs_bytes(cluster, here + "/f")
    assert data[5:10] == b"hello" and data[-5:] == b"world" and len(data) == MIB


def test_a_database_and_its_journal(cluster, here):
    for mode in "delete", "wal":
        with sqlite3.connect(f"{here}/{mode}.db") as db:
            db.execute(f"pragma journal_mode={mode}")
            db.execute("create table t (n integer primary key, s text)")
            for n in range(40):
                with db:
                    db.execute("insert into t values (?, ?)", (n, "x" * 1000))
        db.close()
        with sqlite3.connect(f"{here}/{mode}.db") as db:
            assert db.execute("select count(*), sum(length(s)) from t").fetchone() == (40, 40000)
            assert db.execute("pragma integrity_check").fetchone() == ("ok",)
        db.close()


def test_appends_of_many_processes_are_all_there(here):
    script = f"import os\nfd = os.open('{here}/log', os.O_WRONLY | os.O_APPEND | os.O_CREAT)\n" \
             "for i in range(50): os.write(fd, b'0123456789abcde\\n')"
    running = [subprocess.Popen(["python3", "-c", script]) for _ in range(4)]
    assert [process.wait(120) for process in running] == [0] * 4
    assert open(here + "/log").read() == "0123456789abcde\n" * 200


# ---- names ----


def test_a_file_that_grows_is_never_read_as_zeros(here):
    """Lines are appended, each by an open and a close, while others read as far as there is something."""
    done, wrong = threading.Event(), []

    def read():
        while not done.is_set():
            with open(here + "/f", "rb") as f:
                data = f.read()
            if data.count(b"x") != len(data):
                wrong.append(len(data))

    open(here + "/f", "w").close()
    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(150):
        with open(here + "/f", "ab", buffering=0) as f:
            for _ in range(4):
                f.write(b"x" * 5000)
    done.set()
    for reader in readers:
        reader.join()
    assert not wrong


def test_times_that_are_too_far_away_are_the_last_there_is(here):
    open(here + "/f", "w").close()
    for year_2400, least in (13569465600, 9223372036), (-13569465600, -9223372037):
        os.utime(here + "/f", (year_2400, year_2400))
        assert int(os.stat(here + "/f").st_mtime_ns // 10**9) == least
        assert int(os.stat(here + "/f").st_atime_ns // 10**9) == least


def test_links_special_files_and_exchange(cluster, here):
    open(here + "/f", "w").write("one")
    os.link(here + "/f", here + "/g")
    assert os.stat(here + "/g").st_nlink == 2 and os.path.samefile(here + "/f", here + "/g")
    os.unlink(here + "/f")
    assert open(here + "/g").read() == "one" and hdfs_bytes(cluster, here + "/g") == b"one"
    os.mkfifo(here + "/fifo")
    os.mknod(here + "/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    assert stat.S_ISFIFO(os.stat(here + "/fifo").st_mode)
    assert os.stat(here + "/null").st_rdev == os.makedev(1, 3)
    os.chmod(here + "/g", 0o6755)
    assert os.stat(here + "/g").st_mode & 0o7777 == 0o6755
    os.mkdir(here + "/d")
    subprocess.run(["mv", "--version"], check=True, capture_output=True)
    assert b"fifo" in cluster.fs("-ls", path_in_dfs(cluster, here)).stdout


def test_a_folder_with_a_comma_is_mounted(cluster, here, tmp_path):
    os.makedirs(here + "/a,b\\c")
    open(here + "/a,b\\c/f", "w").write("below")
    target = tmp_path / "mnt"
    daemon = _mount(cluster, target, tmp_path / "log", "--path", path_in_dfs(cluster, here) + "/a,b\\c")
    assert open(target / "f").read() == "below"
    sources = [line.split()[0] for line in open("/proc/self/mounts") if f" {target} " in line]
    assert sources == [cluster.uri + path_in_dfs(cluster, here) + "/a,b\\134c"]
    daemon.stop()


def test_the_folder_above_has_its_number_in_a_listing(cluster, here):
    os.makedirs(here + "/d")

    libc = ctypes.CDLL(None, use_errno=True)
    libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p

    def numbers(folder):
        handle, found = ctypes.c_void_p(libc.opendir(folder.encode())), {}
        while entry := libc.readdir(handle):
            found[ctypes.string_at(entry + 19).decode()] = ctypes.c_uint64.from_address(entry).value
        libc.closedir(handle)
        return {name: found[name] for name in (".", "..")}

    assert numbers(here + "/d") == {".": os.stat(here + "/d").st_ino, "..": os.stat(here).st_ino}
    above = numbers(cluster.mount)
    assert above["."] == above[".."] == os.stat(cluster.mount).st_ino


def test_an_unlinked_file_lives_as_long_as_it_is_open(cluster, here):
    with open(here + "/f", "w+b", buffering=0) as f:
        f.write(b"before")
        os.unlink(here + "/f")
        assert os.listdir(here) == []
        f.write(b" and after")
        os.pwrite(f.fileno(), b"B", 0)
        assert os.pread(f.fileno(), 100, 0) == b"Before and after"
        assert os.fstat(f.fileno()).st_nlink == 0
    os.rmdir(here)


def test_xattrs_and_lists_of_users(here):
    open(here + "/f", "w").close()
    os.setxattr(here + "/f", "user.colour", b"green")
    assert os.getxattr(here + "/f", "user.colour") == b"green" and os.listxattr(here + "/f") == ["user.colour"]
    with pytest.raises(OSError) as there:
        os.setxattr(here + "/f", "user.colour", b"red", os.XATTR_CREATE)
    assert there.value.errno == errno.EEXIST
    os.removexattr(here + "/f", "user.colour")
    assert os.listxattr(here + "/f") == []


# ---- the mount's own processes ----


def _serving(keeper):
    """The process that serves a mount, once there is one."""
    def child():
        return subprocess.run(["pgrep", "-P", str(keeper)], capture_output=True, text=True).stdout.split()
    wait_for(child, 10, "a process that serves")
    return int(child()[0])


def _keeper(cluster):
    return next(daemon["pid"] for daemon in cluster.daemons if daemon["name"] == "mount")


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
                os.kill(_serving(_keeper(cluster)), 9)
        assert os.pread(gone.fileno(), 100, 0) == b"nobody sees this"
        with open(here + "/edited", "r+b") as second, pytest.raises(BlockingIOError):
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        seen |= {entry.name for entry in names}
        assert os.pread(e.fileno(), 5000, offset) == edited[offset:offset + 5000]
    assert {f"name-{i}" for i in range(50)} <= seen
    assert hdfs_bytes(cluster, here + "/stream") == stream
    assert hdfs_bytes(cluster, here + "/edited") == edited


def test_a_mount_outlives_processes_that_die_at_once(cluster, here, tmp_path):
    target = tmp_path / "mnt"
    daemon = _mount(cluster, target, tmp_path / "log")
    path = str(target) + path_in_dfs(cluster, here) + "/f"
    with open(path, "wb", buffering=0) as f:
        f.write(b"before")
        for _ in range(12):
            os.kill(_serving(daemon.pid), 9)
        f.write(b" and after")
    assert open(path, "rb").read() == b"before and after"
    daemon.stop()


def test_what_was_open_before_a_kill_is_held_after_it(cluster, here):
    open(here + "/f", "w").write("still there")
    open(here + "/g", "w").write("replaced")
    with open(here + "/f") as f, open(here + "/g") as g:
        os.kill(_serving(_keeper(cluster)), 9)
        os.unlink(here + "/f")
        open(here + "/h", "w").close()
        os.rename(here + "/h", here + "/g")
        assert f.read() == "still there" and g.read() == "replaced"


def test_what_is_opened_while_its_name_goes_can_be_read(here):
    """Or it cannot be opened."""
    opened = 0
    for i in range(150):
        path = f"{here}/f{i}"
        open(path, "w").write("x" * 100)
        start, fds = threading.Barrier(3), []

        def look():
            start.wait()
            with contextlib.suppress(FileNotFoundError):
                fds.append(os.open(path, os.O_RDONLY))

        threads = [threading.Thread(target=look) for _ in range(2)]
        for thread in threads:
            thread.start()
        start.wait()
        os.unlink(path)
        for thread in threads:
            thread.join()
        for fd in fds:
            assert os.pread(fd, 1000, 0) == b"x" * 100, i
            os.close(fd)
        opened += len(fds)
    print(f"opened {opened} of 300")


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
        os.kill(_serving(_keeper(cluster)), 9)
    stop.set()
    for thread in threads:
        thread.join(120)
    assert not failed
    for i in range(3):
        assert open(f"{here}/log-{i}").read() == "".join(lines[i])


def _kill_with_staged_bytes(daemon, path):
    serving = _serving(daemon.pid)  # first: the process that asks would close, and so save, the file
    f = os.open(path, os.O_RDWR)
    os.pwrite(f, b"staged and not saved", 1000)
    os.pwrite(f, bytes(MIB), os.fstat(f).st_size)  # a quota minds
    os.kill(daemon.pid, signal.SIGSTOP)  # or it would start another one
    os.kill(serving, signal.SIGKILL)
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.stop()
    with contextlib.suppress(OSError):
        os.close(f)


def test_a_mount_killed_as_a_whole_is_taken_up_by_the_next(cluster, here, tmp_path):
    target = tmp_path / "mnt"
    daemon = _mount(cluster, target, tmp_path / "log")
    path = str(target) + path_in_dfs(cluster, here) + "/f"
    with open(path, "wb") as f:
        f.write(bytes(MIB))
    _kill_with_staged_bytes(daemon, path)
    assert hdfs_bytes(cluster, here + "/f") == bytes(MIB)
    again = _mount(cluster, target, tmp_path / "log2", fresh=False)
    wait_for(lambda: hdfs_bytes(cluster, here + "/f")[1000:1020] == b"staged and not saved", 10, "the staged bytes")
    again.stop()
    assert not os.path.ismount(target)


def test_mounting_again_waits_for_the_end_of_the_mount_before(cluster, tmp_path):
    """umount(8) returns when the kernel has let go; then the mount's processes end."""
    target, mounts = tmp_path / "mnt", []

    def looks():
        return open(cluster.daemon("namenode")["log"]).read().count("mount (looking)")

    before = _mount(cluster, target, tmp_path / "log")
    looked = looks()
    os.kill(before.pid, signal.SIGSTOP)
    subprocess.run(["umount", target], check=True)
    again = threading.Thread(target=lambda: mounts.append(_mount(cluster, target, tmp_path / "log2", fresh=False)))
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
        daemon = _mount(one, target, tmp_path / "log", fresh=False)
        number = os.stat(target / "f").st_ino
        _kill_with_staged_bytes(daemon, str(target / "f"))
    with Cluster(tmp_path / "two", nodes=1, port_base=base) as two:
        two.fs("-put", "-", "/f", check=True, stdin=b"z" * MIB)
        daemon = _mount(two, target, tmp_path / "log", fresh=False)
        assert os.stat(target / "f").st_ino == number
        assert open(target / "f", "rb").read() == b"z" * MIB
        daemon.stop()


def test_a_mount_whose_keeper_is_killed_ends_by_itself(cluster, tmp_path):
    target = tmp_path / "mnt"
    daemon = _mount(cluster, target, tmp_path / "log")
    assert [line.split()[0] for line in open("/proc/self/mounts") if f" {target} " in line] == [cluster.uri]
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.stop()
    wait_for(lambda: f" {target} " not in open("/proc/self/mounts").read(), 10, "the end of the mount")


def test_what_the_next_mount_cannot_save_either_stays_staged(cluster, here, tmp_path):
    target = tmp_path / "mnt"
    daemon = _mount(cluster, target, tmp_path / "log")
    path = str(target) + path_in_dfs(cluster, here) + "/f"
    with open(path, "wb") as f:
        f.write(bytes(MIB))
    _kill_with_staged_bytes(daemon, path)
    cluster.dfsadmin("-setSpaceQuota", "1m", path_in_dfs(cluster, here), check=True)
    again = _mount(cluster, target, tmp_path / "log2", fresh=False)
    again.stop()
    cluster.dfsadmin("-clrSpaceQuota", path_in_dfs(cluster, here), check=True)
    again = _mount(cluster, target, tmp_path / "log3", fresh=False)
    wait_for(lambda: hdfs_bytes(cluster, here + "/f")[1000:1020] == b"staged and not saved", 10, "the staged bytes")
    again.stop()


def test_a_mount_whose_process_is_killed_without_a_namenode_goes_on(cluster, here, tmp_path):
    target = tmp_path / "mnt"
    daemon = _mount(cluster, target, tmp_path / "log", "-o", "retry=2s")
    path = str(target) + path_in_dfs(cluster, here) + "/f"
    with open(path, "wb") as f:
        f.write(bytes(MIB))
    with open(path, "r+b", buffering=0) as f, open(path + "2", "wb", buffering=0) as stream:
        os.pwrite(f.fileno(), b"staged", 1000)
        stream.write(b"streamed")
        cluster.kill("namenode")
        os.kill(_serving(daemon.pid), 9)
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
        os.kill(_serving(_keeper(cluster)), 9)
        began = time.monotonic()
        os.mkdir(here + "/d")
        assert sorted(os.listdir(here)) == ["d"] + sorted(f"f{i}" for i in range(20))
        assert time.monotonic() - began < 3 * sanitizer.slowness()
    for i in range(20):
        assert hdfs_bytes(cluster, f"{here}/f{i}") == f"{i:08}".encode()


def test_what_cannot_be_saved_at_a_close_is_saved_later(cluster, here):
    with open(here + "/f", "wb") as f:
        f.write(bytes(MIB))
    cluster.dfsadmin("-setSpaceQuota", "1m", path_in_dfs(cluster, here), check=True)
    f = os.open(here + "/f", os.O_RDWR)
    os.pwrite(f, b"late", 1000)
    os.pwrite(f, bytes(MIB), MIB)
    with pytest.raises(OSError) as said:
        os.close(f)
    assert said.value.errno == errno.EDQUOT
    said = b"serving; 1 files that were closed are not saved yet"
    wait_for(lambda: said in run_cairn("mount", "--status", cluster.mount).stdout, 10, "the mount to say so")
    assert run_cairn("mount", "--status", cluster.mount).returncode == 1
    with open(here + "/f", "rb") as f:
        assert f.read()[1000:1004] == b"late"
    assert hdfs_bytes(cluster, here + "/f") == bytes(MIB), "nobody else sees it"
    cluster.dfsadmin("-clrSpaceQuota", path_in_dfs(cluster, here), check=True)
    wait_for(lambda: hdfs_bytes(cluster, here + "/f")[1000:1004] == b"late", 60, "the late save")
    wait_for(lambda: run_cairn("mount", "--status", cluster.mount).returncode == 0, 10, "nothing to be left")


def test_a_full_staging_disk_is_emptied_by_saving(cluster, here, tmp_path):
    target, disk = tmp_path / "mnt", tmp_path / "disk"
    os.mkdir(disk)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", disk], check=True)
    daemon = _mount(cluster, target, tmp_path / "log", "-o", f"staging={disk}")
    folder, rng = str(target) + path_in_dfs(cluster, here), random.Random(2)
    models = [bytearray(rng.randbytes(4 * MIB)) for _ in range(3)]
    with contextlib.ExitStack() as open_files:
        files = [open_files.enter_context(open(f"{folder}/f{i}", "w+b", buffering=0)) for i in range(3)]
        for file, model in zip(files, models):
            for at in range(0, len(model), 256 * 1024):
                assert file.write(model[at:at + 256 * 1024]) == 256 * 1024
        for i in range(150):
            file, model = files[i % 3], models[i % 3]
            offset, part = rng.randrange(len(model) - 70000), rng.randbytes(70000)
            assert os.pwrite(file.fileno(), part, offset) == len(part)
            model[offset:offset + len(part)] = part
    daemon.stop()
    subprocess.run(["umount", disk], check=True)
    for i, model in enumerate(models):
        assert hdfs_bytes(cluster, f"{here}/f{i}") == model


def test_a_mount_ends_while_somebody_waits_for_a_lock(cluster, here, tmp_path):
    target = tmp_path / "mnt"
    daemon = _mount(cluster, target, tmp_path / "log")
    with open(here + "/f", "w") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        path = str(target) + path_in_dfs(cluster, here) + "/f"
        waiter = subprocess.Popen(["flock", path, "true"], stderr=subprocess.DEVNULL)
        wait_for(lambda: "request_wait" in open(f"/proc/{waiter.pid}/wchan").read(), 10, "a waiter")
        daemon.stop()
    assert waiter.wait(20) != 0
    assert "killed by signal" not in (tmp_path / "log").read_text()


def test_as_many_files_as_there_may_be_are_open(cluster, here, tmp_path):
    """Each that is written has files of its own in the staging folder."""
    target = tmp_path / "mnt"
    os.mkdir(target)
    daemon = Daemon("mount", ["prlimit", "--nofile=256:4096", cairn_path(), "mount", "-fs", cluster.uri, "--foreground",
                              str(target)], str(tmp_path / "log"), env=client_env())
    wait_for(lambda: _is_served(target), 20, "the mount")
    folder = str(target) + path_in_dfs(cluster, here)
    with contextlib.ExitStack() as files:
        for i in range(200):
            f = files.enter_context(open(f"{folder}/f{i}", "w+b", buffering=0))
            try:
                f.write(b"ab")
                os.pwrite(f.fileno(), b"c", 0)
            except OSError:
                daemon.stop()
                raise
    daemon.stop()
    assert all(open(f"{here}/f{i}", "rb").read() == b"cb" for i in range(200))


def test_a_snapshot_is_mounted_as_it_was(cluster, here, tmp_path):
    folder = path_in_dfs(cluster, here)
    open(here + "/f", "w").write("before")
    cluster.dfsadmin("-allowSnapshot", folder, check=True)
    cluster.fs("-createSnapshot", folder, "s1", check=True)
    open(here + "/f", "w").write("after")
    target = tmp_path / "mnt"
    os.mkdir(target)
    daemon = Daemon("mount", [cairn_path(), "mount", "-fs", cluster.uri, "--foreground", "--path",
                              folder + "/.snapshot/s1", str(target)], str(tmp_path / "log"), env=client_env())
    wait_for(lambda: _is_served(target), 20, "the mount")
    try:
        assert open(target / "f").read() == "before"
        with pytest.raises(OSError):
            open(target / "f", "w").write("changed")
        with pytest.raises(OSError):
            open(target / "new", "w").close()
    finally:
        daemon.stop()
    cluster.fs("-deleteSnapshot", folder, "s1", check=True)
    cluster.dfsadmin("-disallowSnapshot", folder, check=True)
    assert open(here + "/f").read() == "after"


# ---- what cannot be done ----


def test_what_was_written_before_a_stream_failed_is_there(cluster, here):
    """Whoever asks first when it has failed; and the file may be written again."""
    cluster.dfsadmin("-setSpaceQuota", str(13 * MIB), path_in_dfs(cluster, here), check=True)
    f = os.open(here + "/f", os.O_WRONLY | os.O_CREAT, 0o644)
    data = b""
    with pytest.raises(OSError) as said:
        while len(data) < 2 * BLOCK:
            part = os.urandom(MIB)
            os.write(f, part)
            data += part
    assert said.value.errno == errno.EDQUOT and len(data) == BLOCK
    os.utime(here + "/f")
    os.fsync(f)
    os.close(f)
    assert hdfs_bytes(cluster, here + "/f") == data
    cluster.dfsadmin("-clrSpaceQuota", path_in_dfs(cluster, here), check=True)
    with open(here + "/f", "ab") as again:
        again.write(b"more")
    assert hdfs_bytes(cluster, here + "/f") == data + b"more"


def test_a_stream_survives_that_all_datanodes_are_started_again(cluster, here):
    data = os.urandom(3 * MIB)
    with open(here + "/f", "wb", buffering=0) as f:
        f.write(data[:MIB])
        for i in 1, 2, 3:
            cluster.kill(f"datanode-{i}")
        for i in 1, 2, 3:
            cluster.start_again(f"datanode-{i}")
        f.write(data[MIB:])
    assert hdfs_bytes(cluster, here + "/f") == data


def test_small_files_are_made_while_datanodes_die_and_come_back(cluster, here):
    """Connections are kept from one block to the next: one that is gone is no reason to fail."""
    made = []

    def make(count):
        for _ in range(count):
            made.append(f"{here}/{len(made)}")
            open(made[-1], "wb").write(made[-1].encode() * 100)

    for number in 1, 2, 3:
        make(10)
        cluster.kill(f"datanode-{number}")
        make(10)
        cluster.start_again(f"datanode-{number}")
        make(10)
    cluster.wait_for_datanodes()
    for path in made:
        assert open(path, "rb").read() == path.encode() * 100
    assert cluster.fs("-cat", path_in_dfs(cluster, here) + "/0", check=True).stdout == made[0].encode() * 100


# A process of its own, since one that starts a daemon closes its copies of open files in the child, and so saves them.
STREAM = """
import mmap, os, sys
page, data = mmap.mmap(-1, 1 << 20), os.urandom(1 << 20)
f = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(f, data)
r = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
print(data.hex(), flush=True)
for line in sys.stdin:
    page[:] = bytes(len(page))
    print(os.preadv(r, [page], 0) == len(data) and page[:] == data, flush=True)
os.write(f, data)
"""


def test_a_stream_is_read_after_all_its_datanodes_were_started_again(cluster, here):
    """Nothing is written meanwhile that would notice."""
    with subprocess.Popen([sys.executable, "-c", STREAM, here + "/f"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as stream:
        data = bytes.fromhex(stream.stdout.readline())

        def reads_well():
            began = time.monotonic()
            stream.stdin.write("\n")
            stream.stdin.flush()
            assert stream.stdout.readline() == "True\n"
            return time.monotonic() - began < 20  # one that waits for them is given up after 60

        assert reads_well()
        for i in 1, 2, 3:
            cluster.kill(f"datanode-{i}")
        for i in 1, 2, 3:
            cluster.start_again(f"datanode-{i}")
        assert reads_well()
        stream.stdin.close()
        assert stream.wait(60) == 0
    assert hdfs_bytes(cluster, here + "/f") == data * 2


def test_a_truncation_that_failed_is_not_done_later(cluster, here):
    """A file that an HDFS client writes cannot be cut off; whoever closes it later does not do it either."""
    open(here + "/f", "w").write("first ")
    command = [cairn_path(), "fs", "-fs", cluster.uri, "-appendToFile", "-", path_in_dfs(cluster, here) + "/f"]
    writer = subprocess.Popen(command, stdin=subprocess.PIPE, env=client_env())
    writer.stdin.write(b"second")
    writer.stdin.flush()
    wait_for(lambda: b"OPENFORWRITE" in cluster.fsck(path_in_dfs(cluster, here), "-openforwrite", "-files").stdout, 20, "a writer")
    with open(here + "/f", "rb"):
        with pytest.raises(OSError):
            os.truncate(here + "/f", 0)
        writer.stdin.close()
        assert writer.wait(20) == 0
    wait_for(lambda: hdfs_bytes(cluster, here + "/f") == b"first second", 5, "all bytes")


def _calls(cluster, method):
    beans = json.loads(cluster.http_get("/jmx"))["beans"]
    return next(b["CallsByProtocol"]["org.cairn.PosixProtocol"][method] for b in beans if "CallsByProtocol" in b)


def test_a_save_that_waits_for_another_writer_uploads_once(cluster, here):
    open(here + "/f", "wb").write(bytes(MIB))
    command = [cairn_path(), "fs", "-fs", cluster.uri, "-appendToFile", "-", path_in_dfs(cluster, here) + "/f"]
    writer = subprocess.Popen(command, stdin=subprocess.PIPE, env=client_env())
    writer.stdin.write(b"appended")
    writer.stdin.flush()
    wait_for(lambda: b"OPENFORWRITE" in cluster.fsck(path_in_dfs(cluster, here), "-openforwrite", "-files").stdout, 20, "a writer")
    edits, blocks = _calls(cluster, "edit"), _calls(cluster, "newBlocks")

    def save():
        with open(here + "/f", "r+b", buffering=0) as f:
            os.pwrite(f.fileno(), b"edited", 1000)

    saving = threading.Thread(target=save)
    saving.start()
    try:
        wait_for(lambda: _calls(cluster, "edit") >= edits + 4, 25, "the save to be tried a few times")
        assert _calls(cluster, "newBlocks") == blocks + 1
    finally:
        writer.stdin.close()
        assert writer.wait(20) == 0
        saving.join(40)
    data = hdfs_bytes(cluster, here + "/f")
    assert data[1000:1006] == b"edited" and data[MIB:] == b"appended"


# ---- two mounts ----


def test_the_other_mount_sees_what_was_closed(cluster, here, other):
    for text in "first", "second, longer", "3":
        open(here + "/f", "w").write(text)
        wait_for(lambda: open(beside(cluster, other, here + "/f")).read() == text, 5, text)
    with open(beside(cluster, other, here + "/f"), "r+b") as f:
        f.seek(100)
        f.write(b"from the other side")
    wait_for(lambda: open(here + "/f", "rb").read() == b"3" + bytes(99) + b"from the other side", 5, "the edit")


@pytest.mark.skipif(tuple(map(int, platform.release().split(".")[:2])) < (6, 16), reason="names are believed for a second")
def test_names_and_attributes_are_known_until_another_changes_them(cluster, here, other):
    there = beside(cluster, other, here)
    open(here + "/f", "w").close()
    os.mkdir(here + "/d")

    def seen():
        return [os.path.exists(f"{there}/{name}") for name in ("f", "d", "new")], os.stat(there + "/f").st_mode & 0o777

    def known():
        """Is it seen while the namenode cannot be asked?"""
        namenode, looked = cluster.pid("namenode"), []
        os.kill(namenode, signal.SIGSTOP)
        try:
            looking = threading.Thread(target=lambda: looked.append(seen()))
            looking.start()
            looking.join(2)
            return looked == [([True, True, False], 0o644)]
        finally:
            os.kill(namenode, signal.SIGCONT)
            looking.join()

    wait_for(known, 30, "all to be known")  # word of what was made just now may still be on its way
    os.rename(here + "/d", here + "/new")
    os.chmod(here + "/f", 0o600)
    wait_for(lambda: seen() == ([True, False, True], 0o600), 5, "what the other mount did")
    cluster.fs("-rm", path_in_dfs(cluster, here) + "/f", check=True)
    cluster.fs("-mkdir", path_in_dfs(cluster, here) + "/d", check=True)
    wait_for(lambda: os.listdir(there) and [os.path.exists(f"{there}/{name}") for name in ("f", "d")] == [False, True], 5,
             "what a client of HDFS did")


def test_who_opens_a_file_sees_what_the_other_mount_has_closed(cluster, here, other):
    """At once, however long word of it takes."""
    sides = here, beside(cluster, other, here)
    for i in range(300):
        data = b"%d" % i * (i * 37 % 1000 + 1)
        with open(sides[i % 2] + "/f", "wb") as f:
            f.write(data)
        with open(sides[1 - i % 2] + "/f", "rb") as f:
            assert (os.fstat(f.fileno()).st_size, f.read()) == (len(data), data)


def test_two_mounts_change_different_places_of_one_file(cluster, here, other):
    with open(here + "/f", "wb") as f:
        f.write(bytes(MIB))
    with open(here + "/f", "r+b", buffering=0) as a, open(beside(cluster, other, here + "/f"), "r+b", buffering=0) as b:
        for i in range(8):
            os.pwrite(a.fileno(), b"A" * 100, i * 1000)
            os.pwrite(b.fileno(), b"B" * 100, i * 1000 + 500)
            os.fsync(a.fileno())
            os.fsync(b.fileno())
    data = hdfs_bytes(cluster, here + "/f")
    for i in range(8):
        assert data[i * 1000:i * 1000 + 100] == b"A" * 100 and data[i * 1000 + 500:i * 1000 + 600] == b"B" * 100, i


def test_a_save_keeps_what_the_other_mount_saved_meanwhile(cluster, here, other):
    with open(here + "/f", "wb") as f:
        f.write(bytes(MIB))
    with open(here + "/f", "r+b", buffering=0) as f:
        assert os.pread(f.fileno(), 10, 0) == bytes(10)
        os.pwrite(f.fileno(), b"here", 5000)
        with open(beside(cluster, other, here + "/f"), "r+b", buffering=0) as g:
            os.pwrite(g.fileno(), b"there", 100)
    data = hdfs_bytes(cluster, here + "/f")
    assert data[5000:5004] == b"here" and data[100:105] == b"there"


def test_an_open_file_is_read_anew_after_too_many_changes_to_tell(cluster, here, tmp_path):
    """The namenode remembers 16,384 of them."""
    target = tmp_path / "mnt"
    daemon = _mount(cluster, target, tmp_path / "log")
    open(here + "/f", "wb").write(b"old" * 1000)
    open(here + "/g", "w").close()
    serving, there = _serving(daemon.pid), str(target) + path_in_dfs(cluster, here)
    f = os.open(there + "/f", os.O_RDONLY)
    try:
        assert os.pread(f, 3, 0) == b"old"
        assert not os.path.exists(there + "/absent") and os.stat(there + "/g").st_mode & 0o777 == 0o644
        os.kill(serving, signal.SIGSTOP)
        open(here + "/absent", "w").close()
        os.chmod(here + "/g", 0o600)
        for i in range(17000):
            os.utime(here + "/g", ns=(i, i))
            if i == 100:  # who waits is told of the first ones
                open(here + "/f", "r+b").write(b"new")
        os.kill(serving, signal.SIGCONT)
        wait_for(lambda: os.pread(f, 3, 0) == b"new", 10, "the new bytes")
        assert os.path.exists(there + "/absent") and os.stat(there + "/g").st_mode & 0o777 == 0o600
    finally:
        os.kill(serving, signal.SIGCONT)
        os.close(f)
        daemon.stop()


def test_locks_hold_between_mounts(cluster, here, other):
    open(here + "/f", "w").close()
    with open(here + "/f", "r+") as a, open(beside(cluster, other, here + "/f"), "r+") as b:
        for lock in fcntl.flock, fcntl.lockf:
            lock(a, fcntl.LOCK_EX)
            with pytest.raises(OSError):
                lock(b, fcntl.LOCK_EX | fcntl.LOCK_NB)
            got = threading.Thread(target=lambda: lock(b, fcntl.LOCK_EX))
            got.start()
            lock(a, fcntl.LOCK_UN)
            got.join(20)
            assert not got.is_alive()
            lock(b, fcntl.LOCK_UN)


# ---- daemons that die ----


def test_locks_outlive_the_namenode(cluster, here, other):
    open(here + "/f", "w").close()
    with open(here + "/f", "r+") as a, open(beside(cluster, other, here + "/f"), "r+") as b:
        fcntl.lockf(a, fcntl.LOCK_EX, 10, 5)
        cluster.kill("namenode")
        cluster.start_again("namenode")
        fcntl.lockf(b, fcntl.LOCK_EX | fcntl.LOCK_NB, 5, 0)

        def refused():
            try:
                fcntl.lockf(b, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 7)
            except BlockingIOError:
                return True
            fcntl.lockf(b, fcntl.LOCK_UN, 1, 7)
            return False

        wait_for(refused, 20, "the lock to be there again")


def test_what_was_synced_survives_the_namenode(cluster, here):
    with open(here + "/f", "wb") as f:
        f.write(bytes(2 * MIB))
    with open(here + "/f", "r+b", buffering=0) as f:
        os.pwrite(f.fileno(), b"synced", MIB)
        os.fsync(f.fileno())
        os.pwrite(f.fileno(), b"staged", 0)
        cluster.kill("namenode")
        cluster.start_again("namenode")
        assert os.pread(f.fileno(), 6, MIB) == b"synced"
        os.pwrite(f.fileno(), b"later", 100)
    data = hdfs_bytes(cluster, here + "/f")
    assert data[:6] == b"staged" and data[100:105] == b"later" and data[MIB:MIB + 6] == b"synced" and len(data) == 2 * MIB


def test_a_datanode_dies_under_edits(cluster, here):
    rng, model = random.Random(3), bytearray(3 * MIB)
    with open(here + "/f", "wb") as f:
        f.write(model)
    with open(here + "/f", "r+b", buffering=0) as f:
        for i in range(12):
            if i == 4:
                killed = cluster.kill("datanode-2")["name"]
            offset = rng.randrange(len(model) - 1000)
            part = rng.randbytes(1000)
            os.pwrite(f.fileno(), part, offset)
            model[offset:offset + 1000] = part
            os.fsync(f.fileno())
    cluster.start_again(killed)
    assert open(here + "/f", "rb").read() == model
    wait_for(lambda: b"Live datanodes (3)" in cluster.dfsadmin("-report").stdout, 30, "all three datanodes")

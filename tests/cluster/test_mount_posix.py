"""The mount of a Cairn namenode as the file system that programs expect: writes anywhere, links, special files. What each call
must do is tests/posix's; here is what is special about blocks, and HDFS clients beside the mount."""
import contextlib
import ctypes
import errno
import hashlib
import itertools
import mmap
import os
import random
import sqlite3
import stat
import subprocess
import threading

import pytest

from lib.cluster import cairn_path, client_env
from lib.data import MIB
from lib.posix_mounts import BLOCK, cluster, hdfs_bytes, here, is_served, mount_on, path_in_dfs
from lib.process import Daemon
from lib.waiting import wait_for


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


@pytest.mark.parametrize("ways", ["new, short", "new, a stream", "edited", "appended"])
def test_times_that_are_set_before_the_close_stay(cluster, here, ways):
    """As tar and cp -p do it; what was written is saved with them."""
    old, times = 3 * MIB if ways in ("edited", "appended") else 0, (1_400_000_000_123_456_789, 1_500_000_000_987_654_321)
    with open(here + "/f", "wb") as f:
        f.write(b"o" * old)
    flags = os.O_RDWR | (os.O_APPEND if ways == "appended" else 0)
    file = os.open(here + "/f", flags)
    bytes_written = b"new" * (10 if ways == "new, short" else 100_000)
    os.write(file, bytes_written)
    before = os.fstat(file)
    os.utime(file, ns=times)

    def are_set(stat):
        return (stat.st_atime_ns, stat.st_mtime_ns) == times and stat.st_ctime_ns >= before.st_ctime_ns > times[1]

    assert are_set(os.fstat(file))
    assert cluster.fs("-stat", "%Y", path_in_dfs(cluster, here + "/f")).stdout == b"%d\n" % (times[1] // 1_000_000)
    os.close(file)
    assert are_set(os.stat(here + "/f"))
    whole = b"o" * old + bytes_written if ways == "appended" else bytes_written + (b"o" * old)[len(bytes_written):]
    assert hdfs_bytes(cluster, here + "/f") == whole
    file = os.open(here + "/f", os.O_RDWR)
    os.utime(file, ns=times)
    os.pwrite(file, b"later", 0)
    os.close(file)
    assert os.stat(here + "/f").st_mtime_ns > before.st_mtime_ns


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


# ---- names ----


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
    daemon = mount_on(cluster, target, tmp_path / "log", "--path", path_in_dfs(cluster, here) + "/a,b\\c")
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


def test_xattrs_and_lists_of_users(here):
    open(here + "/f", "w").close()
    os.setxattr(here + "/f", "user.colour", b"green")
    assert os.getxattr(here + "/f", "user.colour") == b"green" and os.listxattr(here + "/f") == ["user.colour"]
    with pytest.raises(OSError) as there:
        os.setxattr(here + "/f", "user.colour", b"red", os.XATTR_CREATE)
    assert there.value.errno == errno.EEXIST
    os.removexattr(here + "/f", "user.colour")
    assert os.listxattr(here + "/f") == []


def test_as_many_files_as_there_may_be_are_open(cluster, here, tmp_path):
    """Each that is written has files of its own in the staging folder."""
    target = tmp_path / "mnt"
    os.mkdir(target)
    daemon = Daemon("mount", ["prlimit", "--nofile=256:4096", cairn_path(), "mount", "-fs", cluster.uri, "--foreground",
                              str(target)], str(tmp_path / "log"), env=client_env())
    wait_for(lambda: is_served(target), 20, "the mount")
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
    wait_for(lambda: is_served(target), 20, "the mount")
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


# ---- room ----


def room(path):
    """Total, free and available bytes, and inodes."""
    st = os.statvfs(path)
    return [n * st.f_frsize for n in (st.f_blocks, st.f_bfree, st.f_bavail)], (st.f_files, st.f_ffree, st.f_favail)


def test_df_shows_the_nearest_quota(cluster, here, tmp_path):
    whole, folder = room(here), path_in_dfs(cluster, here)
    os.makedirs(here + "/inner/below")
    with open(here + "/inner/below/f", "wb") as f:
        f.write(bytes(MIB))
    replicas = int(cluster.fs("-stat", "%r", f"{folder}/inner/below/f", check=True).stdout)
    used = replicas * MIB
    assert cluster.dfsadmin("-setSpaceQuota", str(100 * MIB), folder).returncode == 0
    assert cluster.dfsadmin("-setQuota", "10", folder).returncode == 0
    outer = ([100 * MIB, 100 * MIB - used, 100 * MIB - used], (10, 6, 6))
    for path in here, here + "/inner", here + "/inner/below/f":
        assert room(path) == outer, path
    assert cluster.dfsadmin("-setSpaceQuota", str(500 * MIB), f"{folder}/inner").returncode == 0
    assert room(here + "/inner/below") == ([500 * MIB, 500 * MIB - used, 100 * MIB - used], (10, 6, 6)), "what is available all quotas allow"
    assert cluster.dfsadmin("-setSpaceQuota", str(1 << 60), f"{folder}/inner").returncode == 0
    assert cluster.dfsadmin("-clrSpaceQuota", folder).returncode == 0
    (total, free, available), _ = room(here + "/inner")
    assert total == 1 << 60 and free == total - used and 0 < available <= whole[0][0], "nor is there more than the cluster has"
    assert room(cluster.mount)[0][0] == whole[0][0] and room(cluster.mount)[1] == whole[1]
    daemon = mount_on(cluster, tmp_path / "mnt", tmp_path / "log", "--path", f"{folder}/inner/below")
    try:
        assert room(tmp_path / "mnt")[0][0] == 1 << 60 and room(tmp_path / "mnt")[1] == (10, 6, 6), "the quotas above the mounted folder"
    finally:
        daemon.stop()
    assert cluster.dfsadmin("-setSpaceQuota", str(MIB), f"{folder}/inner").returncode == 0
    assert room(here + "/inner")[0] == [MIB, 0, 0], "of a quota that is exceeded nothing is left"


# ---- listing ----


def test_seekdir_goes_on_where_names_have_gone_meanwhile(cluster, here):
    class Entry(ctypes.Structure):
        _fields_ = [("ino", ctypes.c_uint64), ("off", ctypes.c_int64), ("length", ctypes.c_uint16), ("type", ctypes.c_uint8), ("name", ctypes.c_char * 256)]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.opendir.restype, libc.readdir.restype, libc.telldir.restype = ctypes.c_void_p, ctypes.POINTER(Entry), ctypes.c_long
    names = [f"{i:04}" for i in range(2500)]
    for name in names:
        os.mknod(f"{here}/{name}")
    folder = ctypes.c_void_p(libc.opendir(here.encode()))

    def read():
        ctypes.set_errno(0)
        entry = libc.readdir(folder)
        assert ctypes.get_errno() == 0
        return entry.contents.name.decode() if entry else None
    assert [read() for _ in range(2202)] == [".", ".."] + names[:2200]
    place = libc.telldir(folder)
    for name in names[:1500] + [names[2199]]:
        os.unlink(f"{here}/{name}")
    libc.rewinddir(folder)
    assert [read() for _ in range(3)] == [".", "..", names[1500]]
    libc.seekdir(folder, ctypes.c_long(place))
    assert [read() for _ in range(301)] == names[2200:] + [None]
    libc.rewinddir(folder)
    left = names[1500:2199] + names[2200:]
    assert [read() for _ in range(len(left) + 3)] == [".", ".."] + left + [None]
    libc.closedir(folder)

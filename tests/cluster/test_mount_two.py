"""Two mounts of one file system: each sees what the other has closed, and locks hold between them."""
import concurrent.futures
import contextlib
import ctypes
import fcntl
import mmap
import os
import platform
import re
import signal
import struct
import subprocess
import sys
import threading
from concurrent import futures

import pytest

from lib.data import MIB
from lib.posix_mounts import BLOCK, beside, cluster, hdfs_bytes, here, keeper_of, mount_on, other, path_in_dfs, serving_of
from lib.waiting import wait_for


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


@pytest.mark.parametrize("edited", [False, True], ids=["appended", "edited-before"])
def test_an_append_beside_a_stream_of_the_other_mount_is_behind_it(cluster, here, other, edited):
    there, appended = beside(cluster, other, here + "/f"), threading.Event()
    with open(here + "/f", "ab", buffering=0) as f, open(there, "ab", buffering=0) as stream:
        if edited:
            f.write(b"first")
            os.fsync(f.fileno())
            with open(here + "/f", "r+b", buffering=0) as g:
                os.pwrite(g.fileno(), b"F", 0)
        stream.write(bytes(MIB))
        os.fsync(stream.fileno())

        def append():
            f.write(b"behind it")
            os.fsync(f.fileno())
            appended.set()

        thread = threading.Thread(target=append)
        thread.start()
        stream.write(bytes(MIB))
        stream.close()
        thread.join()
    assert appended.is_set() and hdfs_bytes(cluster, here + "/f") == (b"First" if edited else b"") + bytes(2 * MIB) + b"behind it"


@pytest.mark.parametrize("before", [0, 5, BLOCK], ids=["new", "short", "block"])
@pytest.mark.parametrize("opened", ["before it", "beside it"])
def test_an_edit_beside_a_stream_of_the_other_mount_changes_its_place_only(cluster, here, other, before, opened):
    with open(here + "/f", "wb") as f:
        f.write(b"a" * before)
    there = beside(cluster, other, here + "/f")
    with contextlib.ExitStack() as files, open(here + "/f", "ab", buffering=0) as stream:
        if opened == "before it":
            f = files.enter_context(open(there, "r+b", buffering=0))
        stream.write(b"b" * MIB)
        os.fsync(stream.fileno())
        if opened == "beside it":
            f = files.enter_context(open(there, "r+b", buffering=0))
        os.pwrite(f.fileno(), b"edited", 3)
        with futures.ThreadPoolExecutor() as pool:
            saved = pool.submit(os.fsync, f.fileno())
            stream.write(b"c" * MIB)
            stream.close()
            saved.result()
    model = bytearray(b"a" * before + b"b" * MIB + b"c" * MIB)
    model[3:9] = b"edited"
    assert hdfs_bytes(cluster, here + "/f") == model


@pytest.mark.parametrize("change", [lambda fd: os.pwrite(fd, b"first", 0), lambda fd: os.ftruncate(fd, 3)], ids=["write", "truncate"])
@pytest.mark.parametrize("size", [MIB, BLOCK + MIB])
def test_an_edit_waits_for_the_stream_of_the_other_mount(cluster, here, other, change, size):
    """Nobody was told yet how much there is of the block that it writes."""
    with open(beside(cluster, other, here + "/f"), "wb", buffering=0) as stream:
        stream.write(bytes(size))
        with open(here + "/f", "r+b", buffering=0) as f, futures.ThreadPoolExecutor(1) as meanwhile:
            seen = os.fstat(f.fileno()).st_size
            assert seen <= size and os.lseek(f.fileno(), 0, os.SEEK_END) == seen
            assert not seen or os.lseek(f.fileno(), 0, os.SEEK_HOLE) == seen
            edit = meanwhile.submit(lambda: (change(f.fileno()), os.fsync(f.fileno())))
            with pytest.raises(futures.TimeoutError):
                edit.result(0.5)
            stream.close()
            edit.result(60)
    assert hdfs_bytes(cluster, here + "/f") in (bytes(3), b"first" + bytes(size - 5))


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


def test_who_has_much_to_save_is_not_always_too_late(cluster, here, other):
    """The other mount saves a little in the same pieces all the time."""
    slot, slots, done = 65536, 48, threading.Event()
    with open(here + "/f", "wb") as f:
        f.truncate(slot * slots)

    def save_little():
        n = 0
        with open(beside(cluster, other, here + "/f"), "r+b", buffering=0) as f:
            while not done.is_set():
                os.pwrite(f.fileno(), b"o" * slot, (2 * n + 1) % slots * slot)
                os.fsync(f.fileno())
                n += 1
        return n

    with concurrent.futures.ThreadPoolExecutor() as pool, contextlib.ExitStack() as end:
        end.callback(done.set)
        little = pool.submit(save_little)
        with open(here + "/f", "r+b", buffering=0) as f:
            for i in range(10):
                for k in range(0, slots, 2):
                    os.pwrite(f.fileno(), b"%d" % i * slot, k * slot)
                os.fsync(f.fileno())
        done.set()
        saved = little.result()
    data = hdfs_bytes(cluster, here + "/f")
    assert data[::2 * slot] == b"9" * (slots // 2)
    assert saved > 0 and data[slot::2 * slot].count(b"o") == min(saved, slots // 2)


@contextlib.contextmanager
def changed_there(cluster, other, here):
    """What is done inside on the other mount, this one has heard of then."""
    assert not os.path.exists(here + "/word")
    yield beside(cluster, other, here)
    open(beside(cluster, other, here + "/word"), "w").close()
    wait_for(lambda: os.path.exists(here + "/word"), 5, "word of it")
    os.unlink(here + "/word")


def test_saves_around_what_the_other_mount_appended_do_not_move_it(cluster, here, other):
    with open(here + "/f", "wb") as f:
        f.write(bytes(MIB))
    with open(here + "/f", "r+b", buffering=0) as f:
        os.pwrite(f.fileno(), b"1", 0)
        os.fsync(f.fileno())
        os.pwrite(f.fileno(), b"2", 0)
        with changed_there(cluster, other, here) as there, open(there + "/f", "ab") as g:
            g.write(b"t" * 300_000)
        os.fsync(f.fileno())
        os.pwrite(f.fileno(), b"3", 0)
        os.fsync(f.fileno())
        assert os.pread(f.fileno(), MIB, MIB) == b"t" * 300_000
    assert hdfs_bytes(cluster, here + "/f") == b"3" + bytes(MIB - 1) + b"t" * 300_000


def test_a_save_into_a_hole_of_many_goes_to_its_own(cluster, here, other):
    """The other mount's edit before it moves all holes by two pieces, and they look alike."""
    unit = MIB // 4
    with open(here + "/f", "wb") as f:
        f.truncate(16 * unit)
    with open(here + "/f", "r+b", buffering=0) as f:
        for i in range(8, 16, 2):
            os.pwrite(f.fileno(), b"%d" % (i % 10) * unit, i * unit)
        os.fsync(f.fileno())
        os.pwrite(f.fileno(), b"x", 15 * unit)
        with open(beside(cluster, other, here + "/f"), "r+b") as g:
            g.seek(4 * unit)
            g.write(b"o" * unit)
    data = hdfs_bytes(cluster, here + "/f")
    assert len(data) == 16 * unit and [i for i in range(16) if data[i * unit]] == [4, 8, 10, 12, 14, 15]


def test_two_mounts_write_one_new_file(cluster, here, other):
    f = os.open(here + "/f", os.O_CREAT | os.O_RDWR)
    os.pwrite(f, b"here" * 25, 0)
    with open(beside(cluster, other, here + "/f"), "r+b") as g:
        g.write(b"there")
    os.close(f)
    assert hdfs_bytes(cluster, here + "/f") == b"here" * 25


def test_what_the_other_mount_cut_off_does_not_come_back_as_zeros(cluster, here, other):
    with open(here + "/f", "wb") as f:
        f.write(b"x" * 1000)
    with open(here + "/f", "r+b", buffering=0) as f:
        os.pwrite(f.fileno(), b"here", 50)
        os.truncate(beside(cluster, other, here + "/f"), 10)
    assert hdfs_bytes(cluster, here + "/f") == b"x" * 10 + bytes(40) + b"here"


def test_an_append_to_what_is_edited_does_not_overwrite_another(cluster, here, other):
    with open(here + "/f", "wb") as f:
        f.write(b"first")
    with open(here + "/f", "r+b", buffering=0) as f, open(here + "/f", "ab", buffering=0) as a:
        os.pwrite(f.fileno(), b"F", 0)
        a.write(b" here")

        def append():
            with open(beside(cluster, other, here + "/f"), "ab") as b:
                b.write(b" there")

        thread = threading.Thread(target=append)
        thread.start()
        os.pwrite(f.fileno(), b"T", 4)
    thread.join()
    assert hdfs_bytes(cluster, here + "/f") in (b"FirsT here there", b"FirsT there here")


@pytest.mark.parametrize("length", [4, MIB], ids=["little", "much"])
def test_an_append_to_a_new_file_that_is_not_saved_does_not_overwrite_another(cluster, here, other, length):
    f = os.open(here + "/f", os.O_CREAT | os.O_RDWR)
    os.pwrite(f, b"placed", 0)
    with open(beside(cluster, other, here + "/f"), "ab") as b:
        b.write(b"appended there")
    with open(here + "/f", "ab", buffering=0) as a:
        a.write(b"h" * length)
    os.close(f)
    assert hdfs_bytes(cluster, here + "/f") == b"placed" + b"appended there"[6:] + b"h" * length


@pytest.mark.parametrize("first", ["here", "there"])
@pytest.mark.parametrize("resize", [lambda fd: os.posix_fallocate(fd, 0, 2000), lambda fd: os.ftruncate(fd, 2000), lambda fd: os.ftruncate(fd, 500)],
                         ids=["allocated", "longer", "shorter"])
def test_what_another_appends_is_not_cut_off_by_a_change_of_size_that_is_not_saved(cluster, here, other, resize, first):
    with open(here + "/f", "wb") as f:
        f.write(b"before " * 100)
    model = bytearray(b"before " * 100)
    with open(here + "/f", "r+b", buffering=0) as f:
        os.pwrite(f.fileno(), b"HERE", 50)
        model[50:54] = b"HERE"

        def append():
            with open(beside(cluster, other, here + "/f"), "ab") as g:
                g.write(b"there " * 10000)

        if first == "there":
            assert not os.path.exists(here + "/told")
            append()
            open(beside(cluster, other, here + "/told"), "w").close()
            wait_for(lambda: os.path.exists(here + "/told"), 10, "word of it")
        resize(f.fileno())
        if first == "here":
            append()
    whole = hdfs_bytes(cluster, here + "/f")
    if first == "here":
        assert whole.replace(b"\0", b"") == model[:500 if "shorter" in here else None] + b"there " * 10000
    elif "shorter" in here:
        assert whole == model[:500]
    else:
        assert whole[:2000] == (model + b"there " * 10000)[:2000] and (len(whole) == 2000) == ("longer" in here)


def some_names(folder):
    """As many at a time as the C library of a small system asks for."""
    libc, entries = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(2048)
    getdents = {"x86_64": 217, "aarch64": 61}[platform.machine()]
    f = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        while (length := libc.syscall(getdents, f, entries, len(entries))) > 0:
            names, at = [], 0
            while at < length:
                size = int.from_bytes(entries.raw[at + 16:at + 18], sys.byteorder)
                names.append(entries.raw[at + 19:at + size].split(b"\0")[0].decode())
                at += size
            yield [name for name in names if name not in (".", "..")]
    finally:
        os.close(f)


@pytest.mark.parametrize("by_other", [False, True], ids=["here", "there"])
def test_who_lists_a_folder_slowly_does_not_bring_back_what_has_changed(cluster, here, other, by_other):
    names = [f"f{i:03}" for i in range(400)]
    for name in names:
        open(f"{here}/{name}", "w").write("old")
    listing = some_names(here)
    with open(here + "/f390") as f:
        os.stat(f"{here}/{next(listing)[0]}")  # who looks at what was listed has attributes listed, too
        with changed_there(cluster, other, here) if by_other else contextlib.nullcontext(here) as there:
            open(there + "/f390", "w").write("new, and longer")
            os.unlink(there + "/f391")
        for names in listing:
            for name in names:
                if name < "f380":
                    os.stat(f"{here}/{name}")
        assert f.read() == "new, and longer"
    assert os.stat(here + "/f390").st_size == 15 and not os.path.exists(here + "/f391")


def test_word_that_overtakes_the_answer_to_an_open_is_not_lost(cluster, here, other):
    """The answer waits with the mount stopped until the other one has changed the file, and word of it waits beside it."""
    namenode, serving = cluster.pid("namenode"), serving_of(keeper_of(cluster))
    for i in range(30):
        path, opened = f"{here}/f{i}", []
        open(path, "wb").write(b"1" * 1000)
        with open(beside(cluster, other, path), "r+b", buffering=0) as g, contextlib.ExitStack() as going:
            os.kill(namenode, signal.SIGSTOP)
            going.callback(os.kill, namenode, signal.SIGCONT)
            thread = threading.Thread(target=lambda: opened.append(open(path, "rb")))
            thread.start()
            thread.join(0.05)  # then it is asked, or it will be when it is all over, which is no harm
            os.kill(serving, signal.SIGSTOP)
            going.callback(os.kill, serving, signal.SIGCONT)
            os.kill(namenode, signal.SIGCONT)
            g.write(b"2" * 3000)
            os.fsync(g.fileno())
        thread.join()
        with opened[0] as f:  # at the latest when that word has come
            wait_for(lambda: os.pread(f.fileno(), 5000, 0) == b"2" * 3000, 5, f"what the other one wrote into {i}")


def test_an_open_file_is_read_anew_after_too_many_changes_to_tell(cluster, here, tmp_path):
    """The namenode remembers 16,384 of them."""
    target = tmp_path / "mnt"
    daemon = mount_on(cluster, target, tmp_path / "log")
    open(here + "/f", "wb").write(b"old" * 1000)
    open(here + "/g", "w").close()
    serving, there = serving_of(daemon.pid), str(target) + path_in_dfs(cluster, here)
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


# ---- files that the other one removes ----


def _is_there(cluster, inode):
    return cluster.fs("-test", "-e", f"/.reserved/.inodes/{inode}").returncode == 0


def _remove_here(cluster, here, name):
    os.unlink(f"{here}/{name}")


def _replace_here(cluster, here, name):
    open(here + "/new", "w").close()
    os.rename(here + "/new", f"{here}/{name}")


def _remove_by_hdfs(cluster, here, name):
    cluster.fs("-rm", "-skipTrash", f"{path_in_dfs(cluster, here)}/{name}", check=True)


def _replace_by_hdfs(cluster, here, name):
    cluster.fs("-touchz", path_in_dfs(cluster, here) + "/new", check=True)
    cluster.fs("-cp", "-f", path_in_dfs(cluster, here) + "/new", f"{path_in_dfs(cluster, here)}/{name}", check=True)


@pytest.mark.parametrize("remove", [_remove_here, _replace_here, _remove_by_hdfs, _replace_by_hdfs])
def test_an_open_file_that_another_removes_goes_on(cluster, here, other, remove):
    data, there = os.urandom(3 * MIB), beside(cluster, other, here)
    for name in "read", "written":
        open(f"{here}/{name}", "wb").write(data)
    with open(there + "/read", "rb", buffering=0) as r, open(there + "/written", "r+b", buffering=0) as w, \
            open(there + "/made", "w+b", buffering=0) as m:
        numbers = [os.fstat(f.fileno()).st_ino for f in (r, w, m)]
        m.write(b"streamed" * 100000)
        for name in "read", "written", "made":
            remove(cluster, here, name)
        assert os.pread(r.fileno(), 3 * MIB, 0) == data
        os.pwrite(w.fileno(), b"edited", MIB)
        os.fsync(w.fileno())
        assert os.pread(w.fileno(), 6, MIB) == b"edited" and os.pread(w.fileno(), 100, 0) == data[:100]
        m.write(b" and more")
        os.fsync(m.fileno())
        assert os.pread(m.fileno(), 100, 800000) == b" and more"
        wait_for(lambda: all(os.fstat(f.fileno()).st_nlink == 0 for f in (r, w, m)), 5, "them to have no name")
    wait_for(lambda: not any(_is_there(cluster, number) for number in numbers), 10, "them to go with the last close")


def test_an_open_file_in_a_folder_that_is_removed_goes_on(cluster, here, other):
    os.mkdir(here + "/d")
    for i in range(50):
        open(f"{here}/d/f{i}", "w").write(f"{i:08}")
    files = [open(beside(cluster, other, here) + f"/d/f{i}") for i in range(0, 50, 5)]
    cluster.fs("-rm", "-r", "-skipTrash", path_in_dfs(cluster, here) + "/d", check=True)
    try:
        for _ in range(20):  # the reaper may be there in between
            for i, file in enumerate(files):
                assert os.pread(file.fileno(), 100, 0) == b"%08d" % (i * 5)
    finally:
        numbers = [os.fstat(file.fileno()).st_ino for file in files]
        for file in files:
            file.close()
    wait_for(lambda: not any(_is_there(cluster, number) for number in numbers), 10, "them to go with the last close")


@contextlib.contextmanager
def _opened(path):
    """By another process: this one starts daemons, whose processes close what it has open."""
    program = "import sys; f = open(sys.argv[1]); print(flush=True); input(); print(f.read())"
    reader = subprocess.Popen([sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert reader.stdout.readline()
    yield lambda: reader.communicate("\n", timeout=60)[0]
    reader.wait(60)


def _namenode_log(cluster):
    with open(cluster.daemon("namenode")["log"]) as log:
        return log.read()


def _times_gone_on(cluster, session):
    return _namenode_log(cluster).count(f"session={session}: goes on")


def test_an_open_file_is_kept_after_its_mount_and_the_namenode_were_started_again(cluster, here, tmp_path):
    target, there = tmp_path / "mnt", str(tmp_path / "mnt") + path_in_dfs(cluster, here)
    daemon = mount_on(cluster, target, tmp_path / "log")
    session = re.findall(r"session=(\d+): opened by .*, mount from", _namenode_log(cluster))[-1]
    for name in "f", "g":
        open(f"{here}/{name}", "w").write("still there")
    with open(there + "/f") as f:
        os.kill(serving_of(daemon.pid), 9)
        wait_for(lambda: os.path.exists(there + "/g"), 10, "the next process")
        os.unlink(here + "/f")
        assert os.pread(f.fileno(), 100, 0) == b"still there"
    with _opened(there + "/g") as read:
        before = _times_gone_on(cluster, session)
        cluster.kill("namenode")
        cluster.start_again("namenode")
        wait_for(lambda: _times_gone_on(cluster, session) > before, 30, "the mount to say again what it has open")
        os.unlink(here + "/g")
        assert read() == "still there\n"
    daemon.stop()


# ---- locks ----


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


@contextlib.contextmanager
def _locked(path, length, start):
    """By another process: this one starts daemons, whose processes close, and so unlock, what it has open."""
    program = "import fcntl, sys; f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX, *map(int, sys.argv[2:])); print('locked', flush=True); input()"
    holder = subprocess.Popen([sys.executable, "-c", program, path, str(length), str(start)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "locked\n"
        yield
    finally:
        holder.communicate("\n", timeout=60)


def _is_locked(path, length, start):
    """Asked, not tried: who gets a lock that is to be set again has it."""
    flock = "hhqqi0q"
    with open(path, "r+") as f:
        answer = fcntl.fcntl(f, fcntl.F_GETLK, struct.pack(flock, fcntl.F_WRLCK, os.SEEK_SET, start, length, 0))
    return struct.unpack(flock, answer)[0] != fcntl.F_UNLCK


@pytest.mark.parametrize("killed", [False, True], ids=["mount-stays", "mount-killed"])
def test_locks_outlive_the_namenode(cluster, here, other, tmp_path, killed):
    target = tmp_path / "mnt"
    daemon = mount_on(cluster, target, tmp_path / "log")
    open(here + "/f", "w").close()
    there = beside(cluster, other, here + "/f")
    with _locked(str(target) + path_in_dfs(cluster, here) + "/f", 10, 5):
        cluster.kill("namenode")
        if killed:
            os.kill(serving_of(daemon.pid), 9)
        cluster.start_again("namenode")
        wait_for(lambda: _is_locked(there, 1, 7), 20, "the lock to be there again")
        assert not _is_locked(there, 5, 0) and not _is_locked(there, 5, 15)
    wait_for(lambda: not _is_locked(there, 1, 7), 5, "the lock to go with its process")
    daemon.stop()


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_namenode_that_was_started_again_gives_nobody_a_lock_that_another_has(cluster, here, other, tmp_path, comes_back):
    """Until that one has said so, or has let the time pass in which it could."""
    daemon = mount_on(cluster, tmp_path / "mnt", tmp_path / "log")
    path = path_in_dfs(cluster, here) + "/f"
    open(here + "/f", "w").close()
    with _locked(str(tmp_path / "mnt") + path, 10, 5):
        with _suspended(serving_of(daemon.pid)):
            cluster.kill("namenode")
            cluster.start_again("namenode")
            assert os.listdir(here) == ["f"], "this mount has reached the namenode"
            command = f"import fcntl; fcntl.lockf(open({here + '/f'!r}, 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
            asked = subprocess.Popen([sys.executable, "-c", command], stderr=subprocess.DEVNULL)
            seen = []
            wait_for(lambda: asked.poll() is not None or seen.append(_waits_for_its_mount(asked)) or sum(seen) == 20, 10, "an answer")
            assert asked.poll() is None, "it was answered before it could be known"
            if not comes_back:
                assert asked.wait(30) == 0
        if comes_back:
            assert asked.wait(20) == 1, "another has the lock"
    daemon.stop()


@contextlib.contextmanager
def _suspended(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _waits_for_its_mount(process):
    with open(f"/proc/{process.pid}/wchan") as file:
        return "request_wait" in file.read()


def test_a_mount_ends_while_somebody_waits_for_a_lock(cluster, here, tmp_path):
    target = tmp_path / "mnt"
    daemon = mount_on(cluster, target, tmp_path / "log")
    with open(here + "/f", "w") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        path = str(target) + path_in_dfs(cluster, here) + "/f"
        waiter = subprocess.Popen(["flock", path, "true"], stderr=subprocess.DEVNULL)
        wait_for(lambda: "request_wait" in open(f"/proc/{waiter.pid}/wchan").read(), 10, "a waiter")
        daemon.stop()
    assert waiter.wait(20) != 0
    assert "killed by signal" not in (tmp_path / "log").read_text()


def test_what_the_other_mount_cuts_off_does_not_come_back_through_a_mapping(cluster, here, other):
    there = beside(cluster, other, here + "/f")
    with open(here + "/f", "wb") as f:
        f.write(b"a" * 100_000)
    with open(here + "/f", "r+b", buffering=0) as f, mmap.mmap(f.fileno(), 0) as mapped:
        mapped[0] = mapped[90_000] = ord("m")
        os.truncate(there, 10)
        wait_for(lambda: os.stat(here + "/f").st_size == 10, 10, "word of it")
        os.fsync(f.fileno())
        assert os.fstat(f.fileno()).st_size == 10
    assert hdfs_bytes(cluster, here + "/f") == open(here + "/f", "rb").read() == b"maaaaaaaaa"

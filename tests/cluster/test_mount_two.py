"""Two mounts of one file system: each sees what the other has closed, and locks hold between them."""
import fcntl
import os
import platform
import signal
import subprocess
import threading

import pytest

from lib.data import MIB
from lib.posix_mounts import beside, cluster, hdfs_bytes, here, mount_on, other, path_in_dfs, serving_of
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

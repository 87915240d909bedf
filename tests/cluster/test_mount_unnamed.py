"""Files that are made without a name (O_TMPFILE), and get one, or go."""
import contextlib
import errno
import json
import os
import platform
import subprocess
import sys
import threading

import pytest

from lib.data import MIB
from lib.posix_mounts import beside, cluster, hdfs_bytes, here, keeper_of, mount_on, other, path_in_dfs, serving_of
from lib.waiting import wait_for

LINKAT = {"x86_64": 265}.get(platform.machine(), 37)
SIZES = pytest.mark.parametrize("size", [0, 1000, MIB, 9 * MIB], ids=["empty", "staged", "stream", "blocks"])


@contextlib.contextmanager
def unnamed(folder):
    fd = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o640)
    try:
        yield fd
    finally:
        os.close(fd)


def name_it(fd, path):
    os.link(f"/proc/self/fd/{fd}", path, src_dir_fd=fd, follow_symlinks=True)


def counted(cluster):
    """Inodes without a name, and all blocks, now that the mount has told what is closed: whoever opens a file does."""
    open(cluster.mount + "/opened", "a").close()
    (bean,) = json.loads(cluster.http_get("/jmx?qry=Hadoop:service=NameNode,name=FSNamesystem"))["beans"]
    directories, files = map(int, cluster.fs("-count", "/", check=True).stdout.split()[:2])
    return bean["FilesTotal"] - directories - files, bean["BlocksTotal"]


def counted_when_all_have_names(cluster):
    return wait_for(lambda: (now := counted(cluster))[0] == 0 and now, 10, "every inode to have a name")


@SIZES
@pytest.mark.parametrize("named", ["before", "between", "after"])
def test_it_is_a_file_like_any_when_it_has_a_name(cluster, here, other, size, named):
    data = os.urandom(size)
    with unnamed(here) as fd:
        if named == "before":
            name_it(fd, here + "/f")
        os.write(fd, data)
        if named == "between":
            name_it(fd, here + "/f")
        os.pwrite(fd, b"more", size)
        os.close(os.dup(fd))
        if named == "after":
            assert os.listdir(here) == [] and os.fstat(fd).st_nlink == 0
            name_it(fd, here + "/f")
        assert os.listdir(here) == ["f"] and os.fstat(fd).st_nlink == 1
        assert open(here + "/f", "rb").read() == data + b"more"
    assert hdfs_bytes(cluster, here + "/f") == data + b"more"
    with open(beside(cluster, other, here) + "/f", "r+b") as f:
        assert f.read() == data + b"more"
        os.unlink(here + "/f")
        assert os.pread(f.fileno(), 4, size) == b"more"


def test_what_was_synced_goes_with_the_close(cluster, here):
    before = counted_when_all_have_names(cluster)
    with unnamed(here) as fd:
        for i in range(3):
            os.pwrite(fd, os.urandom(3 * MIB), 5 * i * MIB)
        os.fsync(fd)
        unnamed_files, blocks = counted(cluster)
        assert unnamed_files == 1 and blocks > before[1]
    wait_for(lambda: counted(cluster) == before, 10, "the file and its blocks to go")


def test_it_goes_as_any_when_it_has_lost_its_name(cluster, here):
    before = counted_when_all_have_names(cluster)
    with unnamed(here) as fd:
        os.write(fd, bytes(MIB))
        name_it(fd, here + "/f")
        os.fsync(fd)
        os.unlink(here + "/f")
        assert os.pread(fd, 10, 0) == bytes(10) and counted(cluster)[0] == 1
    wait_for(lambda: counted(cluster) == before, 10, "the file and its blocks to go")
    with unnamed(here) as fd:
        os.write(fd, bytes(MIB))
        name_it(fd, here + "/f")
    cluster.fs("-rm", "-skipTrash", path_in_dfs(cluster, here) + "/f", check=True)
    wait_for(lambda: counted(cluster) == before, 10, "what another removed to go")


def test_it_counts_towards_a_quota_when_it_has_a_name(cluster, here):
    os.mkdir(here + "/d")
    cluster.dfsadmin("-setSpaceQuota", "1m", path_in_dfs(cluster, here) + "/d", check=True)
    with unnamed(here + "/d") as fd:
        os.write(fd, b"x" * MIB)
        os.fsync(fd)
        with pytest.raises(OSError) as refused:
            name_it(fd, here + "/d/f")
        assert refused.value.errno == errno.EDQUOT
        assert os.listdir(here + "/d") == [] and os.fstat(fd).st_nlink == 0 and os.pread(fd, 1, MIB - 1) == b"x"
        os.pwrite(fd, b"y", 0)
        name_it(fd, here + "/f")
    assert hdfs_bytes(cluster, here + "/f") == b"y" + b"x" * (MIB - 1)


# ---- killed ----


@SIZES
def test_killing_the_serving_process_is_not_noticed(cluster, here, size):
    data = os.urandom(size)
    with unnamed(here) as fd, unnamed(here) as never:
        os.write(fd, data)
        os.write(never, data)
        os.kill(serving_of(keeper_of(cluster)), 9)
        assert os.pread(fd, size, 0) == data
        os.pwrite(fd, b"more", size)
        assert os.listdir(here) == []
        os.kill(serving_of(keeper_of(cluster)), 9)
        name_it(fd, here + "/f")
        os.kill(serving_of(keeper_of(cluster)), 9)
        assert os.fstat(never).st_nlink == 0 and os.pread(never, size, 0) == data
    assert hdfs_bytes(cluster, here + "/f") == data + b"more"


def _make_and_name(folder, stop, done):
    os.mkdir(folder)
    while not stop.is_set():
        text = f"number {len(done)}".encode()
        with unnamed(folder) as fd, unnamed(folder) as never:
            os.write(fd, text)
            os.write(never, text)
            assert os.fstat(fd).st_nlink == 0
            name_it(fd, folder + "/f")
        assert os.listdir(folder) == ["f"]
        assert open(folder + "/f", "rb").read() == text
        os.unlink(folder + "/f")
        done.append(folder)
    os.rmdir(folder)


def test_nothing_is_lost_or_left_when_the_serving_process_is_killed_all_the_time(cluster, here):
    stop, done, failed = threading.Event(), [], []

    def run(*args):
        try:
            _make_and_name(*args)
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=run, args=(f"{here}/dir-{i}", stop, done)) for i in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        count = len(done)
        wait_for(lambda: failed or len(done) > count + 5, 60, "files to be made")
        os.kill(serving_of(keeper_of(cluster)), 9)
    stop.set()
    for thread in threads:
        thread.join(120)
    assert not failed
    counted_when_all_have_names(cluster)


PROGRAM = """import os, sys
fd = os.open(sys.argv[1], os.O_TMPFILE | os.O_RDWR, 0o640)
for part in "synced", "not synced":
    os.write(fd, part.encode() * int(sys.argv[2]))
    if part == "synced":
        os.fsync(fd)
print(flush=True)
input()
os.link(f"/proc/self/fd/{fd}", sys.argv[1] + "/f", src_dir_fd=fd, follow_symlinks=True)
os.write(fd, b"more")
os.close(fd)
"""


def _names_it(pid):
    with open(f"/proc/{pid}/syscall") as file:
        return file.read().split()[0] == str(LINKAT)


@pytest.mark.parametrize("when", ["then", "meanwhile"])
@pytest.mark.parametrize("times", [100, 100000], ids=["staged", "stream"])
def test_it_is_named_when_the_namenode_is_started_again(cluster, here, tmp_path, times, when):
    """By another process: this one starts daemons, whose processes close what it has open."""
    target = tmp_path / "mnt"
    daemon = mount_on(cluster, target, tmp_path / "log")
    there = str(target) + path_in_dfs(cluster, here)
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, there, str(times)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline()
    cluster.kill("namenode")
    if when == "meanwhile":
        process.stdin.write("\n")
        process.stdin.flush()
        wait_for(lambda: _names_it(process.pid), 10, "the program to wait for linkat")
    cluster.start_again("namenode")
    process.communicate("\n", timeout=60)
    assert process.returncode == 0
    assert hdfs_bytes(cluster, here + "/f") == b"synced" * times + b"not synced" * times + b"more"
    daemon.stop()


def test_quotas_are_heard_when_it_gets_a_name(cluster, here):
    os.mkdir(here + "/full")
    assert cluster.dfsadmin("-setQuota", "1", path_in_dfs(cluster, here) + "/full").returncode == 0
    with unnamed(here + "/full") as fd:
        os.write(fd, b"bytes")
        with pytest.raises(OSError) as refused:
            name_it(fd, here + "/full/f")
        assert refused.value.errno == errno.EDQUOT
        name_it(fd, here + "/f")
    assert hdfs_bytes(cluster, here + "/f") == b"bytes"

"""Mode, owner and times of a file that is made and not saved yet: they go with its first bytes, in one change of the namenode's."""
import contextlib
import json
import os
import signal
import stat
import subprocess

import pytest

from lib.calls import calls_of
from lib.data import MIB
from lib.posix_mounts import beside, cluster, hdfs_bytes, here, keeper_of, other, path_in_dfs, serving_of
from lib.waiting import wait_for

DATA = b"a few bytes " * 30
DAY = 86400


def _listed(cluster, path):
    """(mode, owner, group, length, time of change) for HDFS's clients. Not by a program: it would close its copy of what is open."""
    said = json.loads(cluster.http_get(f"/webhdfs/v1{path_in_dfs(cluster, path)}?op=GETFILESTATUS"))["FileStatus"]
    return said["permission"], said["owner"], said["group"], said["length"], said["modificationTime"] / 1000


@contextlib.contextmanager
def _made(path, mode=0o600):
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode)
    try:
        yield fd
    finally:
        os.close(fd)


def _set_all(fd):
    os.utime(fd, (1_000_000_000 + DAY, 1_000_000_000))
    os.fchown(fd, 1234, 5678)
    os.fchmod(fd, 0o640)


def _check_set(st):
    assert (stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid, st.st_nlink) == (0o640, 1234, 5678, 1)
    assert (st.st_mtime, st.st_atime, st.st_size) == (1_000_000_000, 1_000_000_000 + DAY, len(DATA))
    assert st.st_ctime > st.st_atime


@pytest.fixture(params=["close", "fsync"])
def end(request):
    return (lambda fd: None) if request.param == "close" else os.fsync


def test_they_cost_no_calls_of_their_own_and_are_seen_at_once(cluster, here, end):
    path = here + "/f"
    before = calls_of(cluster.namenode_http)
    with _made(path) as fd:
        os.write(fd, DATA)
        _set_all(fd)
        _check_set(os.fstat(fd))
        _check_set(os.stat(path))
        end(fd)
    after = calls_of(cluster.namenode_http)
    assert {name: after.get(name, 0) - before.get(name, 0) for name in ("setAttr", "edit")} == {"setAttr": 0, "edit": 1}
    _check_set(os.stat(path))
    assert _listed(cluster, path) == ("640", "1234", "5678", len(DATA), 1_000_000_000)


def test_others_see_it_as_it_was_made_and_then_all_at_once(cluster, here, other):
    path = here + "/f"
    with _made(path) as fd:
        os.write(fd, DATA)
        os.fchmod(fd, 0o644)
        assert [entry.stat().st_mode & 0o777 for entry in os.scandir(here)] == [0o644]
        assert _listed(cluster, path)[0] == "600" and stat.S_IMODE(os.stat(beside(cluster, other, path)).st_mode) == 0o600
    wait_for(lambda: stat.S_IMODE(os.stat(beside(cluster, other, path)).st_mode) == 0o644, 5, "the other mount to see the mode")
    assert open(beside(cluster, other, path), "rb").read() == DATA


def test_they_survive_the_process_of_the_mount(cluster, here, end):
    path = here + "/f"
    with _made(path) as fd:
        os.write(fd, DATA)
        _set_all(fd)
        os.kill(serving_of(keeper_of(cluster)), signal.SIGKILL)
        _check_set(os.fstat(fd))
        end(fd)
    _check_set(os.stat(path))
    assert _listed(cluster, path) == ("640", "1234", "5678", len(DATA), 1_000_000_000) and hdfs_bytes(cluster, path) == DATA


def test_what_is_set_after_a_kill_is_not_undone_by_what_was_set_before(cluster, here):
    path = here + "/f"
    with _made(path) as fd:
        os.write(fd, DATA)
        os.fchmod(fd, 0o777)
        os.kill(serving_of(keeper_of(cluster)), signal.SIGKILL)
        os.fchmod(fd, 0o400)
        assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o400
    assert _listed(cluster, path)[0] == "400"


def test_a_write_after_the_time_was_set_has_its_own_time(cluster, here):
    path = here + "/f"
    with _made(path) as fd:
        os.write(fd, DATA)
        os.utime(fd, (1, 1))
        os.write(fd, DATA)
        assert os.fstat(fd).st_mtime > 1_000_000_000
    assert os.stat(path).st_mtime > 1_000_000_000 and os.stat(path).st_atime == 1
    assert _listed(cluster, path)[4] > 1_000_000_000


def test_times_before_and_at_the_epoch(cluster, here):
    for i, t in enumerate((-1.5, 0, 0.25)):
        with _made(f"{here}/{i}") as fd:
            os.write(fd, DATA)
            os.utime(fd, (t, t))
            assert (os.fstat(fd).st_atime, os.fstat(fd).st_mtime) == (t, t)
        assert (os.stat(f"{here}/{i}").st_atime, os.stat(f"{here}/{i}").st_mtime) == (t, t)


def _grow(fd, path):
    for _ in range(3):
        os.write(fd, b"x" * MIB)


OTHERS = {
    "grow": _grow,
    "cut": lambda fd, path: os.ftruncate(fd, 10),
    "lengthen": lambda fd, path: os.ftruncate(fd, 100_000),
    "cut to nothing": lambda fd, path: os.ftruncate(fd, 0),
    "punch": lambda fd, path: subprocess.run(["fallocate", "-p", "-o", "0", "-l", "4", path], check=True),
    "attribute": lambda fd, path: os.setxattr(path, "user.x", b"1"),
    "link": lambda fd, path: os.link(path, path + "-too"),
    "rename": lambda fd, path: (os.rename(path, path + "-too"), os.rename(path + "-too", path)),
    "read": lambda fd, path: os.pread(fd, 10, 0),
    "fsync": lambda fd, path: os.fsync(fd),
}


@pytest.mark.parametrize("kills", [False, True], ids=["", "killed"])
@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS.keys())
def test_whatever_else_is_done_to_the_file(cluster, here, change, kills):
    path = here + "/f"
    with _made(path) as fd:
        os.write(fd, DATA)
        os.fchown(fd, 1234, 5678)
        os.fchmod(fd, 0o751)
        change(fd, path)
        if kills:
            os.kill(serving_of(keeper_of(cluster)), signal.SIGKILL)
        st = os.fstat(fd)
        assert (stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid, st.st_size) == (0o751, 1234, 5678, os.stat(path).st_size)
        os.fchmod(fd, 0o711)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o711
    st = os.stat(path)
    assert (stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid) == (0o711, 1234, 5678)
    assert _listed(cluster, path)[:4] == ("711", "1234", "5678", st.st_size)


def test_a_list_of_rights_counts_the_mode_that_was_set(cluster, here):
    path = here + "/f"
    with _made(path) as fd:
        os.write(fd, DATA)
        os.fchmod(fd, 0o640)
        subprocess.run(["setfacl", "-m", "u:1234:r", path], check=True)
        assert b"user:1234:r--" in subprocess.run(["getfacl", "-np", path], capture_output=True, check=True).stdout
        os.fchmod(fd, 0o600)
    shown = subprocess.run(["getfacl", "-np", path], capture_output=True, check=True).stdout
    assert b"user:1234:r--" in shown and b"mask::---" in shown and b"other::---" in shown


def test_rights_that_a_folder_gives_are_heeded(cluster, here):
    subprocess.run(["setfacl", "-d", "-m", "u:1234:rwx,m::rwx", here], check=True)
    with _made(here + "/f", 0o660) as fd:
        os.write(fd, DATA)
        os.fchmod(fd, 0o620)
    shown = subprocess.run(["getfacl", "-np", here + "/f"], capture_output=True, check=True).stdout
    assert b"user:1234:rwx" in shown and b"mask::-w-" in shown


def test_a_file_that_is_removed_before_it_is_saved(cluster, here):
    with _made(here + "/f") as fd:
        os.write(fd, DATA)
        os.fchmod(fd, 0o640)
        os.unlink(here + "/f")
        assert os.fstat(fd).st_nlink == 0 and stat.S_IMODE(os.fstat(fd).st_mode) == 0o640
        os.fchmod(fd, 0o600)
        assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o600 and os.pread(fd, 100, 0) == DATA[:100]
    assert os.listdir(here) == []


def test_attributes_that_others_set_are_seen_of_a_file_that_is_not_saved_yet(cluster, here, other):
    path = here + "/f"
    with _made(path) as fd:
        os.write(fd, DATA)
        wait_for(lambda: os.path.exists(beside(cluster, other, path)), 5, "the file")
        os.chmod(beside(cluster, other, path), 0o604)
        wait_for(lambda: stat.S_IMODE(os.fstat(fd).st_mode) == 0o604, 5, "the mode")
    assert stat.S_IMODE(os.stat(path).st_mode) == stat.S_IMODE(os.stat(beside(cluster, other, path)).st_mode) == 0o604

"""Set-id bits and capabilities, which the kernel leaves to the mount, and so need not ask about them before each write."""
import json
import os
import platform
import signal
import stat

import pytest

from lib.posix_mounts import beside, cluster, here, keeper_of, other, path_in_dfs, serving_of
from lib.waiting import wait_for

WRITES = 1000
PAGE = 4096
NOBODY = 65534
KERNEL_ASKS = tuple(map(int, platform.release().split(".")[:2])) < (5, 11)


@pytest.fixture(params=["as it began", "after a death"])
def serving(request, cluster):
    """The process that serves; the one that was there when the kernel said hello, or its successor."""
    keeper = keeper_of(cluster)
    pid = serving_of(keeper)
    if request.param == "after a death":
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: serving_of(keeper) != pid, 10, "the next process")
        os.stat(cluster.mount)
        pid = serving_of(keeper)
    return pid


def _reads(pid):
    """Each request of the kernel's is one."""
    return int(open(f"/proc/{pid}/io").read().split("syscr: ")[1].split()[0])


def _as_nobody(act):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            act()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


def _mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def _mode_in_cluster(cluster, path):
    said = json.loads(cluster.http_get(f"/webhdfs/v1{path_in_dfs(cluster, path)}?op=GETFILESTATUS"))["FileStatus"]
    return said["permission"]


@pytest.mark.skipif(KERNEL_ASKS, reason="Linux 5.11 leaves set-id bits to the mount")
def test_a_small_write_is_one_request(here, serving):
    with open(here + "/f", "wb", buffering=0) as f:
        f.write(bytes(PAGE))
        os.pwrite(f.fileno(), bytes(PAGE), 0)
        before = _reads(serving)
        for _ in range(WRITES):
            os.pwrite(f.fileno(), bytes(PAGE), 0)
        asked = _reads(serving) - before
        assert WRITES <= asked < WRITES * 5 // 4


def test_a_write_of_somebody_else_takes_set_id_bits(cluster, here, other, serving):
    path = here + "/f"
    open(path, "wb").write(b"program")
    os.chmod(path, 0o6777)
    fd = os.open(path, os.O_RDONLY)  # it is in use, before and after
    _as_nobody(lambda: os.pwrite(os.open(path, os.O_WRONLY), b"P", 0))
    assert _mode(path) == 0o777 and open(path, "rb").read() == b"Program"
    os.close(fd)
    wait_for(lambda: _mode(beside(cluster, other, path)) == 0o777, 5, "the other mount to see it")


def test_the_bits_of_a_new_file_are_gone_when_its_first_bytes_are_saved(cluster, here):
    os.chmod(here, 0o777)
    path = here + "/f"

    def make():
        os.umask(0)
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o6777)
        os.write(fd, b"a")
        os.fchmod(fd, 0o6777)
        os.write(fd, b"b")
        assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o777

    _as_nobody(make)
    assert _mode(path) == 0o777 and _mode_in_cluster(cluster, path) == "777"


def test_the_bits_are_gone_though_the_process_that_heard_of_the_write_dies(cluster, here):
    path = here + "/f"
    with open(path, "xb", buffering=0) as f:
        f.write(b"a")
        os.fchmod(f.fileno(), 0o6777)
        _as_nobody(lambda: os.write(os.open(path, os.O_WRONLY | os.O_APPEND), b"b"))
        os.kill(serving_of(keeper_of(cluster)), signal.SIGKILL)
        assert _mode(path) == 0o777
    assert _mode_in_cluster(cluster, path) == "777" and open(path, "rb").read() == b"ab"


def test_a_file_that_is_given_away_is_no_program_any_more(cluster, here, other):
    for name in "closed", "open":
        path = f"{here}/{name}"
        with open(path, "xb") as f:
            f.write(b"program")
            if name == "closed":
                f.close()
            os.chmod(path, 0o6755)
            os.chown(path, 1234, 5678)
            assert _mode(path) == 0o755
        st = os.stat(path)
        assert (stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid) == (0o755, 1234, 5678)
        wait_for(lambda: _mode(beside(cluster, other, path)) == 0o755, 5, "the other mount to see it")

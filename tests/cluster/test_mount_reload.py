"""A mount goes on with another program: its file is replaced, and the serving process is to be of that."""
import contextlib
import fcntl
import os
import shutil
import subprocess

import pytest

from lib.cluster import Cluster, cairn_path, client_env, run_cairn
from lib.data import MIB
from lib.process import Daemon
from lib.waiting import wait_for


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("reload") / "cluster", nodes=3) as running:
        yield running


class Copy:
    """A mount by a copy of the program, which can be replaced."""

    def __init__(self, cluster, folder, *options):
        self.program, self.path, self.log = f"{folder}/cairn", f"{folder}/mnt", f"{folder}/log"
        os.mkdir(self.path)
        self.install(cairn_path())
        self.keeper = Daemon("mount", [self.program, "mount", "-fs", cluster.uri, "--foreground", "mnt", *options], self.log,
                             env=client_env(), cwd=str(folder))
        wait_for(lambda: os.path.ismount(self.path), 20, "the mount")

    def install(self, program):
        shutil.copy(program, self.program + ".new")
        os.rename(self.program + ".new", self.program)

    def processes(self):
        return tuple(map(int, os.getxattr(self.path, "system.cairn.processes").split()))

    def reload(self):
        keeper, before = self.processes()
        run_cairn("mount", "--reload", self.path, check=True)
        assert self.processes()[0] == keeper == self.keeper.pid
        assert self.processes()[1] != before
        return os.readlink(f"/proc/{self.processes()[1]}/exe")

    def stop(self):
        self.keeper.stop(patience_s=30)
        return self.keeper.returncode


@pytest.fixture
def mount(cluster, tmp_path):
    copy = Copy(cluster, tmp_path)
    yield copy
    copy.stop()


def test_all_that_is_open_goes_on_with_the_file_that_is_there_now(cluster, mount):
    here, edited = mount.path, bytearray(os.urandom(2 * MIB))
    open(here + "/edited", "wb").write(edited)
    with contextlib.ExitStack() as files:
        stream = files.enter_context(open(here + "/stream", "wb", buffering=0))
        edit = files.enter_context(open(here + "/edited", "r+b", buffering=0))
        gone = files.enter_context(open(here + "/gone", "w+b", buffering=0))
        gone.write(b"nobody sees this")
        os.unlink(here + "/gone")
        fcntl.flock(edit, fcntl.LOCK_EX)
        waiter = subprocess.Popen(["flock", here + "/edited", "true"])
        for i in range(3):
            stream.write(b"%08d" % i * 100000)
            os.pwrite(edit.fileno(), b"edit %d" % i, i * 700000)
            edited[i * 700000:i * 700000 + 6] = b"edit %d" % i
            mount.install(cairn_path())
            assert mount.reload() == mount.program, "it is of the file that is there now"
        assert os.pread(gone.fileno(), 100, 0) == b"nobody sees this"
        assert waiter.poll() is None, "it waits for the lock still"
    assert waiter.wait(20) == 0
    assert cluster.fs("-cat", "/stream", check=True).stdout == b"".join(b"%08d" % i * 100000 for i in range(3))
    assert cluster.fs("-cat", "/edited", check=True).stdout == edited


def test_a_file_that_cannot_take_over_does_no_harm(mount):
    with open(mount.path + "/f", "wb", buffering=0) as f:
        f.write(b"before")
        mount.install("/bin/false")
        assert mount.reload() == mount.program + " (deleted)", "what was started goes on"
        f.write(b" and after")
    assert open(mount.path + "/f", "rb").read() == b"before and after"
    mount.install(cairn_path())
    assert mount.reload() == mount.program


def test_the_process_that_was_executed_is_started_again_when_it_is_killed(mount):
    mount.reload()
    before = mount.processes()[1]
    with open(mount.path + "/f", "wb", buffering=0) as f:
        f.write(b"before")
        os.kill(before, 9)
        f.write(b" and after")
    assert mount.processes()[1] != before and open(mount.path + "/f", "rb").read() == b"before and after"


def test_a_mount_that_was_reloaded_ends_as_any(cluster, mount):
    mount.reload()
    f = os.open(mount.path + "/staged", os.O_CREAT | os.O_RDWR)
    os.write(f, b"to be saved at the end")
    os.kill(mount.keeper.pid, 15)
    wait_for(lambda: not os.path.ismount(mount.path), 20, "the end of the mount")
    assert cluster.fs("-cat", "/staged", check=True).stdout == b"to be saved at the end"
    with contextlib.suppress(OSError):
        os.close(f)


def test_what_cannot_be_reloaded_says_so(tmp_path):
    done = run_cairn("mount", "--reload", str(tmp_path))
    assert done.returncode == 1 and b"it is no mount of a Cairn namenode" in done.stderr

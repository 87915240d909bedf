"""Mounts of a Cairn namenode beside what HDFS clients see: fixtures for modules of tests, which import them."""
import os
import re
import subprocess
import tempfile

import pytest

from lib.cluster import Cluster, cairn_path, client_env
from lib.data import MIB
from lib.process import Daemon
from lib.waiting import wait_for

BLOCK = 4 * MIB


def mount_on(cluster, folder, log, *options, fresh=True):
    if fresh:
        os.mkdir(folder)
    command = [cairn_path(), "mount", "-fs", cluster.uri, "--foreground", str(folder), "-D", f"dfs.blocksize={BLOCK}", *options]
    daemon = Daemon("mount", command, str(log), env=client_env())
    wait_for(lambda: is_served(folder), 20, "the mount")
    return daemon


def is_served(folder):
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
    daemon = mount_on(cluster, folder, folder.parent / "log")
    yield str(folder)
    daemon.stop()


@pytest.fixture
def here(cluster, request):
    path = os.path.join(cluster.mount, re.sub(r"\W", "_", request.node.name))
    os.mkdir(path)
    return path


def path_in_dfs(cluster, path):
    return path[len(cluster.mount):]


def hdfs_bytes(cluster, path):
    return cluster.fs("-cat", path_in_dfs(cluster, path), check=True).stdout


def beside(cluster, other, path):
    return other + path_in_dfs(cluster, path)


def serving_of(keeper):
    """The process that serves a mount, once there is one; not one that was killed and still has threads in the kernel."""
    def child():
        return subprocess.run(["pgrep", "-P", str(keeper), "-r", "D,R,S,T"], capture_output=True, text=True).stdout.split()
    wait_for(child, 10, "a process that serves")
    return int(child()[0])


def keeper_of(cluster):
    return next(daemon["pid"] for daemon in cluster.daemons if daemon["name"] == "mount")

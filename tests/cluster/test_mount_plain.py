"""A mount of what HDFS has words for: not by the namenode's superuser, or of any other HDFS."""
import os
import subprocess
import tempfile

import pytest

from lib.cluster import Cluster
from lib.data import MIB
from lib.mounts import Mount
from lib.waiting import wait_for


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mount-plain")
    mount = tempfile.mkdtemp(prefix="cairn-mount-")  # where other users may go too
    os.chmod(mount, 0o755)
    with Cluster(folder / "cluster", nodes=3, properties={"dfs.blocksize": 4 * MIB}) as running:
        running.fs("-chmod", "777", "/", check=True)
        with Mount(running, mount, folder / "mount.log", user="ann"):
            running.mount = mount
            yield running
    os.rmdir(mount)


@pytest.fixture
def here(cluster, request):
    """A folder of its own in the mount for each test."""
    path = os.path.join(cluster.mount, request.node.name.replace("/", "_"))
    os.mkdir(path)
    return path


def path_in_dfs(cluster, path):
    return path[len(cluster.mount):]


def test_a_hidden_file_goes_when_somebody_else_closes_it(cluster, here):
    """Who has it open may read it, but change nothing in its directory."""
    open(here + "/f", "w").write("still here")
    reader = subprocess.Popen(
        ["setpriv", "--reuid", "65534", "--clear-groups", "sh", "-c", "exec 3<f; echo open; read line; cat <&3"],
        cwd=here, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert reader.stdout.readline() == b"open\n"
    os.unlink(here + "/f")
    assert b".cairn-unlinked-" in cluster.fs("-ls", path_in_dfs(cluster, here)).stdout
    assert reader.communicate(b"\n", timeout=60)[0] == b"still here"
    wait_for(lambda: cluster.fs("-ls", path_in_dfs(cluster, here)).stdout == b"", 10, "the hidden file to go")

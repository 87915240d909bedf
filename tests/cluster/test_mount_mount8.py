"""What mount(8) hands to /sbin/mount.fuse.cairn, lines of fstab among it."""
import os
import subprocess

import pytest

from lib.cluster import Cluster, cairn_path, client_env


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("mount8") / "cluster", nodes=1) as running:
        running.fs("-mkdir", "-p", "/d/here", check=True)
        yield running


@pytest.fixture
def helper(tmp_path):
    """Runs mount.fuse.cairn SOURCE FOLDER -o OPTIONS; what it mounted is there until the test's end."""
    program, folder = tmp_path / "mount.fuse.cairn", tmp_path / "at"
    os.symlink(cairn_path(), program)
    folder.mkdir()

    def run(source, options, **env):
        command = [program, source, folder, "-o", options]
        return subprocess.run(command, capture_output=True, timeout=60, env=client_env() | env), folder
    yield run
    if os.path.ismount(folder):
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("options", ["rw,_netdev,nofail", "defaults,noauto,x-systemd.automount,comment=data", "rw,noexec,nosuid,nodev,user,relatime", "ro,users",
                                     "rw,noatime,nodiratime,lazytime", "silent,nostrictatime,nolazytime,nomand"])
def test_words_of_fstab(cluster, helper, options):
    done, folder = helper(f"{cluster.uri}/d", options)
    assert done.returncode == 0, done.stderr
    assert os.listdir(folder) == ["here"]


def test_what_is_not_known_is_refused(cluster, helper):
    done, folder = helper(f"{cluster.uri}/d", "rw,no-such-word")
    assert done.returncode and b"no-such-word" in done.stderr and not os.path.ismount(folder)
    assert helper(f"{cluster.uri}/d", "rw")[0].returncode == 0
    done, folder = helper(f"{cluster.uri}/d", "ro,relatime,remount")
    assert done.returncode and b"mount it anew" in done.stderr


def test_the_default_file_system_needs_no_host(cluster, helper):
    done, folder = helper("hdfs:///d", "rw", HADOOP_CONF_DIR=f"{cluster.folder}/conf")
    assert done.returncode == 0, done.stderr
    assert os.listdir(folder) == ["here"]

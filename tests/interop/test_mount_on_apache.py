"""The mount on Apache's servers: the tests of tests/cluster/test_mount.py, but for what only our namenode has, and those
of test_mount_plain.py."""
import errno
import os
import subprocess

import pytest

from cluster import test_mount as on_cairn, test_mount_plain as plain
from lib.apache import ApacheCluster
from lib.cluster import cairn_path, client_env, run_cairn
from lib.data import MIB
from lib.process import Daemon
from lib.waiting import wait_for

# Symlinks are off in Apache's namenode, it counts no links, its datanodes sync no block that has ended, lib.apache starts
# its daemons in its own way, and who mounts here is the superuser, whom nothing is refused.
NOT_HERE = {
    "test_fsync_covers_the_blocks_that_have_ended",
    "test_fsync_covers_what_was_closed_before",
    "test_directories_links_and_counts",
    "test_namenode_restart_under_the_mount",
    "test_a_datanode_dies_under_a_writer_and_a_reader",
    "test_fsync_covers_what_another_handle_has_completed",
    "test_a_cairn_namenode_takes_names_of_any_bytes",
    "test_what_is_done_to_a_link_is_not_done_to_what_it_leads_to",
    "test_a_file_that_could_not_be_closed_can_be_written_again",
    "test_a_file_that_was_not_replaced_keeps_its_name",
}

for name, function in (vars(on_cairn) | vars(plain)).items():
    if name.startswith("test_") and name not in NOT_HERE:
        globals()[name] = function
here = on_cairn.here


class MountedApache(ApacheCluster):
    """What the tests use of lib.cluster.Cluster."""

    def mount_at(self, folder):
        self.mount = str(folder)
        os.mkdir(self.mount)
        command = [cairn_path(), "mount", "-fs", self.uri, "--foreground", self.mount, "-D", f"dfs.blocksize={4 * MIB}"]
        self.daemons.append(Daemon("mount", command, f"{self.folder}/mount.log", env=client_env()))
        wait_for(lambda: os.path.ismount(self.mount), 20, "the mount")

    def fs(self, *args, **options):
        return run_cairn("fs", "-fs", self.uri, *args, **options)

    def kill(self, name):
        self.daemon(name).kill()
        self.daemon(name).stop()

    def start_again(self, name):
        self.start_namenode()

    def stop(self):
        subprocess.run(["umount", "-l", self.mount], check=False)
        super().stop()


@pytest.fixture(scope="module")
def cluster(hadoop, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mount-on-apache")
    running = MountedApache(folder / "cluster", datanodes=3).start()
    try:
        running.mount_at(folder / "mnt")
        yield running
    finally:
        running.stop()


def test_fsync_of_several_blocks(here):
    """Datanodes that do not know what they are asked say so, and it goes on."""
    data = os.urandom(9 * MIB)
    with open(here + "/f", "wb", buffering=0) as f:
        for at in range(0, len(data), MIB):
            f.write(data[at:at + MIB])
            os.fsync(f.fileno())
    assert open(here + "/f", "rb").read() == data


def test_random_write_is_refused_and_harms_nothing(here):
    with open(here + "/f", "wb") as f:
        f.write(b"0123456789")
    fd = os.open(here + "/f", os.O_RDWR)
    with pytest.raises(OSError) as refused:
        os.pwrite(fd, b"x", 3)
    os.close(fd)
    assert refused.value.errno == errno.EOPNOTSUPP
    assert open(here + "/f", "rb").read() == b"0123456789"


def test_names_that_are_no_text_are_not_taken_for_one_another(here):
    """Java makes the same name of all of them."""
    at = os.fsencode(here)
    open(at + b"/a\xef\xbf\xbd", "w").write("what Java would make of them")
    for make in (lambda: open(at + b"/a\xff", "w"), lambda: os.mkdir(at + b"/a\xff"),
                 lambda: os.rename(at + b"/a\xef\xbf\xbd", at + b"/a\xff")):
        with pytest.raises(OSError) as refused:
            make()
        assert refused.value.errno == errno.EINVAL
    assert not os.path.exists(at + b"/a\xff")
    assert os.listdir(at) == [b"a\xef\xbf\xbd"]
    assert open(at + b"/a\xef\xbf\xbd").read() == "what Java would make of them"
    for name in "ü", "\U0001f600", "a\\b", "a\nb":
        open(f"{here}/{name}", "w").write(name)
        assert open(f"{here}/{name}").read() == name

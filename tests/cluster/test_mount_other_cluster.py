"""A mount that is left behind while another cluster gets the address of its own: it must not touch that one's files, whose
inode numbers are the same ones."""
import contextlib
import os

import pytest

from lib.cluster import Cluster
from lib.mounts import Mount
from lib.waiting import wait_for


def fill(mount):
    os.makedirs(f"{mount.path}/folder/deeper")
    for name in "first", "folder/second", "folder/deeper/third":
        with open(f"{mount.path}/{name}", "w") as file:
            file.write(name)


def names_below(cluster):
    return sorted(cluster.fs("-ls", "-R", "-C", "/", check=True).stdout.decode().split())


def changes(path):
    """What must fail there, one after another."""
    yield lambda: os.unlink(f"{path}/first")
    yield lambda: os.rename(f"{path}/first", f"{path}/last")
    yield lambda: os.mkdir(f"{path}/new")
    yield lambda: open(f"{path}/folder/second", "w").close()
    yield lambda: open(f"{path}/made", "w").close()


def is_told(mount):
    with open(mount.log) as log:
        return "mount it anew" in log.read()


def test_another_cluster_at_the_same_address_is_left_alone(tmp_path):
    with contextlib.ExitStack() as until_the_end:
        with Cluster(tmp_path / "one", nodes=1) as one:
            base = one.port_base
            left_behind = Mount(one, tmp_path / "left-behind", tmp_path / "left-behind.log", "-o", "retry=2s")
            until_the_end.enter_context(left_behind)
            fill(left_behind)
        two = until_the_end.enter_context(Cluster(tmp_path / "two", nodes=1, port_base=base))
        with Mount(two, tmp_path / "own", tmp_path / "own.log") as own:
            fill(own)
            before = names_below(two)
            wait_for(lambda: is_told(left_behind), 60, "the mount that was left behind to see whose address that is")
            for change in changes(left_behind.path):
                with pytest.raises(OSError):
                    change()
            assert names_below(two) == before
            with open(f"{own.path}/folder/second", "a") as file:
                file.write(" and more")
        assert two.fs("-cat", "/folder/second", check=True).stdout == b"folder/second and more"

"""Names that a mount fetches ahead of their being asked for: how few calls that takes, and that nobody sees the difference."""
import json
import os
import random
import subprocess
import threading

import pytest

from lib.posix_mounts import beside, cluster, here, mount_on, path_in_dfs
from lib.waiting import wait_for


def forget():
    """The kernel's names, of all file systems: what a mount has been told it is asked for again."""
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as file:
        file.write("2\n")


def lookups(cluster):
    for bean in json.loads(cluster.http_get("/jmx", cluster.namenode_http))["beans"]:
        if "RpcDetailedActivityForPort" in bean["name"]:
            return bean["CallsByProtocol"].get("org.cairn.PosixProtocol", {}).get("lookup", 0)
    raise AssertionError("the namenode counts no calls")


def make(folder, names):
    for name in names:
        with open(f"{folder}/{name}", "w") as file:
            file.write(name)


def look(folder, names):
    """(size, mode, links) of each; None: it is not there."""
    def one(name):
        try:
            st = os.lstat(f"{folder}/{name}")
        except FileNotFoundError:
            return None
        return st.st_size, st.st_mode & 0o7777, st.st_nlink
    return [one(name) for name in names]


NAMES = [f"f{i:02}" for i in range(40)]


@pytest.fixture
def there(cluster, here, tmp_path):
    """The same folder through a mount that has nobody's changes to hear of, and knows some of the names."""
    make(here, NAMES)
    daemon = mount_on(cluster, tmp_path / "there", tmp_path / "there.log")
    there = beside(cluster, str(tmp_path / "there"), here)

    def is_kept():
        look(there, NAMES[:3])
        forget()
        before = lookups(cluster)
        return look(there, NAMES[:3]) and lookups(cluster) == before

    try:
        wait_for(is_kept, 20, "names to be kept, as they are when word of changes comes")
        yield there
    finally:
        daemon.stop()


def test_one_name_after_another_takes_few_calls(cluster, here, there):
    before = lookups(cluster)
    assert look(there, NAMES[3:]) == [(3, 0o644, 1)] * 37
    assert look(there, [name + "x" for name in NAMES[3:]]) == [None] * 37
    assert lookups(cluster) - before <= 3
    forget()
    before = lookups(cluster)
    assert look(there, reversed(NAMES)) == [(3, 0o644, 1)] * 40
    assert lookups(cluster) - before <= 3


def test_names_of_a_new_folder_are_known_not_to_be_there(cluster, here):
    os.mkdir(here + "/new")
    before = lookups(cluster)
    make(here + "/new", NAMES)
    assert lookups(cluster) - before <= 1
    assert sorted(os.listdir(here + "/new")) == NAMES


def test_a_mount_can_do_without(cluster, here, tmp_path):
    make(here, NAMES)
    daemon = mount_on(cluster, tmp_path / "mnt", tmp_path / "log", "-o", "names=0")
    try:
        there = beside(cluster, str(tmp_path / "mnt"), here)
        before = lookups(cluster)
        assert look(there, NAMES) == [(3, 0o644, 1)] * 40
        assert lookups(cluster) - before >= 40
    finally:
        daemon.stop()


def test_what_another_mount_does_is_seen(cluster, here, there):
    os.unlink(here + "/f10")
    os.rename(here + "/f11", here + "/f11-moved")
    os.chmod(here + "/f12", 0o600)
    with open(here + "/f13", "a") as file:
        file.write("more")
    make(here, ["f14-new"])
    os.rename(here + "/f15", here + "/f16")
    os.link(here + "/f17", here + "/f17-link")
    os.unlink(here + "/f18")
    os.mkdir(here + "/f18", 0o711)
    with open(here + "/other", "w") as file:
        file.write("a longer text")
    os.replace(here + "/other", here + "/f19")
    os.truncate(here + "/f20", 1)
    names = NAMES[10:21] + ["f11-moved", "f14-new", "f17-link", "other"]
    assert look(here, names)[0] is None and look(here, names)[2] == (3, 0o600, 1)
    wait_for(lambda: look(there, names) == look(here, names), 5, "what the other mount did")


def test_what_a_client_of_hdfs_does_is_seen(cluster, here, there, tmp_path):
    folder = path_in_dfs(cluster, here)
    (tmp_path / "more").write_text("some more")
    for command in (
        ["-rm", "-skipTrash", f"{folder}/f10"], ["-mv", f"{folder}/f11", f"{folder}/f11-moved"], ["-chmod", "600", f"{folder}/f12"],
        ["-appendToFile", tmp_path / "more", f"{folder}/f13"], ["-mkdir", f"{folder}/f14-new"],
        ["-put", "-f", tmp_path / "more", f"{folder}/f15"], ["-truncate", "-w", "1", f"{folder}/f16"],
    ):
        cluster.fs(*command, check=True)
    wait_for(lambda: look(there, ["f10", "f11", "f11-moved"]) == [None, None, (3, 0o644, 1)], 5, "names")
    wait_for(lambda: look(there, ["f12", "f13", "f15", "f16"]) == [(3, 0o600, 1), (12, 0o644, 1), (9, 0o644, 1), (1, 0o644, 1)], 5,
             "files")
    wait_for(lambda: look(there, ["f14-new"]) != [None], 5, "a folder")


def test_a_folder_that_another_removes_is_gone(cluster, here, there):
    subprocess.run(["rm", "-r", here], check=True)
    wait_for(lambda: not os.path.exists(there), 5, "the folder's end")
    os.mkdir(here)
    wait_for(lambda: os.path.exists(there), 5, "another one of that name")
    assert look(there, NAMES) == [None] * 40


def test_what_a_mount_does_itself_is_seen_at_once(cluster, here):
    names = NAMES + [f"{name}-more" for name in NAMES]
    make(here, NAMES)

    def then(expected):
        forget()
        assert look(here, [name for name, _ in expected]) == [as_it_is for _, as_it_is in expected]

    def do(function, *expected):
        """Before and after it, the mount has all the names and the kernel none."""
        forget()
        look(here, names[:3])
        function()
        then(expected)

    usual, gone = (3, 0o644, 1), None
    do(lambda: os.unlink(here + "/f10"), ("f10", gone), ("f09", usual), ("f11", usual))
    do(lambda: os.rename(here + "/f11", here + "/f11-more"), ("f11", gone), ("f11-more", usual))
    do(lambda: os.replace(here + "/f12", here + "/f13"), ("f12", gone), ("f13", usual))
    do(lambda: os.chmod(here + "/f14", 0o600), ("f14", (3, 0o600, 1)), ("f15", usual))
    do(lambda: make(here, ["f16-more"]), ("f16-more", (8, 0o644, 1)))
    do(lambda: os.truncate(here + "/f17", 100), ("f17", (100, 0o644, 1)))
    do(lambda: open(here + "/f18", "a").write("more"), ("f18", (7, 0o644, 1)))
    do(lambda: os.link(here + "/f19", here + "/f19-more"), ("f19", (3, 0o644, 2)), ("f19-more", (3, 0o644, 2)))
    do(lambda: os.unlink(here + "/f19"), ("f19", gone), ("f19-more", usual))
    do(lambda: os.symlink("f20", here + "/f20-more"), ("f20-more", (3, 0o777, 1)))
    do(lambda: os.mkdir(here + "/f21-more", 0o711), ("f21-more", (4096, 0o711, 2)))
    do(lambda: os.mkdir(here + "/f21-more/within"), ("f21-more", (4096, 0o711, 3)))
    do(lambda: os.rename(here + "/f21-more/within", here + "/f22-more"), ("f21-more", (4096, 0o711, 2)), ("f22-more", (4096, 0o755, 2)))
    do(lambda: os.rmdir(here + "/f22-more"), ("f22-more", gone))
    before = os.stat(here + "/f23").st_ctime_ns
    do(lambda: os.setxattr(here + "/f23", "user.a", b"b"), ("f23", usual))
    assert os.getxattr(here + "/f23", "user.a") == b"b" and os.stat(here + "/f23").st_ctime_ns > before
    do(lambda: os.utime(here + "/f24", (1, 2)), ("f24", usual))
    assert (os.stat(here + "/f24").st_atime, os.stat(here + "/f24").st_mtime) == (1, 2)


def test_two_names_of_one_file_stay_when_one_is_moved_onto_the_other(cluster, here, there):
    os.link(here + "/f10", here + "/f10-link")
    os.rename(there + "/f10", there + "/f10-link")  # word of the link may still be under way
    for folder in here, there:
        forget()
        wait_for(lambda: look(folder, ["f10", "f10-link"]) == [(3, 0o644, 2)] * 2, 5, f"both names in {folder}")


def test_what_another_has_made_is_there_for_who_is_told_so(cluster, here, there):
    """At once, in a folder of which all was known on both sides, once they have heard that it is not theirs alone."""
    for i in range(100):
        maker, reader = (here, there) if i % 2 else (there, here)
        make(maker, [f"g{i}"])
        if i < 2:
            wait_for(lambda: look(reader, [f"g{i}"]) != [None], 5, "the first word")
        assert look(reader, [f"g{i}"]) != [None]
        os.rename(f"{maker}/g{i}", f"{maker}/h{i}")
        assert open(f"{reader}/h{i}").read() == f"g{i}"


@pytest.mark.parametrize("mutating", ["here", "there"])
def test_no_change_is_missed_by_who_looks_meanwhile(cluster, here, there, mutating):
    """Names are fetched all the time while others, or the same mount, change them."""
    rng, stop, wrong = random.Random(1), threading.Event(), []
    names = NAMES + [f"g{i:02}" for i in range(40)]

    def looking():
        own = random.Random(2)
        while not stop.is_set():
            look(there, own.sample(names, 20))
            forget()

    def change(folder):
        name = rng.choice(names)
        path = f"{folder}/{name}"
        if look(folder, [name]) == [None]:
            make(folder, [name])
            expected = [(3, 0o644, 1)]
        elif rng.random() < 0.5:
            os.unlink(path)
            expected = [None]
        else:
            mode = rng.choice([0o600, 0o640, 0o644])
            os.chmod(path, mode)
            expected = [(3, mode, 1)]
        if look(folder, [name]) != expected:
            wrong.append((name, expected, look(folder, [name])))

    threads = [threading.Thread(target=looking) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(200):
            change(here if mutating == "here" else there)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not wrong
    wait_for(lambda: look(there, names) == look(here, names), 5, "all that was changed")
    assert sorted(os.listdir(there)) == sorted(name for name, what in zip(names, look(here, names)) if what)

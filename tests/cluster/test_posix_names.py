"""Files of several names, special files, and what mounts hold: what is seen of them by path, and after a restart."""
import errno
import stat

import pytest

from lib.cluster import Cluster
from lib.posix_names import ROOT, Names
from lib.posix_tool import PosixError
from lib.waiting import wait_for


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("names") / "cluster", properties={"dfs.heartbeat.interval": 1}) as running:
        yield running


def put(cluster, path, data):
    cluster.fs("-put", "-f", "-", path, stdin=data, check=True)


def cat(cluster, path):
    return cluster.fs("-cat", path, check=True).stdout


def test_a_file_of_two_names(cluster):
    cluster.fs("-mkdir", "-p", "/two/in", check=True)
    put(cluster, "/two/a", b"first\n")
    with Names(cluster) as names:
        file, inside = names.id("/two/a"), names.id("/two/in")
        assert names.link(file, inside, "b") == 2
        assert cat(cluster, "/two/in/b") == b"first\n"
        cluster.fs("-appendToFile", "-", "/two/in/b", stdin=b"second\n", check=True)
        assert cat(cluster, "/two/a") == b"first\nsecond\n"
        # Every name is counted, what it takes up once.
        count = cluster.fs("-count", "/two", check=True).stdout.split()
        assert count[:3] == [b"2", b"2", b"26"]
        assert cluster.fs("-du", "-s", "/two", check=True).stdout.split()[:2] == [b"26", b"39"]
        report = cluster.fsck("/two", "-files").stdout
        assert b"HEALTHY" in report and b"/two/in/b <link>" in report
        cluster.fs("-rm", "-skipTrash", "/two/a", check=True)
        assert names.nlink(file) == 1
        assert cat(cluster, "/two/in/b") == b"first\nsecond\n"
        # A tree that goes takes along only what has no name elsewhere.
        names.link(file, names.id("/two"), "c")
        cluster.fs("-rm", "-r", "-skipTrash", "/two/in", check=True)
        wait_for(lambda: names.nlink(file) == 1, 30, "the reaper has not come by")
        assert cat(cluster, "/two/c") == b"first\nsecond\n"
        cluster.fs("-mv", "/two/c", "/two/d", check=True)
        assert names.id("/two/d") == file


def test_renames_that_hdfs_has_not(cluster):
    cluster.fs("-mkdir", "-p", "/renames/full/in", "/renames/empty", check=True)
    put(cluster, "/renames/f", b"f")
    put(cluster, "/renames/g", b"g")
    with Names(cluster) as names:
        folder, full, empty = names.id("/renames"), names.id("/renames/full"), names.id("/renames/empty")
        f, g = names.id("/renames/f"), names.id("/renames/g")
        assert names.ask("rename", folder, "f", folder, "g", 2) == [str(f), str(g)]  # RENAME_EXCHANGE
        assert cat(cluster, "/renames/f") == b"g"
        for words, wanted in [((folder, "f", folder, "g", 1), errno.EEXIST),
                              ((folder, "empty", folder, "full", 0), errno.ENOTEMPTY),
                              ((folder, "full", folder, "f", 0), errno.ENOTDIR),
                              ((folder, "full", names.id("/renames/full/in"), "x", 0), errno.EINVAL)]:
            with pytest.raises(PosixError) as refused:
                names.ask("rename", *words)
            assert refused.value.errno == wanted
        assert names.ask("rename", folder, "full", folder, "empty", 0) == [str(full), str(empty)]
        assert names.ask("list", folder) == ["empty", "f", "g"]
        assert names.ask("chmod", full, "3755") == ["43755"]
        assert cluster.fs("-stat", "%a", "/renames/empty", check=True).stdout == b"1755\n"
        names.session()
        assert names.ask("unlink", folder, "f", "hold") == ["0"]
        assert names.nlink(g) == 0
        names.ask("release", g)
        with pytest.raises(PosixError) as gone:
            names.nlink(g)
        assert gone.value.errno == errno.ESTALE


def test_special_files_look_empty(cluster):
    cluster.fs("-mkdir", "-p", "/special", check=True)
    with Names(cluster) as names:
        folder = names.id("/special")
        for name, mode in [("fifo", stat.S_IFIFO), ("socket", stat.S_IFSOCK), ("null", stat.S_IFCHR)]:
            names.make(folder, name, mode | 0o4644)
        for name in ["fifo", "socket", "null"]:
            assert cat(cluster, f"/special/{name}") == b""
            assert cluster.fs("-stat", "%F %b %a %u", f"/special/{name}", check=True).stdout == b"regular file 0 644 ann\n"
        assert cluster.fs("-appendToFile", "-", "/special/fifo", stdin=b"x").returncode != 0
        assert b"HEALTHY" in cluster.fsck("/special").stdout
        cluster.fs("-rm", "-r", "-skipTrash", "/special", check=True)
        assert names.id("/special") == 0


def test_what_is_held_and_locked(cluster):
    put(cluster, "/held", b"still here")
    with Names(cluster) as one, Names(cluster) as two:
        number, _ = one.session(), two.session()
        file = one.id("/held")
        assert one.ask("lock", file, 1, 0, 9, 1, 0) == ["1"]
        assert two.ask("lock", file, 1, 5, 5, 0, 0) == ["0"]
        assert one.ask("unlink", ROOT, "held", "hold") == ["0"]
        path = f"/.reserved/.inodes/{file}"
        assert cat(cluster, path) == b"still here"
        cluster.kill("namenode")
        cluster.start_again("namenode")
        assert one.session(number) == number
        cluster.dfsadmin("-safemode", "wait", check=True)
        assert cat(cluster, path) == b"still here"
        assert two.ask("changes", 0)[0] == "lost"
        assert two.ask("lock", file, 1, 5, 5, 0, 0) == ["0"]  # the first one may still say that it has it,
        one.ask("changes", 0)
        assert two.ask("lock", file, 1, 5, 5, 0, 0) == ["1"]  # and has not
        one.ask("close")
        with pytest.raises(PosixError) as gone:
            two.ask("stat", file)
        assert gone.value.errno == errno.ESTALE
        with pytest.raises(PosixError) as ended:
            one.session(number)
        assert ended.value.errno == errno.ESTALE


def test_mounts_hear_what_hdfs_clients_do(cluster):
    with Names(cluster) as names:
        names.session()
        names.begin("changes", 30000)
        put(cluster, "/news", b"read all about it")
        seen = names.end()
        assert seen
        file = None
        while f"{file}!" not in seen:  # the content comes with the last of several changes
            file = file or names.id("/news")
            seen += names.ask("changes", 30000)
        assert f"{ROOT}/news" in seen or any(word.startswith(f"{ROOT}/news") for word in seen)
        names.make(ROOT, "own", stat.S_IFIFO | 0o644)
        assert not any("own" in word for word in names.ask("changes", 0))

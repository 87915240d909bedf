"""Snapshots: the same commands through Hadoop's tools and ours, on Apache's servers and on ours. What Hadoop's tools say
on Apache's servers is what all others have to say."""
import contextlib
import re
from pathlib import Path

import pytest

from interop.servers import CairnClient, JavaClient
from lib.waiting import wait_for

# An append that starts before all replicas are reported fails on Apache's servers.
ONE_REPLICA = ("-D", "dfs.replication=1")


class Transcript:
    """Runs commands below a folder of its own (ROOT) and notes exit codes and output, without what differs by nature."""

    def __init__(self, client, root):
        self.client, self.root, self.lines = client, root, []

    def run(self, tool, *args, stdin=b"", user=""):
        words = [arg.replace("ROOT", self.root) for arg in args]
        if tool == "fs":
            words = [*ONE_REPLICA, *words]
        done = self.client._checked(tool, words, check=False, stdin=stdin, user=user)
        said = done.stderr.decode().splitlines()[:1]  # what comes behind is where in Java it happened
        self.lines.append((tool, args, done.returncode, self._masked(done.stdout.decode()), [self._masked(s) for s in said]))
        return done

    def _masked(self, text):
        text = text.replace(self.root, "ROOT")
        text = re.sub(r"hdfs://[\d.]+:\d+", "hdfs://NAMENODE", text)
        text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "TIME", text)
        text = re.sub(r"s\d{8}-\d{6}\.\d{3}", "DEFAULT_NAME", text)
        return re.sub(r"TIME +\d+ ACTIVE", "TIME ID ACTIVE", text)

    def truncate(self, path, length):
        """-w is over before what is left of a block that a snapshot has was copied."""
        self.run("fs", "-truncate", "-w", str(length), path)
        at = path.replace("ROOT", self.root)
        wait_for(lambda: len(self.client.fs("-cat", at, check=False).stdout) == length, 60, f"{at} to be cut")


def names(t):
    """Making, naming and removing, with everything that is refused."""
    t.run("fs", "-createSnapshot", "ROOT", "s1")
    t.run("dfsadmin", "-allowSnapshot", "ROOT/no")
    t.run("fs", "-mkdir", "-p", "ROOT/d/sub", "ROOT/e")
    t.run("fs", "-put", "-", "ROOT/file", stdin=b"x")
    t.run("dfsadmin", "-allowSnapshot", "ROOT/file")
    t.run("fs", "-createSnapshot", "ROOT/d", "s1")
    t.run("fs", "-ls", "ROOT/d/.snapshot")
    t.run("dfsadmin", "-allowSnapshot", "ROOT/d")
    t.run("dfsadmin", "-allowSnapshot", "ROOT/d")
    t.run("dfsadmin", "-allowSnapshot", "ROOT/d/sub")
    t.run("dfsadmin", "-allowSnapshot", "ROOT")
    t.run("dfsadmin", "-provisionSnapshotTrash", "ROOT/e")
    t.run("dfsadmin", "-provisionSnapshotTrash", "ROOT/none")
    for _ in range(2):
        t.run("dfsadmin", "-provisionSnapshotTrash", "ROOT/d")
    t.run("fs", "-chmod", "700", "ROOT/d/.Trash")
    t.run("dfsadmin", "-provisionSnapshotTrash", "ROOT/d")
    t.run("fs", "-put", "-", "ROOT/d/.Trash/f", stdin=b"x")
    t.run("dfsadmin", "-disallowSnapshot", "ROOT/d")
    t.run("fs", "-rm", "-skipTrash", "ROOT/d/.Trash/f")
    t.run("dfsadmin", "-disallowSnapshot", "ROOT/d")
    t.run("fs", "-ls", "ROOT/d")
    t.run("dfsadmin", "-allowSnapshot", "ROOT/d")
    t.run("fs", "-ls", "ROOT/d/.snapshot")
    t.run("fs", "-ls", "-d", "ROOT/d/.snapshot")
    t.run("fs", "-createSnapshot", "ROOT/d", "s1")
    t.run("fs", "-createSnapshot", "ROOT/d", "s1")
    t.run("fs", "-createSnapshot", "ROOT/d")
    for bad in ("a/b", ".snapshot", "a:b", ".", "..", ".reserved", "x" * 256):
        t.run("fs", "-createSnapshot", "ROOT/d", bad)
    t.run("fs", "-createSnapshot", "ROOT/file", "s1")
    t.run("fs", "-createSnapshot", "ROOT/none", "s1")
    t.run("fs", "-createSnapshot")
    t.run("fs", "-createSnapshot", "ROOT/d", "a", "b")
    t.run("fs", "-renameSnapshot", "ROOT/d", "none", "s2")
    t.run("fs", "-renameSnapshot", "ROOT/d", "s1", "a/b")
    t.run("fs", "-renameSnapshot", "ROOT/d", "s1", "s1")
    t.run("fs", "-renameSnapshot", "ROOT/d", "s1", "s0")
    t.run("fs", "-createSnapshot", "ROOT/d", "s1")
    t.run("fs", "-renameSnapshot", "ROOT/d", "s1", "s0")
    t.run("fs", "-renameSnapshot", "ROOT/d", "s1")
    t.run("fs", "-ls", "ROOT/d/.snapshot")
    t.run("lsSnapshot", "ROOT/d")
    t.run("lsSnapshot", "ROOT/e")
    t.run("lsSnapshot", "ROOT/none")
    t.run("dfsadmin", "-disallowSnapshot", "ROOT/d")
    t.run("fs", "-rm", "-r", "-skipTrash", "ROOT/d")
    t.run("fs", "-mv", "ROOT/d", "ROOT/f")
    t.run("fs", "-deleteSnapshot", "ROOT/d", "none")
    t.run("fs", "-deleteSnapshot", "ROOT/d")
    t.run("fs", "-deleteSnapshot", "ROOT/d", "s0")
    t.run("fs", "-deleteSnapshot", "ROOT/d", "s1")
    left = t.client.fs("-ls", "-C", t.root + "/d/.snapshot").decode().split()
    for path in left:
        t.run("fs", "-deleteSnapshot", "ROOT/d", path.rsplit("/", 1)[1])
        t.lines.pop()  # its name is the time
    t.run("fs", "-mv", "ROOT/d", "ROOT/f")
    t.run("lsSnapshottableDir")
    t.run("fs", "-mkdir", "ROOT/g")
    t.run("dfsadmin", "-allowSnapshot", "ROOT/g")
    t.run("fs", "-mv", "ROOT/f", "ROOT/g")
    t.run("dfsadmin", "-disallowSnapshot", "ROOT/g")
    t.run("fs", "-rm", "-r", "-skipTrash", "ROOT/f")
    t.run("lsSnapshottableDir")
    t.run("dfsadmin", "-disallowSnapshot", "ROOT/e")


def reads(t):
    """What a snapshot shows, and that nothing below it can be changed."""
    t.run("fs", "-mkdir", "-p", "ROOT/d/a")
    t.run("fs", "-D", "dfs.blocksize=1048576", "-put", "-", "ROOT/d/a/f", stdin=b"one " * 300_000)
    t.run("fs", "-put", "-", "ROOT/d/g", stdin=b"old")
    t.run("fs", "-put", "-", "ROOT/d/gone", stdin=b"here")
    t.run("fs", "-chmod", "640", "ROOT/d/g")
    t.run("dfsadmin", "-allowSnapshot", "ROOT/d")
    t.run("fs", "-createSnapshot", "ROOT/d", "s1")
    t.run("fs", "-appendToFile", "-", "ROOT/d/g", stdin=b" and new")
    t.truncate("ROOT/d/a/f", 1000)
    t.run("fs", "-rm", "-skipTrash", "ROOT/d/gone")
    t.run("fs", "-chmod", "600", "ROOT/d/g")
    t.run("fs", "-createSnapshot", "ROOT/d", "s2")
    t.truncate("ROOT/d/g", 5)
    t.run("fs", "-mv", "ROOT/d/a", "ROOT/d/b")
    t.run("fs", "-put", "-f", "-", "ROOT/d/g", stdin=b"another")
    for at in ("ROOT/d", "ROOT/d/.snapshot/s1", "ROOT/d/.snapshot/s2"):
        t.run("fs", "-ls", "-R", at)
        t.run("fs", "-cat", at + "/g")
        t.run("fs", "-cat", at + "/gone")
        t.run("fs", "-cat", at + "/a/f")
        t.run("fs", "-cat", at + "/b/f")
        t.run("fs", "-checksum", at + "/g")
        t.run("fs", "-stat", "%n %b %F %o %r %u %g %a", at, at + "/g")
        t.run("fs", "-test", "-e", at + "/gone")
        t.run("fs", "-test", "-d", at + "/a")
        t.run("fs", "-getfacl", at + "/g")
    t.run("fs", "-count", "ROOT/d/.snapshot/s1", "ROOT/d/.snapshot/s2")
    t.run("fs", "-du", "-s", "ROOT/d/.snapshot/s1", "ROOT/d/.snapshot/s2")
    t.run("fs", "-du", "ROOT/d/.snapshot")
    t.run("fs", "-ls", "ROOT/d/.snapshot/none")
    t.run("fs", "-cp", "ROOT/d/.snapshot/s1/g", "ROOT/back")
    t.run("fs", "-cat", "ROOT/back")
    t.run("fs", "-touchz", "ROOT/d/.snapshot/s1/new")
    t.run("fs", "-mkdir", "ROOT/d/.snapshot/s1/new")
    t.run("fs", "-mkdir", "ROOT/d/.snapshot/new")
    t.run("fs", "-rm", "-skipTrash", "ROOT/d/.snapshot/s1/g")
    t.run("fs", "-rm", "-r", "-skipTrash", "ROOT/d/.snapshot/s1")
    t.run("fs", "-mv", "ROOT/d/.snapshot/s1/g", "ROOT/g")
    t.run("fs", "-mv", "ROOT/d/g", "ROOT/d/.snapshot/s1/g2")
    t.run("fs", "-chmod", "777", "ROOT/d/.snapshot/s1/g")
    t.run("fs", "-chown", "bob", "ROOT/d/.snapshot/s1/g")
    t.run("fs", "-setrep", "1", "ROOT/d/.snapshot/s1/g")
    t.run("fs", "-appendToFile", "-", "ROOT/d/.snapshot/s1/g", stdin=b"x")
    t.run("fs", "-truncate", "1", "ROOT/d/.snapshot/s1/g")
    t.run("fs", "-touch", "ROOT/d/.snapshot/s1/g")
    t.run("fs", "-mkdir", "ROOT/e/.snapshot")
    t.run("fs", "-mkdir", "ROOT/.snapshot")
    t.run("fs", "-cat", "ROOT/d/.snapshot/s1/g", user="ann")
    t.run("fs", "-createSnapshot", "ROOT/d", "s3", user="ann")
    t.run("dfsadmin", "-allowSnapshot", "ROOT/d", user="ann")
    t.run("lsSnapshottableDir", user="ann")
    t.run("fs", "-deleteSnapshot", "ROOT/d", "s1")
    t.run("fs", "-cat", "ROOT/d/.snapshot/s2/g")
    t.run("fs", "-deleteSnapshot", "ROOT/d", "s2")


def differences(t):
    def all_diffs(*pairs, at="ROOT/d"):
        for a, b in pairs:
            t.run("snapshotDiff", at, a, b)
            t.run("snapshotDiff", at, b, a)

    t.run("fs", "-mkdir", "-p", "ROOT/d/a/deep/er", "ROOT/d/b", "ROOT/d/z", "ROOT/out/in")
    for name in ("d/f", "d/a/f", "d/a/g", "d/a/deep/f", "d/a/deep/er/f", "d/b/f", "d/b/g", "d/z/f", "out/f", "out/in/f"):
        t.run("fs", "-put", "-", "ROOT/" + name, stdin=name.encode())
    t.run("dfsadmin", "-allowSnapshot", "ROOT/d")
    t.run("fs", "-createSnapshot", "ROOT/d", "s1")
    all_diffs(("s1", "."), (".", "."), ("s1", "s1"))
    t.run("fs", "-appendToFile", "-", "ROOT/d/a/deep/er/f", stdin=b"more")
    t.run("fs", "-put", "-", "ROOT/d/new", stdin=b"new")
    t.run("fs", "-rm", "-skipTrash", "ROOT/d/b/f")
    t.run("fs", "-chmod", "700", "ROOT/d/z")
    t.run("fs", "-setrep", "2", "ROOT/d/z/f")
    t.run("fs", "-touch", "ROOT/d/a/f")
    all_diffs(("s1", "."))
    t.run("fs", "-createSnapshot", "ROOT/d", "s2")
    t.run("fs", "-mv", "ROOT/d/a/deep", "ROOT/d/b/moved")
    t.run("fs", "-mv", "ROOT/d/f", "ROOT/d/f2")
    t.run("fs", "-appendToFile", "-", "ROOT/d/b/moved/f", stdin=b"more")
    t.run("fs", "-put", "-", "ROOT/d/b/moved/er/n", stdin=b"new")
    t.run("fs", "-put", "-f", "-", "ROOT/d/a/g", stdin=b"over")
    all_diffs(("s2", "."), ("s1", "."))
    t.run("fs", "-createSnapshot", "ROOT/d", "s3")
    t.run("fs", "-mv", "ROOT/d/b/g", "ROOT/out/g")
    t.run("fs", "-mv", "ROOT/out/in", "ROOT/d/in")
    t.run("fs", "-rm", "-r", "-skipTrash", "ROOT/d/z")
    t.run("fs", "-mkdir", "-p", "ROOT/d/new-dir/below")
    t.run("fs", "-put", "-", "ROOT/d/new-dir/below/f", stdin=b"new")
    t.run("fs", "-appendToFile", "-", "ROOT/d/in/f", stdin=b"more")
    t.run("fs", "-createSnapshot", "ROOT/d", "s4")
    all_diffs(("s1", "s2"), ("s2", "s3"), ("s3", "s4"), ("s1", "s3"), ("s2", "s4"), ("s1", "s4"), ("s4", "."), ("s1", "."))
    all_diffs(("s1", "s2"), ("s2", "s3"), ("s1", "s4"), at="ROOT/d/a")
    all_diffs(("s1", "."), ("s2", "."), at="ROOT/d/b")
    t.run("snapshotDiff", "ROOT/d", ".snapshot/s1", ".snapshot/s2")
    t.run("snapshotDiff", "ROOT/d", "s1", "none")
    t.run("snapshotDiff", "ROOT/out", "s1", "s2")
    t.run("snapshotDiff", "ROOT/none", "s1", "s2")
    t.run("snapshotDiff", "ROOT/d", "s1", "s2", user="ann")
    t.run("fs", "-deleteSnapshot", "ROOT/d", "s2")
    all_diffs(("s1", "s3"), ("s3", "s4"))
    t.run("fs", "-deleteSnapshot", "ROOT/d", "s3")
    all_diffs(("s1", "s4"))
    for name in ("s1", "s4"):
        t.run("fs", "-deleteSnapshot", "ROOT/d", name)


def sums(t):
    """What -count and -du add up while snapshots hold what is not there any more."""

    def count(*where):
        for at in where or ("ROOT", "ROOT/d", "ROOT/d/a", "ROOT/d/cut", "ROOT/d/.snapshot/s1"):
            for args in (("-count",), ("-count", "-q", "-v"), ("-count", "-x"), ("-count", "-s"), ("-du", "-s"), ("-du", "-s", "-x")):
                t.run("fs", *args, at)
        t.run("fs", "-du", "ROOT/d")
        t.run("fs", "-du", "-x", "ROOT/d")

    t.run("fs", "-mkdir", "-p", "ROOT/d/a/b", "ROOT/d/gone/below", "ROOT/d/tree/x", "ROOT/other")
    for name, size in {"d/a/f": 100, "d/a/b/f": 2000, "d/gone/below/f": 30_000, "other/f": 5, "d/kept": 400_000, "d/tree/f": 7, "d/tree/x/f": 900_000}.items():
        t.run("fs", "-put", "-", "ROOT/" + name, stdin=b"x" * size)
    t.run("fs", "-D", "dfs.blocksize=1048576", "-put", "-", "ROOT/d/cut", stdin=b"y" * 3_000_000)
    t.run("dfsadmin", "-allowSnapshot", "ROOT/d")
    t.run("fs", "-createSnapshot", "ROOT/d", "s1")
    count()
    t.run("fs", "-rm", "-skipTrash", "ROOT/d/a/f")
    t.run("fs", "-rm", "-r", "-skipTrash", "ROOT/d/gone")
    t.truncate("ROOT/d/cut", 1_500_000)
    t.run("fs", "-put", "-", "ROOT/d/a/new", stdin=b"x" * 50_000)
    t.run("fs", "-appendToFile", "-", "ROOT/d/a/b/f", stdin=b"x" * 700)
    count()
    t.run("fs", "-createSnapshot", "ROOT/d", "s2")
    t.run("fs", "-mv", "ROOT/d/kept", "ROOT/d/renamed")
    t.run("fs", "-mv", "ROOT/d/tree", "ROOT/other/tree")
    t.run("fs", "-put", "-", "ROOT/other/tree/x/new", stdin=b"z" * 11)
    t.run("fs", "-appendToFile", "-", "ROOT/other/tree/f", stdin=b"z" * 33)
    t.run("fs", "-rm", "-skipTrash", "ROOT/other/tree/x/f")
    count()
    t.run("fs", "-rm", "-r", "-skipTrash", "ROOT/d/a")
    t.truncate("ROOT/d/cut", 1_000)
    count()
    t.run("fs", "-deleteSnapshot", "ROOT/d", "s2")
    count("ROOT/d/cut", "ROOT/d/.snapshot/s1")  # Apache counts the moved tree as it is now, once the snapshot of its move is gone
    t.run("fs", "-deleteSnapshot", "ROOT/d", "s1")


SCENARIOS = {scenario.__name__: scenario for scenario in (names, reads, differences, sums)}


@pytest.fixture(scope="module")
def expected(apache_server):
    """What Hadoop's tools say on Apache's servers, made once for each scenario."""
    made = {}

    def transcript(name):
        if name not in made:
            made[name] = play(JavaClient(apache_server), name, "/snap-0")
        return made[name]

    return transcript


def play(client, name, root):
    client.server.java("-mkdir", "-p", root)
    t = Transcript(client, root)
    SCENARIOS[name](t)
    client.server.java("-rm", "-r", "-f", "-skipTrash", root)
    return t.lines


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("kind", ["java-on-cairn", "cairn-on-cairn", "cairn-on-apache"])
def test_as_hadoop_on_apache(request, expected, kind, name):
    client, _, server = kind.partition("-on-")
    server = request.getfixturevalue(f"{server}_server")
    lines = play({"java": JavaClient, "cairn": CairnClient}[client](server), name, "/snap-1")
    differing = [(want, got) for want, got in zip(expected(name), lines) if want != got]
    assert not differing, "\n".join(f"\n  Hadoop on Apache {want}\n  {kind}     {got}" for want, got in differing)
    assert len(lines) == len(expected(name))


def test_blocks_of_a_deleted_snapshot_go(cairn_server):
    """What only a snapshot had is taken off the datanodes once it is gone; what something else has stays."""
    java = cairn_server.java
    java("-mkdir", "-p", "/snap-blocks")
    java("-put", "-", "/snap-blocks/f", stdin=b"a" * 3_000_000)
    java("-put", "-", "/snap-blocks/kept", stdin=b"b" * 1000)
    JavaClient(cairn_server).dfsadmin("-allowSnapshot", "/snap-blocks")
    java("-createSnapshot", "/snap-blocks", "s1")
    java("-rm", "-skipTrash", "/snap-blocks/f")
    assert java("-cat", "/snap-blocks/.snapshot/s1/f") == b"a" * 3_000_000

    def replicas():
        count = 0
        for block in Path(cairn_server.cluster.folder).rglob("blk_*"):
            with contextlib.suppress(FileNotFoundError):  # one that goes while we look
                count += block.stat().st_size == 3_000_000
        return count

    assert replicas()
    java("-deleteSnapshot", "/snap-blocks", "s1")
    wait_for(lambda: not replicas(), 60, "the datanodes to delete the file's replicas")
    assert java("-cat", "/snap-blocks/kept") == b"b" * 1000
    JavaClient(cairn_server).dfsadmin("-disallowSnapshot", "/snap-blocks")

"""Datanodes in maintenance and damaged files, on Apache's daemons and on ours: Hadoop's own tools and ours say the same."""
import contextlib
import difflib
import glob
import json
import os
import re

import pytest

from interop.servers import CairnClient, JavaClient, Server
from lib.apache import ApacheCluster
from lib.waiting import wait_for

HOSTS = "org.apache.hadoop.hdfs.server.blockmanagement.CombinedHostFileManager"
QUICK = {
    "dfs.namenode.heartbeat.recheck-interval": 1000,  # a dead node is noticed within 12 s
    "dfs.namenode.decommission.interval": 1,
    "dfs.replication": 2,
    "dfs.permissions.superusergroup": "root",
    "cairn.datanode.small.replica.bytes": 0,  # it is files that get lost
}
BLOCK = 4096


class Nodes:
    """Three datanodes of one make, and who asks."""

    def __init__(self, cluster, java_shell, hosts):
        self.cluster, self.hosts = cluster, hosts
        server = Server("cairn" if cluster._ours else "apache", cluster, java_shell)
        self.java, self.cairn = JavaClient(server), CairnClient(server)

    def set_hosts(self, *rows):
        """(node, state, until, upgrade domain), for each that is not just to be there"""
        known = {row[0]: row[1:] for row in rows}
        entries = []
        for index in range(3):
            state, until, domain = known.get(index, ("NORMAL", None, None))
            entry = {"hostName": "127.0.0.1", "port": self.cluster.transfer_port(index), "adminState": state}
            entries.append(entry | ({"maintenanceExpireTimeInMS": until} if until else {}) | ({"upgradeDomain": domain} if domain else {}))
        self.hosts.write_text(json.dumps(entries))
        assert "Refresh nodes successful" in self.java.dfsadmin("-refreshNodes")

    def fsck(self, *args, client=None):
        done = (client or self.java)._run("fsck", [*self.java.server.generic_options(), *args], b"", "")
        return done.returncode, done.stdout.decode()

    def wait_fsck(self, pattern, *args):
        wait_for(lambda: re.search(pattern, self.fsck(*args)[1], re.S), 60, f"{pattern} in {args}")

    def lose_block(self, path, number):
        """All replicas of the file's block vanish from the disks, behind the datanodes' backs."""
        text = self.fsck(path, "-files", "-blocks")[1]
        name = re.search(rf"^{number}\. .*:(blk_\d+)_", text, re.M).group(1)
        files = glob.glob(f"{self.cluster.folder}/data*/**/{name}*", recursive=True)
        indices = {int(re.search(r"/data(\d+)/", file).group(1)) for file in files}
        for index in indices:
            self.cluster.daemon(f"datanode{index}").kill()
            self.cluster.daemon(f"datanode{index}").stop()
        for file in files:
            os.remove(file)
        for index in indices:
            self.cluster.start_datanode(index - 1)
        self.wait_fsck(r"MISSING!", path, "-files", "-blocks")
        self.wait_fsck(rf"\t{path}\n", path, "-list-corruptfileblocks")


MASKS = [
    (r"127\.0\.0\.\d+:\d+", "ADDRESS"),
    (r"localhost:\d+", "ADDRESS"),
    (r"BP-[\d.]+-[\w.]+-\d+", "POOL"),
    (r"blk_\d+(_\d+)?", "BLOCK"),
    (r"DS-[0-9a-f-]{36}", "STORAGE"),
    (r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \w+ \d{4}", "DATE"),
    (r"in \d+ milliseconds", "in MS milliseconds"),
    (r"Hostname: \S+", "Hostname: NAME"),
    (r"[\d.]+ (GB|MB|KB|B)\b", "SIZE"),
    (r"\d+ ?\(SIZE\)", "SIZE"),
    (r"(DFS \w+%): [\d.]+%", r"\1: SHARE"),
    (r"(Num of Blocks|Xceivers): \d+", r"\1: COUNT"),
    (r"(?m)  \[(.*)\]$", lambda found: "  [" + ", ".join(sorted(found.group(1).split(", "))) + "]"),
]


def masked(text):
    for pattern, name in MASKS:
        text = re.sub(pattern, name, text)
    return text


@contextlib.contextmanager
def nodes_of(ours, folder, java_shell):
    hosts = folder / "hosts.json"
    hosts.write_text("[]")
    properties = QUICK | {"dfs.hosts": str(hosts), "dfs.namenode.hosts.provider.classname": HOSTS}
    cluster = ApacheCluster(folder / "cluster", datanodes=3, properties=properties, ours=ours)
    cluster.start()
    try:
        yield Nodes(cluster, java_shell, hosts)
    except BaseException:
        print(cluster.log_tails())
        raise
    finally:
        cluster.stop()


def both(story, tmp_path, java_shell):
    """What the story has to say of each make of server."""
    said = []
    for name, ours in ("apache", ()), ("cairn", ("namenode", "datanode")):
        folder = tmp_path / name
        folder.mkdir()
        with nodes_of(ours, folder, java_shell) as nodes:
            said.append(list(story(nodes)))
    return said


def compare(said):
    theirs, ours = said
    for their, our in zip(theirs, ours, strict=True):
        lines = list(difflib.unified_diff(masked(their).splitlines(), masked(our).splitlines(), "apache", "cairn", lineterm=""))
        if lines:
            pytest.fail("\n".join(lines), pytrace=False)


def put(nodes, path, blocks, replicas=1):
    options = ["-D", f"dfs.blocksize={BLOCK}", "-D", f"dfs.replication={replicas}"]
    nodes.java.fs(*options, "-put", "-", path, stdin=b"".join(bytes([65 + i]) * BLOCK for i in range(blocks)))
    nodes.wait_fsck("(Live_repl=%d.*){%d}" % (replicas, blocks), path, "-files", "-blocks")


def maintenance(nodes):
    """A replica of each block on every node; one node is away for a while, at last dead."""
    index = 1
    put(nodes, "/file", 3, replicas=3)
    nodes.set_hosts((index, "IN_MAINTENANCE", None, "ud1"))
    wait_for(lambda: "Status : In maintenance" in nodes.java.dfsadmin("-report", "-inmaintenance"), 60, "the maintenance")
    report = nodes.java.dfsadmin("-report", "-inmaintenance", "-enteringmaintenance")
    yield report.split("---\n")[1]
    assert masked(nodes.cairn.dfsadmin("-report", "-inmaintenance", "-enteringmaintenance").split("---\n")[1]) == masked(
        report.split("---\n")[1])
    details = ["/file", "-files", "-blocks", "-maintenance", "-replicaDetails", "-upgradedomains"]
    yield nodes.fsck(*details)[1]
    assert masked(nodes.fsck(*details, client=nodes.cairn)[1]) == masked(nodes.fsck(*details)[1])
    block = re.search(r"(blk_\d+)_", nodes.fsck(*details)[1]).group(1)
    one = nodes.fsck("-blockId", block, "-maintenance")[1]
    yield "\n".join(sorted(re.sub(r"datanode/rack: \S+", "datanode/rack: PLACE", one).splitlines()))
    nodes.cluster.daemon(f"datanode{index + 1}").kill()
    wait_for(lambda: "Dead datanodes (1)" in nodes.java.dfsadmin("-report", "-dead"), 60, "the node known as dead")
    yield nodes.java.dfsadmin("-report", "-inmaintenance").split("---\n")[1].split("Last contact")[0]
    # Its replicas are neither missing nor made up for, and nobody is sent there.
    yield nodes.fsck("/", "-maintenance", "-files", "-blocks")[1]
    assert nodes.java.fs("-cat", "/file") == nodes.cairn.fs("-cat", "/file")
    state = nodes.cluster.jmx("FSNamesystemState")
    names = "NumInMaintenanceLiveDataNodes", "NumInMaintenanceDeadDataNodes", "NumEnteringMaintenanceDataNodes"
    yield str({name: state[name] for name in names})
    nodes.set_hosts()  # wanted again, and not there: now its replicas are gone
    nodes.wait_fsck(r"Under-replicated blocks:\t3", "/file")
    yield nodes.fsck("/file")[1]


def test_maintenance_is_the_same_to_hadoops_tools(tmp_path, java_shell):
    compare(both(maintenance, tmp_path, java_shell))


def damage(nodes):
    """A file of five blocks without its third, and one in a snapshot without all. (One replica each: of a block that is
    about to be copied when its last replica is found missing, Apache forgets that it is.)"""
    nodes.set_hosts()
    put(nodes, "/d/file", 5)
    nodes.java.fs("-mkdir", "/snap")
    nodes.java.dfsadmin("-allowSnapshot", "/snap")
    put(nodes, "/snap/old", 1)
    nodes.java.fs("-createSnapshot", "/snap", "s1")
    nodes.lose_block("/snap/old", 0)
    nodes.java.fs("-rm", "-skipTrash", "/snap/old")
    nodes.lose_block("/d/file", 2)
    for words in (
        ["/d", "-list-corruptfileblocks"],
        ["/d"],
        ["/d", "-files", "-blocks"],
        ["/", "-includeSnapshots", "-files"],
        ["/snap/.snapshot/s1", "-files"],
        ["/d", "-storagepolicies"],
        ["/d", "-move"],
        ["/lost+found", "-files"],
        ["/d", "-move"],  # it is there already
        ["/d", "-delete"],
        ["/d", "-list-corruptfileblocks"],
        ["/d", "-files"],
    ):
        code, text = nodes.fsck(*words)
        yield f"{' '.join(words)}: {code}\n{text}"
        if not {"-move", "-delete"} & set(words):
            again = nodes.fsck(*words, client=nodes.cairn)
            assert (again[0] % 256, masked(again[1])) == (code % 256, masked(text))
    for number, content in (0, b"A" * BLOCK + b"B" * BLOCK), (1, b"D" * BLOCK + b"E" * BLOCK):
        assert nodes.java.fs("-cat", f"/lost+found/d/file/{number}") == content


def test_damaged_files_are_listed_moved_and_deleted(tmp_path, java_shell):
    compare(both(damage, tmp_path, java_shell))


def test_who_may_not_look_is_refused(tmp_path, java_shell):
    def story(nodes):
        nodes.java.fs("-mkdir", "/secret")
        nodes.java.fs("-chmod", "700", "/secret")
        for words in ["/"], ["/", "-list-corruptfileblocks"], ["-blockId", "blk_1"]:
            done = nodes.java._run("fsck", [*nodes.java.server.generic_options(), *words], b"", "nobody")
            # Which exception's words come before the last line is not what scripts look at.
            yield f"{done.returncode} {done.stdout.decode().splitlines()[-1]}"

    compare(both(story, tmp_path, java_shell))

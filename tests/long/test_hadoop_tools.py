"""Hadoop's own tools and benchmarks, unmodified, between Apache HDFS and Cairn, or on Cairn alone."""
import collections
import random
import re

import pytest

from interop.servers import JavaClient, Server
from lib import apache as apache_lib
from lib import data, jars
from lib.cluster import Cluster
from lib.needs import missing

DEPENDENCIES = [
    *map(jars.hadoop, ("hadoop-common", "hadoop-hdfs", "hadoop-hdfs-client", "hadoop-distcp")),
    jars.hadoop("hadoop-mapreduce-client-jobclient"),
    *(jars.hadoop(name, tests=True) for name in ("hadoop-common", "hadoop-hdfs", "hadoop-mapreduce-client-jobclient")),
    # Of the examples this version is not in the registry; 3.4.2's run on the 3.4.1 libraries.
    jars.hadoop("hadoop-mapreduce-examples", "3.4.2", alone=True),
    jars.library("junit", "junit", "4.13.2"),
    jars.library("org.slf4j", "slf4j-reload4j", "1.7.36", "<scope>runtime</scope>"),
]
QUICK = {"dfs.heartbeat.interval": 1, "dfs.namenode.redundancy.interval.seconds": 1}
TOOL_S = 300


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    try:
        classes = jars.class_path(DEPENDENCIES, jars.java_files("lib/HadoopHost.java"))
    except jars.Unavailable as error:
        missing(f"Hadoop's tools cannot be run: {error}")
    folder = tmp_path_factory.mktemp("tools")
    properties = {"dfs.blocksize": data.MIB, "mapreduce.cluster.local.dir": f"{folder}/mr", "dfs.replication": 2}
    running = apache_lib.JavaShell(folder, properties, classes=classes, cwd=folder)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def cairn(shell, tmp_path_factory):
    properties = QUICK | {"dfs.namenode.fs-limits.min-block-size": 512}
    with Cluster(tmp_path_factory.mktemp("cairn") / "cluster", properties=properties) as cluster:
        yield Server("cairn", cluster, shell)


@pytest.fixture(scope="module")
def stock(shell, apache):
    return Server("apache", apache, shell)


@pytest.fixture
def run(shell, cairn):
    """run(tool, *args): stdout and stderr of a tool whose file system is Cairn; it must end with 0."""

    def run(tool, *args, server=cairn, code=0):
        done = shell.run(tool, *server.generic_options(), *args, deadline_s=TOOL_S)
        text = (done.stdout + done.stderr).decode(errors="replace")
        assert done.returncode == code, f"{tool} {args}: exit {done.returncode}: {text[-3000:]}"
        return text

    return run


DISTCP = "org.apache.hadoop.tools.DistCp"
SIZES = {"empty": 0, "one-byte": 1, "odd": 100_001, "d/blocks": 3 * data.MIB + 17, "d/e/deep": 5000}


def _checksums(server, folder):
    """{path below folder: checksum}; the checksum depends on the block size, too."""
    rows = server.java("-ls", "-R", folder).decode().splitlines()
    paths = [row.split()[-1] for row in rows if row.startswith("-")]
    sums = server.java("-checksum", *paths).decode().splitlines()
    return {path.removeprefix(folder): line.split("\t")[1:] for path, line in zip(paths, sums)}


def _attributes(server, folder):
    paths = [line.split(None, 7) for line in server.java("-ls", "-R", folder).decode().splitlines()]
    return {row[7].removeprefix(folder): row[:4] for row in paths}


@pytest.fixture
def tree(stock, tmp_path):
    for seed, (name, size) in enumerate(SIZES.items()):
        data.write_file(str(tmp_path / "tree" / name), size, seed)
    stock.java("-rm", "-r", "-f", "-skipTrash", "/distcp", "/distcp-back")
    stock.java("-put", str(tmp_path / "tree"), "/distcp")
    stock.java("-chmod", "-R", "750", "/distcp/d")
    stock.java("-chown", "alice:staff", "/distcp/odd")
    return "/distcp"


def test_distcp_there_and_back(run, stock, cairn, tree):
    run(DISTCP, "-p", f"{stock.fs}{tree}", f"{cairn.fs}/there")
    run(DISTCP, "-p", f"{cairn.fs}/there", f"{stock.fs}/distcp-back")
    before = _checksums(stock, tree)
    assert len(before) == len(SIZES)
    assert _checksums(cairn, "/there") == before == _checksums(stock, "/distcp-back")
    assert _attributes(cairn, "/there") == _attributes(stock, tree) == _attributes(stock, "/distcp-back")


@pytest.mark.parametrize("way", ["to-cairn", "to-apache"])
def test_distcp_of_what_changed_between_snapshots(run, stock, cairn, tree, tmp_path, way):
    source, target = (stock, cairn) if way == "to-cairn" else (cairn, stock)
    for server in source, target:
        server.java("-mkdir", "-p", f"/changes-{way}")
        run("dfsadmin", "-allowSnapshot", f"/changes-{way}", server=server)
    folder = f"/changes-{way}"
    run(DISTCP, "-p", "-update", f"{stock.fs}{tree}", f"{source.fs}{folder}")
    source.java("-createSnapshot", folder, "s1")
    run(DISTCP, "-p", "-update", f"{source.fs}{folder}/.snapshot/s1", f"{target.fs}{folder}")
    target.java("-createSnapshot", folder, "s1")
    data.write_file(str(tmp_path / "new"), 70_000, 99)
    source.java("-put", str(tmp_path / "new"), f"{folder}/new")
    source.java("-mv", f"{folder}/d/e", f"{folder}/moved")
    source.java("-rm", "-skipTrash", f"{folder}/one-byte")
    source.java("-appendToFile", str(tmp_path / "new"), f"{folder}/odd")
    source.java("-createSnapshot", folder, "s2")
    run(DISTCP, "-p", "-update", "-diff", "s1", "s2", f"{source.fs}{folder}", f"{target.fs}{folder}")
    assert _checksums(target, folder) == _checksums(source, folder)
    # and an update that finds nothing copies nothing
    done = run(DISTCP, "-p", "-update", "-skipcrccheck", f"{source.fs}{folder}", f"{target.fs}{folder}")
    assert _checksums(target, folder) == _checksums(source, folder), done


def test_wordcount(cairn, shell, tmp_path):
    """A job of two maps and a reduce in the local job runner; WordCount is no Tool, so WordMean and Grep stand for it."""
    seeded = random.Random(7)
    words = [f"word{seeded.randrange(500)}" for _ in range(200_000)]
    (tmp_path / "text").write_text("\n".join(" ".join(words[i : i + 10]) for i in range(0, len(words), 10)) + "\n")
    cairn.java("-mkdir", "-p", "/wc/in")
    cairn.java("-put", str(tmp_path / "text"), "/wc/in")
    done = shell.run("org.apache.hadoop.examples.WordMean", *cairn.generic_options(), "/wc/in", "/wc/mean", deadline_s=TOOL_S)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    counted = dict(line.split() for line in cairn.java("-cat", "/wc/mean/part-r-00000").decode().splitlines())
    assert counted == {"count": str(len(words)), "length": str(sum(map(len, words)))}
    done = shell.run("org.apache.hadoop.examples.Grep", *cairn.generic_options(), "/wc/in", "/wc/grep", "word4[0-9]+",
                     deadline_s=TOOL_S)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    found = collections.Counter(word for word in words if re.fullmatch("word4[0-9]+", word))
    rows = [line.split() for line in cairn.java("-cat", "/wc/grep/part-r-00000").decode().splitlines()]
    assert {word: int(count) for count, word in rows} == found


def test_terasort(run, cairn):
    run("org.apache.hadoop.examples.terasort.TeraGen", "20000", "/tera/in")
    run("org.apache.hadoop.examples.terasort.TeraSort", "/tera/in", "/tera/out")
    run("org.apache.hadoop.examples.terasort.TeraValidate", "/tera/out", "/tera/report")
    report = cairn.java("-cat", "/tera/report/part-r-00000").decode()
    assert report.startswith("checksum") and "error" not in report
    assert cairn.java("-du", "-s", "/tera/out").decode().split()[0] == str(20000 * 100)


def test_dfsio(run, tmp_path):
    where = ("-D", "test.build.data=/dfsio")
    for step in "write", "append", "read", "truncate":
        run("org.apache.hadoop.fs.TestDFSIO", *where, f"-{step}", "-nrFiles", "2", "-size", "3MB", "-resFile",
            str(tmp_path / "log"))
    assert (tmp_path / "log").read_text().count("Total MBytes processed: 6") == 4
    run("org.apache.hadoop.fs.TestDFSIO", *where, "-clean")


@pytest.mark.parametrize("operation", ["create", "mkdirs", "open", "delete", "fileStatus", "rename"])
def test_namenode_throughput(run, operation):
    count = "-dirs" if operation == "mkdirs" else "-files"
    run("org.apache.hadoop.hdfs.server.namenode.NNThroughputBenchmark", "-op", operation, "-threads", "4", count, "200")


@pytest.mark.parametrize("operation", ["create_write", "open_read", "delete", "create_write", "rename"])
def test_nnbench(run, operation):
    run("org.apache.hadoop.hdfs.NNBench", "-operation", operation, "-maps", "1", "-reduces", "1", "-numberOfFiles", "20",
        "-blockSize", "1048576", "-bytesToWrite", "100", "-baseDir", "/nnbench", "-startTime", "0",
        "-readFileAfterOpen", "true", "-replicationFactorPerFile", "2")


def test_balancer(run, cairn):
    text = run("balancer", "-threshold", "50", "-idleiterations", "1")
    assert "The cluster is balanced. Exiting..." in text


def test_mover(run, cairn):
    cairn.java("-mkdir", "-p", "/to-move")
    assert "Mover Successful" in run("mover", "-p", "/to-move")

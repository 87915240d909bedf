"""Hadoop MapReduce on YARN, its file system Cairn: job files, staging, tasks in containers with tokens, the job history."""
import os
import random
import re
import shutil

import pytest

from interop.servers import Server
from lib import apache as apache_lib
from lib import data, jars
from lib.cluster import Cluster, client_env
from lib.needs import missing
from lib.process import Daemon
from lib.waiting import wait_for

YARN = ("resourcemanager", "nodemanager", "timelineservice", "web-proxy", "applicationhistoryservice")
DEPENDENCIES = [
    *map(jars.hadoop, ("hadoop-common", "hadoop-hdfs-client", "hadoop-hdfs")),
    *(jars.hadoop(f"hadoop-mapreduce-client-{name}") for name in ("jobclient", "app", "hs", "shuffle")),
    *(jars.hadoop(f"hadoop-yarn-server-{name}") for name in YARN),
    *(jars.hadoop(name, tests=True) for name in ("hadoop-common", "hadoop-yarn-server-tests", "hadoop-mapreduce-client-jobclient")),
    # Of the examples this version is not in the registry; 3.4.2's run on the 3.4.1 libraries.
    jars.hadoop("hadoop-mapreduce-examples", "3.4.2", alone=True),
    jars.library("junit", "junit", "4.13.2"),
    jars.library("org.slf4j", "slf4j-reload4j", "1.7.36", "<scope>runtime</scope>"),
]
NODES = 2
WORDS = [f"word{number}" for number in random.Random(7).choices(range(500), k=200_000)]


@pytest.fixture(scope="module")
def classes():
    try:
        return jars.class_path(DEPENDENCIES, jars.java_files("lib/HadoopHost.java", "long/java/yarn"))
    except jars.Unavailable as error:
        return missing(f"YARN cannot be run: {error}")


@pytest.fixture(scope="module")
def cairn(tmp_path_factory):
    properties = {"dfs.heartbeat.interval": 1, "dfs.namenode.fs-limits.min-block-size": 512}
    with Cluster(tmp_path_factory.mktemp("cairn") / "cluster", properties=properties) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def server(classes, cairn, tmp_path_factory):
    """The cluster, with a shell whose jobs go to YARN."""
    folder = str(tmp_path_factory.mktemp("yarn"))
    apache_lib.write_conf(f"{folder}/conf", {"hadoop.tmp.dir": f"{folder}/tmp"}, {}, "WARN")
    settings = f"{folder}/settings.xml"
    command = apache_lib.java_command(f"{folder}/conf", [*apache_lib.QUICK_START, "-Xmx1g"], cairn.uri, str(NODES), settings,
                                      main="MiniYarn", classes=classes)
    java_home = os.path.dirname(os.path.dirname(os.path.realpath("/usr/bin/java")))
    with Daemon("yarn", command, f"{folder}/yarn.log", env=client_env() | {"JAVA_HOME": java_home}, cwd=folder) as yarn:
        wait_for(lambda: yarn.check_alive() and os.path.exists(settings), 120, "YARN")
        for name in "mapred", "yarn":  # whichever is read last comes after Hadoop's defaults of both
            shutil.copy(settings, f"{folder}/conf/{name}-site.xml")
        properties = {"dfs.blocksize": data.MIB, "dfs.replication": 2}
        shell = apache_lib.JavaShell(folder, properties, classes=classes, cwd=folder)
        yield Server("cairn", cairn, shell)
        shell.stop()


def run(server, tool, *args):
    """A job that must succeed on YARN; gives what its client printed."""
    done = server.java_shell.run(f"org.apache.hadoop.examples.{tool}", *server.generic_options(), *args, deadline_s=300)
    text = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, text[-3000:]
    return text


def applications(server):
    """The jobs that have a file in the job history, wherever that is."""
    return set(re.findall(r"(job_\d+_\d+)\S*\.jhist$", server.java("-ls", "-R", "/").decode(), re.MULTILINE))


def test_words_are_counted(server, tmp_path):
    """Two maps and a reduce, each in a process of its own; what becomes of the job is kept in the file system, too."""
    (tmp_path / "text").write_text("\n".join(" ".join(WORDS[i : i + 10]) for i in range(0, len(WORDS), 10)) + "\n")
    before = applications(server)
    server.java("-mkdir", "-p", "/wc/in")
    server.java("-put", str(tmp_path / "text"), "/wc/in")
    run(server, "WordMean", "/wc/in", "/wc/mean")
    counted = dict(line.split() for line in server.java("-cat", "/wc/mean/part-r-00000").decode().splitlines())
    assert counted == {"count": str(len(WORDS)), "length": str(sum(map(len, WORDS)))}
    wait_for(lambda: len(applications(server) - before) == 1, 60, "the job's history file")


def test_records_are_sorted(server):
    run(server, "terasort.TeraGen", "-Dmapreduce.job.maps=2", "20000", "/tera/in")
    run(server, "terasort.TeraSort", "-Dmapreduce.job.reduces=2", "/tera/in", "/tera/out")

    def records(path):
        content = server.java("-cat", path)
        return [content[at : at + 100] for at in range(0, len(content), 100)]

    made, found = records("/tera/in/part-*"), records("/tera/out/part-*")
    assert len(made) == 20000 and sorted(made) == sorted(found)
    keys = [record[:10] for record in found]
    assert keys == sorted(keys)

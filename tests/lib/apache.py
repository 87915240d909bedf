"""Stock Apache Hadoop as a judge: its servers and its shell, run with plain `java -cp`."""
import base64
import contextlib
import json
import os
import select
import subprocess
import urllib.request

from lib import jars
from lib.cluster import cairn_path, client_env
from lib.ports import port_block
from lib.process import Daemon, log_tail
from lib.waiting import wait_for

DEPENDENCIES = [
    *map(jars.hadoop, ("hadoop-common", "hadoop-hdfs", "hadoop-hdfs-client", "hadoop-mapreduce-client-jobclient")),
    # Hadoop's own contract tests of a file system, and what they stand on.
    jars.hadoop("hadoop-common", tests=True),
    jars.library("junit", "junit", "4.13.2"),
    jars.library("org.assertj", "assertj-core", "3.12.2"),
    # Of the streaming jar this version is not in every mirror of Central; its 3.4.2 runs on the 3.4.1 libraries.
    jars.hadoop("hadoop-streaming", "3.4.2", alone=True),
    jars.library("org.slf4j", "slf4j-reload4j", "1.7.36", "<scope>runtime</scope>"),
]
# The opened package: of what WebHDFS's servlet is made on, which is older than Java 17.
JVM = ["java", "-Xshare:auto", "-Djava.net.preferIPv4Stack=true", "--add-opens", "java.base/java.lang=ALL-UNNAMED"]
# For tests, which want a short start and little memory; a benchmark leaves Java its own choices.
QUICK_START = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
VERSION, Unavailable = jars.VERSION, jars.Unavailable
_class_path = None


def class_path():
    """Of the servers, the tools and the contract tests. Raises Unavailable."""
    global _class_path
    _class_path = _class_path or jars.class_path(DEPENDENCIES, jars.java_files("lib/HadoopHost.java", "interop/HdfsContract.java"))
    return _class_path


def write_site(path, properties):
    rows = "".join(f"<property><name>{k}</name><value>{v}</value></property>\n" for k, v in properties.items())
    with open(path, "w") as file:
        file.write(f'<?xml version="1.0"?>\n<configuration>\n{rows}</configuration>\n')


def write_conf(folder, core, hdfs, log_level):
    os.makedirs(folder, exist_ok=True)
    write_site(os.path.join(folder, "core-site.xml"), core)
    write_site(os.path.join(folder, "hdfs-site.xml"), hdfs)
    with open(os.path.join(folder, "log4j.properties"), "w") as file:
        file.write(
            f"log4j.rootLogger={log_level}, console\n"
            "log4j.logger.org.apache.hadoop.fs.TrashPolicyDefault=INFO\n"  # what a user sees of the trash is a log line
            "log4j.appender.console.follow=true\n"
            "log4j.appender.console=org.apache.log4j.ConsoleAppender\n"
            "log4j.appender.console.target=System.err\n"
            "log4j.appender.console.layout=org.apache.log4j.PatternLayout\n"
            "log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %p %c{2}: %m%n\n"
        )


def java_command(conf, options, *args, main="HadoopHost", classes=None):
    return [*JVM, *options, "-cp", f"{conf}:{classes or class_path()}", main, *args]


def run_contract_tests(uri, folder, deadline_s):
    """{class of tests: [lines of their outcomes]} of Hadoop's contract tests on the cluster at uri."""
    # Two replicas as where Hadoop runs them: with three, an append that starts before the third is reported fails.
    site = {"dfs.blocksize": 1 << 20, "dfs.replication": 2}
    write_conf(f"{folder}/conf", {"hadoop.tmp.dir": f"{folder}/tmp"}, site, "OFF")
    command = java_command(f"{folder}/conf", [*QUICK_START, "-Xmx512m"], uri, main="HdfsContract")
    outcomes = {}
    for line in subprocess.run(command, capture_output=True, text=True, timeout=deadline_s).stdout.splitlines():
        if line.startswith(("ok ", "skipped ", "FAILED ")):
            current = outcomes.setdefault(line.split()[1].split(".")[0], [])
        current.append(line)
    return outcomes


class ApacheCluster:
    """A NameNode and DataNodes on 127.0.0.1, told apart by their ports: a stock DataNode is known to its
    NameNode by the address that its connection comes from, so 127.0.0.2 would not be one."""

    def __init__(self, folder, datanodes=1, properties=None, jvm_options=QUICK_START, ours=()):
        """ours: the kinds of daemon ("namenode", "datanode") that are Cairn's, to try each with the other's."""
        self.folder = str(folder)
        self._ours = ours
        self._jvm_options = list(jvm_options)
        self._properties = properties or {}
        self._wanted = datanodes
        base = port_block()
        self.namenode = f"127.0.0.1:{base}"
        self.uri = f"hdfs://{self.namenode}"
        self.namenode_http = f"127.0.0.1:{base + 1}"
        self._base = base
        self.daemons = []

    def _hdfs_site(self):
        return {
            "dfs.namenode.rpc-address": self.namenode,
            "dfs.namenode.http-address": self.namenode_http,
            "dfs.namenode.name.dir": f"file://{self.folder}/name",
            "dfs.replication": min(3, self._wanted),
            "dfs.namenode.fs-limits.min-block-size": 512,
            "dfs.namenode.safemode.extension": 0,
            "dfs.namenode.datanode.registration.ip-hostname-check": "false",
            "dfs.heartbeat.interval": 1,
            "dfs.namenode.redundancy.interval.seconds": "1s",
            "dfs.namenode.replication.interval": 1,
            # A datanode with a few connections more than the others counts as overloaded, and pipelines would be one short.
            "dfs.namenode.redundancy.considerLoad": "false",
            "dfs.namenode.acls.enabled": "true",
            **self._properties,
        }

    def _start(self, name, role, site):
        conf = f"{self.folder}/conf-{name}"
        write_conf(conf, {"fs.defaultFS": self.uri, "hadoop.tmp.dir": f"{self.folder}/tmp-{name}"}, site, "WARN")
        if role in self._ours:
            command, env = [cairn_path(), role], client_env() | {"HADOOP_CONF_DIR": conf}
        else:
            command, env = java_command(conf, [*self._jvm_options, "-Xmx512m"], role), None
        self.daemons = [daemon for daemon in self.daemons if daemon.name != name]
        self.daemons.append(Daemon(name, command, f"{self.folder}/{name}.log", env=env, cwd=self.folder))

    def start_namenode(self):
        self._start("namenode", "namenode", self._hdfs_site())

    def start_datanode(self, index):
        self._start(f"datanode{index + 1}", "datanode", self._datanode_site(index))

    def start(self):
        os.makedirs(self.folder, exist_ok=True)
        try:
            self.start_namenode()
            for index in range(self._wanted):
                self.start_datanode(index)
            wait_for(self.is_ready, 60, f"{self._wanted} live datanodes")
        except BaseException:
            print(self.log_tails())
            self.stop()
            raise
        return self

    def transfer_port(self, index):
        return self._base + 10 + 5 * index

    def _datanode_site(self, index):
        host, port = "127.0.0.1", self.transfer_port(index)
        return self._hdfs_site() | {
            "dfs.datanode.address": f"{host}:{port}",
            "dfs.datanode.ipc.address": f"{host}:{port + 1}",
            "dfs.datanode.http.address": f"{host}:{port + 2}",
            "dfs.datanode.data.dir": f"file://{self.folder}/data{index + 1}",
        }

    def jmx(self, bean):
        url = f"http://{self.namenode_http}/jmx?qry=Hadoop:service=NameNode,name={bean}"
        with urllib.request.urlopen(url, timeout=5) as reply:
            return json.load(reply)["beans"][0]

    def is_ready(self):
        for daemon in self.daemons:
            daemon.check_alive()
        state = self.jmx("FSNamesystemState")
        live = state["NumLiveDataNodes"] == self._wanted and state["FSState"] == "Operational"
        # A node that was killed and started again counts as live all the while: it is the node that knows when it is back.
        return live and all(self.has_registered(index) for index in range(self._wanted))

    def has_registered(self, index):
        url = f"http://127.0.0.1:{self.transfer_port(index) + 2}/jmx?qry=Hadoop:service=DataNode,name=DataNodeInfo"
        with urllib.request.urlopen(url, timeout=5) as reply:
            return "RUNNING" in json.load(reply)["beans"][0]["BPServiceActorInfo"]

    def daemon(self, name):
        return next(daemon for daemon in self.daemons if daemon.name == name)

    def log_tails(self):
        return "\n".join(f"--- {daemon.name}:\n{log_tail(daemon.log)}" for daemon in self.daemons)

    def stop(self):
        for daemon in self.daemons:
            daemon.kill()  # nothing of a throw-away cluster is worth the seconds that a clean stop takes
        for daemon in self.daemons:
            daemon.stop()


class JavaShell:
    """Hadoop's own `hadoop fs`, `hdfs dfsadmin` and `hdfs fsck`, in one JVM that runs many commands in turn.

    Log lines are off but those about the trash, so stderr holds what the tools mean to print."""

    def __init__(self, folder, properties=None, jvm_options=QUICK_START, classes=None, cwd=None):
        """classes: a class path with more tools on it. cwd: where tools leave the files that nobody asked for."""
        self.folder = str(folder)
        self._cwd = cwd
        conf = f"{self.folder}/conf"
        write_conf(conf, {"hadoop.tmp.dir": f"{self.folder}/tmp"}, properties or {}, "OFF")
        self._files = [f"{self.folder}/{name}" for name in ("stdin", "stdout", "stderr")]
        self._log = f"{self.folder}/jvm.log"
        self._command = java_command(conf, [*jvm_options, "-Xmx512m"], "shell", classes=classes)
        self._jvm = None
        self._start()

    def _start(self):
        with open(self._log, "ab") as log:
            self._jvm = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=self._cwd
            )

    def run(self, tool, *args, stdin=b"", user="", deadline_s=60, stdout_to=None):
        """A CompletedProcess with bytes; stdout_to: a file (or a FIFO) that gets stdout instead. When the JVM dies or takes longer than deadline_s: an AssertionError, and the
        next command gets a new JVM."""
        with open(self._files[0], "wb") as file:
            file.write(stdin)
        files = [self._files[0], str(stdout_to or self._files[1]), self._files[2]]
        words = [tool, user, *files, *map(str, args)]
        line = b" ".join(b"=" + base64.b64encode(word.encode()) for word in words) + b"\n"
        self._jvm.stdin.write(line)
        self._jvm.stdin.flush()
        ready, _, _ = select.select([self._jvm.stdout], [], [], deadline_s)
        answer = self._jvm.stdout.readline() if ready else b""
        if not answer:
            self.stop()
            self._start()
            raise AssertionError(
                f"java {tool} {args}: {'ended' if ready else f'no answer within {deadline_s} s'}\n"
                f"{self._read(2).decode(errors='replace')[-2000:]}\n{log_tail(self._log)}"
            )
        return subprocess.CompletedProcess([tool, *args], int(answer), b"" if stdout_to else self._read(1), self._read(2))

    def _read(self, index):
        with open(self._files[index], "rb") as file:
            return file.read()

    @property
    def pid(self):
        return self._jvm.pid

    def stop(self):
        self._jvm.kill()
        self._jvm.wait()
        with contextlib.suppress(OSError):  # what it died before reading
            self._jvm.stdin.close()
        self._jvm.stdout.close()

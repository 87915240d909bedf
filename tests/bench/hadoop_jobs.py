"""Hadoop's MapReduce on YARN and HDFS: one NameNode, one DataNode, ResourceManager and NodeManager, containers of their own."""
import os
import shutil

from lib import apache, jars
from lib.cluster import client_env
from lib.process import Daemon
from lib.waiting import wait_for
from programs import checked

SERVERS = "resourcemanager", "nodemanager", "timelineservice", "web-proxy", "applicationhistoryservice"
DEPENDENCIES = [
    *map(jars.hadoop, ("hadoop-common", "hadoop-hdfs-client", "hadoop-hdfs")),
    *(jars.hadoop(f"hadoop-mapreduce-client-{name}") for name in ("jobclient", "app", "hs", "shuffle")),
    *(jars.hadoop(f"hadoop-yarn-server-{name}") for name in SERVERS),
    *(jars.hadoop(name, tests=True) for name in ("hadoop-common", "hadoop-yarn-server-tests", "hadoop-mapreduce-client-jobclient")),
    # Of these two this version is not in every mirror of Central; 3.4.2's run on the 3.4.1 libraries.
    *(jars.hadoop(name, "3.4.2", alone=True) for name in ("hadoop-mapreduce-examples", "hadoop-streaming")),
    jars.library("junit", "junit", "4.13.2"),
    jars.library("org.slf4j", "slf4j-reload4j", "1.7.36", "<scope>runtime</scope>"),
]
EXAMPLES, STREAMING = "org.apache.hadoop.examples", "org.apache.hadoop.streaming.HadoopStreaming"


class Hadoop:
    """Starts when it is made; raises apache.Unavailable where it cannot be had."""

    def __init__(self, folder, settings):
        self.folder = str(folder)
        self.classes = jars.class_path(DEPENDENCIES, jars.java_files("lib/HadoopHost.java", "long/java/yarn"))
        self.settings = {"dfs.replication": 1} | settings
        self.hdfs = apache.ApacheCluster(f"{folder}/hdfs", datanodes=1, jvm_options=[])
        self.yarn = None

    def __enter__(self):
        self.hdfs.start()
        conf, settings = f"{self.folder}/conf", f"{self.folder}/settings.xml"
        apache.write_conf(conf, {"hadoop.tmp.dir": f"{self.folder}/tmp", "fs.defaultFS": self.hdfs.uri}, self.settings, "WARN")
        command = apache.java_command(conf, [], self.hdfs.uri, "1", settings, main="MiniYarn", classes=self.classes)
        java_home = os.path.dirname(os.path.dirname(os.path.realpath(shutil.which("java"))))
        env = client_env() | {"JAVA_HOME": java_home}
        self.yarn = Daemon("yarn", command, f"{self.folder}/yarn.log", env=env, cwd=self.folder)
        wait_for(lambda: self.yarn.check_alive() and os.path.exists(settings), 120, "YARN")
        for name in "mapred", "yarn":  # whichever is read last comes after Hadoop's defaults of both
            shutil.copy(settings, f"{conf}/{name}-site.xml")
        return self

    def __exit__(self, *_):
        if self.yarn:
            self.yarn.stop()
        self.hdfs.stop()

    @property
    def pids(self):
        return [*(daemon.pid for daemon in self.hdfs.daemons), self.yarn.pid]

    def run(self, main, *args):
        """A Java program to its end, as `hadoop jar` runs it."""
        command = [*apache.JVM, "-cp", f"{self.folder}/conf:{self.classes}", main, *map(str, args)]
        with open(f"{self.folder}/jobs.log", "ab") as log:
            checked(command, stdout=log, stderr=log, cwd=self.folder)

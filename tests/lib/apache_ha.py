"""Apache HDFS with two NameNodes, one active and one standby, that share their edits in a folder."""
import os
import shutil
import subprocess

from lib.apache import QUICK_START, java_command, write_conf
from lib.ports import port_block, release_port_block
from lib.process import Daemon, log_tail
from lib.waiting import wait_for

SERVICE = "ours"
NAMENODE = "org.apache.hadoop.hdfs.server.namenode.NameNode"


class ApacheHaCluster:
    """namenodes are "nn1" and "nn2"; conf is a folder for clients (HADOOP_CONF_DIR)."""

    uri = f"hdfs://{SERVICE}"

    def __init__(self, folder, datanodes=3):
        self.folder, self._wanted = str(folder), datanodes
        self._base = port_block()
        self.daemons = {}
        self.conf = f"{self.folder}/conf-client"

    def rpc(self, name):
        return f"127.0.0.1:{self._base + (0 if name == 'nn1' else 2)}"

    def _site(self):
        site = {
            "dfs.nameservices": SERVICE,
            f"dfs.ha.namenodes.{SERVICE}": "nn1,nn2",
            f"dfs.client.failover.proxy.provider.{SERVICE}":
                "org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider",
            "dfs.ha.fencing.methods": "shell(/bin/true)",
            "dfs.namenode.shared.edits.dir": f"file://{self.folder}/shared",
            "dfs.ha.tail-edits.period": "1s",
            "dfs.ha.log-roll.period": "1s",
            "dfs.replication": min(3, self._wanted),
            "dfs.namenode.safemode.extension": 0,
            "dfs.namenode.datanode.registration.ip-hostname-check": "false",
            "dfs.heartbeat.interval": 1,
            "dfs.client.failover.sleep.base.millis": 200,
            "dfs.client.failover.sleep.max.millis": 2000,
            "dfs.client.failover.max.attempts": 60,
        }
        for name in "nn1", "nn2":
            host, port = self.rpc(name).split(":")
            site[f"dfs.namenode.rpc-address.{SERVICE}.{name}"] = self.rpc(name)
            site[f"dfs.namenode.http-address.{SERVICE}.{name}"] = f"{host}:{int(port) + 1}"
        return site

    def _conf(self, name, more):
        folder = f"{self.folder}/conf-{name}"
        write_conf(folder, {"fs.defaultFS": self.uri, "hadoop.tmp.dir": f"{self.folder}/tmp-{name}"}, self._site() | more, "WARN")
        return folder

    def _namenode_conf(self, name):
        return self._conf(name, {"dfs.ha.namenode.id": name, "dfs.namenode.name.dir": f"file://{self.folder}/{name}"})

    def start_namenode(self, name):
        command = java_command(self._namenode_conf(name), [*QUICK_START, "-Xmx512m"], main=NAMENODE)
        self.daemons[name] = Daemon(name, command, f"{self.folder}/{name}.log")

    def start_datanode(self, number):
        port = self._base + 5 + 3 * number
        conf = self._conf(
            f"datanode{number}",
            {
                "dfs.datanode.address": f"127.0.0.1:{port}",
                "dfs.datanode.ipc.address": f"127.0.0.1:{port + 1}",
                "dfs.datanode.http.address": f"127.0.0.1:{port + 2}",
                "dfs.datanode.data.dir": f"file://{self.folder}/data{number}",
            },
        )
        command = java_command(conf, [*QUICK_START, "-Xmx256m"], "datanode")
        self.daemons[f"datanode{number}"] = Daemon(f"datanode{number}", command, f"{self.folder}/datanode{number}.log")

    def haadmin_java(self, *args):
        return subprocess.run(
            java_command(self.conf, QUICK_START, *args, main="org.apache.hadoop.hdfs.tools.DFSHAAdmin"), capture_output=True, timeout=120
        )

    def __enter__(self):
        os.makedirs(self.folder, exist_ok=True)
        self._conf("client", {})
        form = java_command(self._namenode_conf("nn1"), QUICK_START, "-format", "-force", "-nonInteractive", main=NAMENODE)
        done = subprocess.run(form, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr[-3000:]
        shutil.copytree(f"{self.folder}/nn1", f"{self.folder}/nn2")  # as one may instead of -bootstrapStandby
        for name in "nn1", "nn2":
            self.start_namenode(name)
        for number in range(1, self._wanted + 1):
            self.start_datanode(number)
        return self

    def __exit__(self, error_type, *_):
        if error_type:
            print(self.log_tails())
        for daemon in self.daemons.values():
            daemon.kill()
        for daemon in self.daemons.values():
            daemon.stop()
        release_port_block(self._base)

    def wait_for(self, condition, deadline_s, what):
        return wait_for(condition, deadline_s, what)

    def log_tails(self):
        return "\n".join(f"--- {name}:\n{log_tail(daemon.log)}" for name, daemon in self.daemons.items())

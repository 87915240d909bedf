"""A namenode and datanodes started one by one, each with settings, host and address of its own."""
import os
import shutil

from lib.cluster import cairn_path, client_env, datanode_is_registered, run_cairn
from lib.ports import port_block, release_port_block
from lib.process import Daemon, log_tail
from lib.waiting import wait_for


class Nodes:
    """As a context manager: all daemons are gone after it. prefix(name) is put before a daemon's command."""

    def __init__(self, folder, namenode_ip="127.0.0.1", properties=None, prefix=None):
        self.folder, self.properties = str(folder), {"dfs.heartbeat.interval": 1} | (properties or {})
        self.namenode_ip = namenode_ip
        self._prefix = prefix or (lambda name: [])
        self.port = port_block()
        self.daemons = {}
        os.makedirs(self.folder, exist_ok=True)

    @property
    def uri(self):
        return f"hdfs://{self.namenode_ip}:{self.port}"

    @property
    def namenode_http(self):
        return f"{self.namenode_ip}:{self.port + 1}"

    def transfer_port(self, number):
        return self.port + 7 + 3 * number

    def _start(self, name, kind, properties):
        words = [f"-D{key}={value}" for key, value in ({"fs.defaultFS": self.uri} | self.properties | properties).items()]
        self.daemons[name] = Daemon(
            name, [*self._prefix(name), cairn_path(), kind, *words], f"{self.folder}/{name}.log", env=client_env()
        )
        return self.daemons[name]

    def start_namenode(self, **properties):
        return self._start(
            "namenode", "namenode",
            {"dfs.namenode.name.dir": f"{self.folder}/name", "dfs.namenode.http-address": self.namenode_http} | properties,
        )

    def start_datanode(self, number, ip="127.0.0.1", port=None, properties=None):
        """number from 1 on names its folder; port is that of transfer, ipc and http come after it."""
        port = port or self.transfer_port(number)
        own = {
            "dfs.datanode.data.dir": f"{self.folder}/data{number}",
            "dfs.datanode.address": f"{ip}:{port}",
            "dfs.datanode.ipc.address": f"{ip}:{port + 1}",
            "dfs.datanode.http.address": f"{ip}:{port + 2}",
        }
        return self._start(f"datanode{number}", "datanode", own | (properties or {}))

    def wait_live(self, count, runner=None, deadline_s=40):
        def is_so():
            for daemon in self.daemons.values():
                daemon.check_alive()
            report = (runner or self.admin)("-report", "-live").stdout.decode()
            return f"Live datanodes ({count}):" in report

        wait_for(is_so, deadline_s, f"{count} live datanodes")

    def wait_registered(self, number, deadline_s=40):
        def is_so():
            self.daemons[f"datanode{number}"].check_alive()
            return datanode_is_registered(f"127.0.0.1:{self.transfer_port(number) + 2}")

        wait_for(is_so, deadline_s, f"datanode {number} to be back")

    def admin(self, *args, **options):
        return run_cairn("dfsadmin", "-fs", self.uri, *args, **options)

    def fs(self, *args, **options):
        return run_cairn("fs", "-fs", self.uri, *args, **options)

    def log_tails(self):
        return "\n".join(f"--- {name}:\n{log_tail(daemon.log)}" for name, daemon in self.daemons.items())

    def __enter__(self):
        return self

    def __exit__(self, error_type, *_):
        if error_type:
            print(self.log_tails())
        for daemon in self.daemons.values():
            daemon.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        release_port_block(self.port)

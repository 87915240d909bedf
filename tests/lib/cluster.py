"""A Cairn cluster on this machine, through `cairn up` and `cairn down` alone, as a user would start it."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import urllib.request

from lib import sanitizer
from lib.ports import port_block, release_port_block
from lib.process import Daemon, began, is_alive, log_tail
from lib.waiting import wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def cairn_path():
    """The executable under test: $CAIRN, or the newest one below build/."""
    if os.environ.get("CAIRN"):
        return os.environ["CAIRN"]
    build = os.path.join(ROOT, "build")
    found = [os.path.join(build, name, "cairn") for name in (os.listdir(build) if os.path.isdir(build) else [])]
    found = [path for path in found if os.access(path, os.X_OK)]
    assert found, "there is no build/*/cairn: run make first, or set CAIRN to the executable"
    return max(found, key=os.path.getmtime)


def client_env():
    """The environment without anything that would change what a client finds or who it is."""
    hidden = ("HADOOP_", "CAIRN_", "HDFS_CONF_", "CORE_CONF_")
    return {name: value for name, value in os.environ.items() if not name.startswith(hidden)}


def run_cairn(*args, stdin=b"", deadline_s=120, check=False, cwd=None, env=None):
    """Runs `cairn ARGS`; a CompletedProcess with bytes. With check, a failure shows what was printed."""
    done = subprocess.run(
        [cairn_path(), *map(str, args)],
        input=stdin,
        capture_output=True,
        timeout=deadline_s * sanitizer.slowness(),
        cwd=cwd,
        env=client_env() | (env or {}),
    )
    if check:
        assert done.returncode == 0, (
            f"cairn {' '.join(map(str, args))} ended with {done.returncode}:\n"
            f"{done.stdout.decode(errors='replace')[-2000:]}{done.stderr.decode(errors='replace')[-2000:]}"
        )
    return done


def datanode_is_registered(http_address):
    """After a kill and a start the namenode may count a datanode as live all the while: the node knows when it is back."""
    url = f"http://{http_address}/jmx?qry=Hadoop:service=DataNode,name=DataNodeInfo"
    with urllib.request.urlopen(url, timeout=5 * sanitizer.slowness()) as reply:
        return "RUNNING" in json.load(reply)["beans"][0]["BPServiceActorInfo"]


class Cluster:
    """`cairn up --dir FOLDER`. As a context manager it is up inside and gone, mount included, after.

    properties are `-D name=value` of the whole cluster; mount is a folder or None."""

    running = []  # those that are up now

    def __init__(self, folder, nodes=3, mount=None, properties=None, port_base=None, restarts=False):
        self.folder, self.nodes, self.mount = str(folder), nodes, mount and str(mount)
        self.properties, self.restarts = properties or {}, restarts
        self.port_base = port_base or port_block()
        self._info = {}
        self._seen = {}  # pid -> when that process began

    # life cycle
    def up(self, deadline_s=60, **more_properties):
        command = ["up", "--dir", self.folder, "--nodes", self.nodes, "--port-base", self.port_base, "--detach"]
        command += [] if self.restarts else ["--no-restart"]  # what a test kills stays dead until it says otherwise
        if self.mount:
            os.makedirs(self.mount, exist_ok=True)
            command += ["--mount", self.mount]
        for name, value in (self.properties | more_properties).items():
            command += ["-D", f"{name}={value}"]
        run_cairn(*command, deadline_s=deadline_s, check=True)
        self.reload()
        Cluster.running.append(self)
        return self

    def reload(self):
        """Reads cluster.json again: after daemons were started anew they have other pids."""
        with open(os.path.join(self.folder, "cluster.json")) as file:
            self._info = json.load(file)
        self._seen.update({daemon["pid"]: began(daemon["pid"]) for daemon in self.daemons})
        return self

    def down(self, deadline_s=60):
        return run_cairn("down", "--dir", self.folder, deadline_s=deadline_s)

    def destroy(self):
        """Ends everything whatever state it is in, and removes the folder. Never raises for a sick cluster."""
        Cluster.running[:] = [other for other in Cluster.running if other is not self]
        with contextlib.suppress(Exception):
            self.down(deadline_s=20)
        for pid, when in self._seen.items():
            if is_alive(pid) and began(pid) == when:
                os.kill(pid, signal.SIGKILL)
        if self.mount and os.path.ismount(self.mount):
            subprocess.run(["umount", "-l", self.mount], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
        release_port_block(self.port_base)

    def __enter__(self):
        try:
            return self.up()
        except BaseException:
            print(self.log_tails())
            self.destroy()
            raise

    def __exit__(self, error_type, *_):
        if error_type:
            print(self.log_tails())
        self.destroy()

    # what cluster.json says
    @property
    def uri(self):
        return self._info["fs"]

    @property
    def namenode(self):
        """host:port of the namenode's RPC."""
        return self.uri.removeprefix("hdfs://")

    @property
    def namenode_http(self):
        return self._info["namenode_http"]

    @property
    def httpfs(self):
        return self._info["httpfs"]

    @property
    def scheduler(self):
        return self._info["scheduler"]

    @property
    def scheduler_http(self):
        return self._info["scheduler_http"]

    @property
    def daemons(self):
        return self._info.get("daemons", [])

    def daemons_named(self, prefix):
        return [daemon for daemon in self.daemons if daemon["name"].startswith(prefix)]

    def daemon(self, name):
        """The daemon of that name, or the first whose name starts with it."""
        found = [daemon for daemon in self.daemons if daemon["name"] == name] or self.daemons_named(name)
        assert found, f"no daemon '{name}' among {[daemon['name'] for daemon in self.daemons]}"
        return found[0]

    def pid(self, name):
        return self.daemon(name)["pid"]

    # faults
    def kill(self, name, sig=signal.SIGKILL):
        """Sends a signal to one daemon and, when it is a deadly one, waits until it is gone. Returns its entry."""
        daemon = self.daemon(name)
        os.kill(daemon["pid"], sig)
        if sig in (signal.SIGKILL, signal.SIGTERM):
            wait_for(lambda: not is_alive(daemon["pid"]), 20, f"end of {daemon['name']}")
        return daemon

    def kill_all(self):
        for daemon in self.daemons:
            if is_alive(daemon["pid"]):
                self.kill(daemon["name"])

    def restart(self, **properties):
        """`down` (which also clears away what a kill left) and `up` again on the same folder and ports."""
        self.down()
        return self.up(**properties)

    def start_again(self, name, through=()):
        """Starts one daemon that was killed, with the command line it had. It is on its own: not the supervisor's child.

        through: a command that ends by executing what follows it."""
        daemon = self.daemon(name)
        process = Daemon(daemon["name"], [*through, cairn_path(), *daemon["command"]], daemon["log"], env=client_env())
        daemon["pid"] = process.pid
        self._seen[process.pid] = began(process.pid)
        return process

    def restart_daemon(self, name):
        """Kills a datanode or the namenode and starts it again; returns when it serves, the namenode all datanodes."""
        self.start_again(self.kill(name)["name"])
        self.wait_for_datanodes()

    def wait_for_datanodes(self):
        """Until all that were started again are registered, and the namenode serves."""
        setting = "dfs.datanode.http.address="
        wait_for(lambda: b"OFF" in self.dfsadmin("-safemode", "get").stdout, 60, "the end of safe mode")
        for daemon in self.daemons_named("datanode-"):
            address = next(word.removeprefix(setting) for word in daemon["command"] if word.startswith(setting))
            wait_for(lambda: datanode_is_registered(address), 60, f"{daemon['name']} to be back")

    # clients
    def fs(self, *args, **options):
        """`cairn fs -fs URI ARGS`."""
        return run_cairn("fs", "-fs", self.uri, *args, **options)

    def dfsadmin(self, *args, **options):
        return run_cairn("dfsadmin", "-fs", self.uri, *args, **options)

    def fsck(self, *args, **options):
        # fsck asks the pages, whose address it has from the settings.
        http = f"dfs.namenode.http-address={self.namenode_http}"
        return run_cairn("fsck", "-fs", self.uri, "-D", http, *args, **options)

    def http_get(self, path, address=None):
        with urllib.request.urlopen(f"http://{address or self.namenode_http}{path}", timeout=10 * sanitizer.slowness()) as reply:
            return reply.read()

    # looking inside
    def wait_for(self, condition, deadline_s, what):
        return wait_for(condition, deadline_s, what)

    def resident_mib(self, name):
        """MiB that the daemon holds; in a sanitizer build, about what it would hold without."""
        with open(f"/proc/{self.pid(name)}/status") as file:
            return next(int(line.split()[1]) / 1024 / sanitizer.memory_factor() for line in file if line.startswith("VmRSS:"))

    def log_tails(self, lines=25):
        return "\n".join(
            f"--- {daemon['name']} (pid {daemon['pid']}, {'alive' if is_alive(daemon['pid']) else 'gone'}):\n"
            f"{log_tail(daemon['log'], lines)}"
            for daemon in self.daemons
        )

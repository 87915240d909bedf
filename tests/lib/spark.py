"""PySpark from the package index, in virtual environments that are made once: one program, or a standalone cluster."""
import contextlib
import fcntl
import glob
import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request

from lib.cluster import client_env
from lib.engine import CACHE
from lib.ports import port_block, release_port_block
from lib.process import Daemon, log_tail
from lib.waiting import wait_for

VERSIONS = {"3.5": "3.5.9", "4.0": "4.0.5"}  # Hadoop's client 3.3.4, and 3.4.1
# Small and quick to start; a task waits for a local place as long as it takes, which is a scheduler's decision under test.
QUICK = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": 4,
    "spark.driver.memory": "1g",
    "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
    "spark.executor.memory": "512m",
    "spark.executor.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
}


class Unavailable(Exception):
    """PySpark cannot be run here; the text says why and what to do."""


def _make_venv(path, version):
    shutil.rmtree(path + ".part", ignore_errors=True)
    for command in (
        [sys.executable, "-m", "venv", path + ".part"],
        [path + ".part/bin/python", "-m", "pip", "install", "-q", "--no-cache-dir", f"pyspark=={version}"],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise Unavailable(f"{' '.join(command)}: {(done.stdout + done.stderr).strip()[-1000:]}")
    os.rename(path + ".part", path)


class Spark:
    """One installed version; folder is for configuration and logs."""

    def __init__(self, version, folder):
        if not shutil.which("java"):
            raise Unavailable("'java' is not installed; run tools/deps interop")
        self.version, self.folder = version, str(folder)
        os.makedirs(self.folder, exist_ok=True)
        venv = os.path.join(CACHE, f"pyspark-{VERSIONS[version]}")
        os.makedirs(CACHE, exist_ok=True)
        with open(venv + ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.exists(venv):
                _make_venv(venv, VERSIONS[version])
        # Not through bin/python's own search for Spark: it would take whatever $SPARK_HOME names.
        self.python = os.path.join(venv, "bin", "python")
        (self.home,) = glob.glob(os.path.join(venv, "lib", "python3*", "site-packages", "pyspark"))

    def env(self, properties=None, **more):
        """The environment for any of Spark's programs, with a configuration folder of its own that holds QUICK and properties."""
        conf = os.path.join(self.folder, f"conf-{len(os.listdir(self.folder))}")
        os.makedirs(conf)
        with open(os.path.join(conf, "spark-defaults.conf"), "w") as file:
            file.writelines(f"{name} {value}\n" for name, value in (QUICK | (properties or {})).items())
        with open(os.path.join(conf, "log4j2.properties"), "w") as file:
            file.write(
                "rootLogger.level = warn\nrootLogger.appenderRef.err.ref = err\nappender.err.type = Console\n"
                "appender.err.name = err\nappender.err.target = SYSTEM_ERR\nappender.err.layout.type = PatternLayout\n"
                "appender.err.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n%ex\n"
            )
        clean = {name: value for name, value in client_env().items() if not name.startswith(("SPARK_", "PYSPARK_"))}
        own = {"SPARK_HOME": self.home, "SPARK_CONF_DIR": conf, "PYSPARK_PYTHON": self.python, "PYTHONUNBUFFERED": "1",
               "SPARK_LOCAL_DIRS": os.path.join(self.folder, "local"), "SPARK_LOCAL_IP": "127.0.0.1"}
        return clean | own | more

    def start_submit(self, name, *args, properties=None, around=(), **env):
        """`spark-submit ARGS` in the background, output in one log file: a Daemon. around: words before the command."""
        command = [*around, os.path.join(self.home, "bin", "spark-submit"), *map(str, args)]
        return Daemon(name, command, os.path.join(self.folder, f"{name}.log"), env=self.env(properties, **env))

    def submit(self, name, *args, deadline_s=300, properties=None, check=True, **env):
        """`spark-submit ARGS` to its end: its exit code. With check, a failure shows the end of its log."""
        with self.start_submit(name, *args, properties=properties, **env) as process:
            wait_for(lambda: not process.is_alive(), deadline_s, f"the end of {name}")
            code = process.returncode
        assert code == 0 or not check, f"spark-submit {name} ended with {code}:\n{log_tail(process.log, 80)}"
        return code

    def daemon(self, name, main, *args, properties=None, around=(), **env):
        """One of Spark's own daemons, by its main class, as start-master.sh and its like would start it."""
        command = [*around, os.path.join(self.home, "bin", "spark-class"), main, *map(str, args)]
        settings = " ".join(f"-D{key}={value}" for key, value in (properties or {}).items())
        env = self.env(**({"SPARK_DAEMON_MEMORY": "256m", "SPARK_DAEMON_JAVA_OPTS": settings} | env))
        return Daemon(name, command, os.path.join(self.folder, f"{name}.log"), env=env)


class HistoryServer:
    """Spark's history server over a folder of event logs."""

    def __init__(self, spark, log_uri):
        self.port = port_block()
        properties = {"spark.history.fs.logDirectory": log_uri, "spark.history.ui.port": self.port,
                      "spark.history.fs.update.interval": "1s"}
        self._daemon = spark.daemon("history", "org.apache.spark.deploy.history.HistoryServer", properties=properties)

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}", timeout=20) as reply:
            return json.load(reply)

    def wait_for(self, condition, deadline_s, what):
        return wait_for(lambda: self._daemon.check_alive() and condition(self), deadline_s, what)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._daemon.stop()
        release_port_block(self.port)

    def log_tails(self):
        return log_tail(self._daemon.log)


class Standalone:
    """A master and one worker per entry of workers, {the name or address it registers with: the address it is bound to}.

    around: {worker: words before its command}."""

    def __init__(self, spark, workers, cores=1, around=None):
        self.spark, self.workers, self._cores, self._base = spark, workers, cores, port_block()
        self._around = around or {}
        self.url = f"spark://127.0.0.1:{self._base}"
        self.daemons = []
        # Names of this test alone: all JVMs look them up in a file.
        self._hosts_file = os.path.join(spark.folder, f"hosts-{self._base}")
        with open(self._hosts_file, "w") as file:
            names = {"localhost": "127.0.0.1", socket.gethostname(): "127.0.0.1"} | workers
            file.writelines(f"{address} {name}\n" for name, address in names.items())

    def _start_daemon(self, name, main, *args, **options):
        properties = {"jdk.net.hosts.file": self._hosts_file}
        self.daemons.append(self.spark.daemon(name, f"org.apache.spark.deploy.{main}", *args, properties=properties, **options))

    def _start(self):
        self._start_daemon("master", "master.Master", "--host", "127.0.0.1", "--port", self._base, "--webui-port", self._base + 1)
        wait_for(lambda: self.daemons[0].check_alive() and self.state(), 60, "Spark's master")
        for index, (name, address) in enumerate(self.workers.items()):
            work = os.path.join(self.spark.folder, f"work-{self._base}-{name}")
            self._start_daemon(
                f"worker-{name}", "worker.Worker", "--port", self._base + 10 + index, "--webui-port", self._base + 20 + index,
                "--cores", self._cores, "--memory", "700m", "--work-dir", work, self.url, SPARK_LOCAL_IP=address,
                around=self._around.get(name, ()), **({} if name == address else {"SPARK_LOCAL_HOSTNAME": name}))
        wait_for(self._all_registered, 90, f"{len(self.workers)} workers of Spark")

    def submit(self, name, *args, properties=None, **options):
        """`spark-submit --master spark://... ARGS`: it begins when all executors are there, and waits for local places."""
        own = {
            "spark.scheduler.minRegisteredResourcesRatio": 1.0, "spark.scheduler.maxRegisteredResourcesWaitingTime": "120s",
            "spark.locality.wait": "30s", "spark.driver.host": "127.0.0.1", "spark.executor.cores": 1,
        }
        for side in "driver", "executor":
            option = f"spark.{side}.extraJavaOptions"
            own[option] = f"{QUICK[option]} -Djdk.net.hosts.file={self._hosts_file}"
        return self.spark.submit(name, "--master", self.url, *args, properties=own | (properties or {}), **options)

    def state(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self._base + 1}/json/", timeout=10) as reply:
            return json.load(reply)

    def _all_registered(self):
        for daemon in self.daemons:
            daemon.check_alive()
        return self.state()["aliveworkers"] == len(self.workers)

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            print(self.log_tails())
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for daemon in reversed(self.daemons):
            with contextlib.suppress(ProcessLookupError):
                daemon.stop()
        release_port_block(self._base)

    def log_tails(self):
        return "\n".join(f"--- {daemon.name}:\n{log_tail(daemon.log)}" for daemon in self.daemons)


def event_log(text):
    """The events of an uncompressed event log."""
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def task_rows(events):
    """One (stage, host, locality, speculative, ok) for each task attempt that ended."""
    ended = [event for event in events if event["Event"] == "SparkListenerTaskEnd"]
    return [
        (event["Stage ID"], event["Task Info"]["Host"], event["Task Info"]["Locality"], event["Task Info"]["Speculative"],
         event["Task End Reason"]["Reason"] == "Success")
        for event in ended
    ]

"""Mounts of a cluster, each with a keeper that was started here, so that both of its processes can be killed."""
import os
import signal
import subprocess

from lib.cluster import cairn_path, client_env
from lib.process import Daemon, log_tail
from lib.waiting import wait_for


class Mount:
    """`cairn mount --foreground` on a folder. As a context manager it is unmounted after, whatever state it is in."""

    def __init__(self, cluster, path, log, *options, user=None):
        self.path, self.log = str(path), str(log)
        self._env = client_env() | ({"HADOOP_USER_NAME": user} if user else {})
        self._command = [cairn_path(), "mount", "-fs", cluster.uri, "--foreground", self.path, *map(str, options)]
        os.makedirs(self.path, exist_ok=True)
        self.start()

    def start(self):
        """Also after kill_both."""
        self._keeper = Daemon("mount", self._command, self.log, env=self._env)
        wait_for(self.is_served, 30, "the mount")
        return self

    def is_served(self):
        return self._keeper.check_alive() and os.path.ismount(self.path) and os.listdir(self.path) is not None

    def serving(self):
        """The pid of the process that serves, once there is one."""
        def child():
            return subprocess.run(["pgrep", "-n", "-P", str(self._keeper.pid)], capture_output=True, text=True).stdout.split()
        return int(wait_for(child, 10, "a process that serves")[0])

    def kill_serving(self):
        pid = self.serving()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self.serving() != pid, 10, "another process that serves")

    def kill_both(self):
        """The keeper is held first, or it would start another one."""
        serving = self.serving()
        os.kill(self._keeper.pid, signal.SIGSTOP)
        os.kill(serving, signal.SIGKILL)
        os.kill(self._keeper.pid, signal.SIGKILL)
        self._keeper.stop()

    def resident_mib(self):
        """MiB of both processes; of what they share with others, their part."""
        total = 0
        for pid in self._keeper.pid, self.serving():
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += next(int(line.split()[1]) / 1024 for line in file if line.startswith("Pss:"))
        return total

    def stop(self):
        """SIGTERM, and what was saved then is in the cluster."""
        self._keeper.stop(patience_s=30)
        return self._keeper.returncode

    def log_tails(self):
        return f"--- mount of {self.path}:\n{log_tail(self.log)}"

    def __enter__(self):
        return self

    def __exit__(self, error_type, *_):
        if error_type:
            print(self.log_tails())
        self.stop()
        with open("/proc/self/mounts") as mounts:  # to ask the mount itself is to wait for ever, if it is stuck
            is_left = any(line.split()[1] == self.path for line in mounts)
        if is_left:
            subprocess.run(["umount", "-l", self.path], check=False)

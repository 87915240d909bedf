"""A child process with a log file: started, watched and ended by its pid."""
import contextlib
import os
import pty
import signal
import subprocess

from lib import sanitizer


def log_tail(path, lines=40):
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - 256 * lines))
            return b"\n".join(file.read().splitlines()[-lines:]).decode(errors="replace")
    except OSError as error:
        return f"({error})"


def is_alive(pid):
    """Whether the process runs; a zombie does not, unless threads of it are still ending: they hold its files and locks."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            if file.read().rsplit(")", 1)[1].split()[0] not in "ZX":
                return True
        return len(os.listdir(f"/proc/{pid}/task")) > 1
    except OSError:
        return False


def began(pid):
    """When the process began, in ticks since boot: with the pid, who it is, as pids are used again. None: there is none."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rsplit(")", 1)[1].split()[19])
    except OSError:
        return None


class Daemon:
    """A process of ours in the background, stdout and stderr in one log file."""

    def __init__(self, name, command, log, env=None, cwd=None):
        self.name, self.log = name, log
        with open(log, "ab") as out:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, cwd=cwd, start_new_session=True
            )
        self.pid = self._process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def is_alive(self):
        return self._process.poll() is None

    @property
    def returncode(self):
        """None while it runs."""
        return self._process.poll()

    def check_alive(self):
        """True, or an AssertionError with the end of the log."""
        assert self.is_alive(), f"{self.name} ended with {self._process.returncode}:\n{log_tail(self.log)}"
        return True

    def kill(self, sig=signal.SIGKILL):
        if self.is_alive():
            os.kill(self.pid, sig)

    def stop(self, patience_s=10):
        """SIGTERM, then SIGKILL for one that does not go."""
        patience_s *= sanitizer.slowness()
        self.kill(signal.SIGTERM)
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait(patience_s)


def on_a_terminal(command, env):
    """What `command` writes to a terminal."""
    parent, child = pty.openpty()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=child, stderr=child, env=env) as running:
        os.close(child)
        seen = b""
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while piece := os.read(parent, 65536):
                seen += piece
        assert running.wait(20) in (0, 1)
    os.close(parent)
    return seen

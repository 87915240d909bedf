"""A program of tests/tools that does to the namenode what a mount does: a line is asked, a line is the answer."""
import contextlib
import os
import re
import subprocess

from lib.cluster import cairn_path, client_env


class PosixError(Exception):
    def __init__(self, errno, text):
        super().__init__(f"{errno}: {text}")
        self.errno = errno


class PosixTool:
    """One of them, running until the end of the context."""

    def __init__(self, name, cluster, properties=None):
        self._tool = os.path.join(os.path.dirname(cairn_path()), "tests/tools", name)
        assert os.access(self._tool, os.X_OK), f"{self._tool} is not there: make {os.path.relpath(self._tool)}"
        options = [word for name, value in (properties or {}).items() for word in ("-D", f"{name}={value}")]
        self.process = subprocess.Popen([self._tool, *options, cluster.uri], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=client_env())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(60)

    def kill(self):
        self.process.kill()
        self.process.wait(60)

    def begin(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def end(self):
        line = self.process.stdout.readline()
        assert line, f"{self._tool} has ended"
        failed = re.match(r"(?:ok.*)?error (\d+) (.*)", line)
        if failed:
            raise PosixError(int(failed[1]), failed[2])
        return line.split()[1:]

    def ask(self, *words):
        self.begin(*words)
        return self.end()

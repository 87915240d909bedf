"""Names and inodes as a mount handles them: tests/tools/posix_names, a line at a time."""
import contextlib
import os
import re
import subprocess

from lib.cluster import cairn_path, client_env

ROOT = 16385


class PosixError(Exception):
    def __init__(self, errno, text):
        super().__init__(f"{errno}: {text}")
        self.errno = errno


class Names:
    """A mount's connection to the namenode; with a session once .session() was called."""

    def __init__(self, cluster):
        tool = os.path.join(os.path.dirname(cairn_path()), "tests/tools/posix_names")
        assert os.access(tool, os.X_OK), f"{tool} is not there: make {os.path.relpath(tool)}"
        # As a mount does, it waits for a namenode that is starting.
        self.process = subprocess.Popen([tool, "-D", "cairn.client.retry-for=60s", cluster.uri], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=client_env())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(60)

    def begin(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def end(self):
        line = self.process.stdout.readline()
        assert line, "posix_names has ended"
        failed = re.match(r"(?:ok.*)?error (\d+) (.*)", line)
        if failed:
            raise PosixError(int(failed[1]), failed[2])
        return line.split()[1:]

    def ask(self, *words):
        self.begin(*words)
        return self.end()

    def session(self, number=0):
        return int(self.ask("session", number)[0])

    def id(self, path):
        """Of "/a/b"; 0: there is none."""
        at = ROOT
        for name in filter(None, path.split("/")):
            at = int(self.ask("lookup", at, name)[0])
            if not at:
                break
        return at

    def make(self, parent, name, mode, *target):
        return int(self.ask("make", parent, name, f"{mode:o}", *target)[0])

    def link(self, file, parent, name):
        return int(self.ask("link", file, parent, name)[0])

    def nlink(self, file):
        return int(self.ask("stat", file)[1])

"""Names and inodes as a mount handles them: tests/tools/posix_names, a line at a time."""
from lib.posix_tool import PosixTool

ROOT = 16385


class Names(PosixTool):
    """A mount's connection to the namenode; with a session once .session() was called."""

    def __init__(self, cluster):
        # As a mount does, it waits for a namenode that is starting.
        super().__init__("posix_names", cluster, {"cairn.client.retry-for": "60s"})

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

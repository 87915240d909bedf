"""Edits of files in place, as a mount makes them: tests/tools/posix_edit, a line at a time."""
import contextlib
import os
import re
import subprocess

from lib.cluster import cairn_path, client_env


class EditError(Exception):
    def __init__(self, errno, text):
        super().__init__(f"{errno}: {text}")
        self.errno = errno


class Editor:
    """A session with the namenode. Pieces are texts, 'LENGTH:BLOCK:STAMP'; hole(n) makes one of zeros."""

    def __init__(self, cluster, properties=None):
        tool = os.path.join(os.path.dirname(cairn_path()), "tests/tools/posix_edit")
        assert os.access(tool, os.X_OK), f"{tool} is not there: make {os.path.relpath(tool)}"
        options = [word for name, value in (properties or {}).items() for word in ("-D", f"{name}={value}")]
        self.process = subprocess.Popen([tool, *options, cluster.uri], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=client_env())

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
        assert line, "posix_edit has ended"
        failed = re.match(r"error (\d+) (.*)", line)
        if failed:
            raise EditError(int(failed[1]), failed[2])
        return line.split()[1:]

    def ask(self, *words):
        self.begin(*words)
        return self.end()

    def id(self, path):
        return int(self.ask("id", path)[0])

    def pieces(self, file):
        return self.ask("pieces", file)[2:]

    def size_and_allocated(self, file):
        return tuple(map(int, self.ask("pieces", file)[:2]))

    def upload(self, file, local, offset, length):
        return self.ask("upload", file, local, offset, length)[0]

    def allot(self, file, length):
        return self.ask("allot", file, length)[0]

    def edit(self, file, index, count, *pieces):
        return self.ask("edit", file, index, count, *pieces)

    def drop(self, *pieces):
        self.ask("drop", *map(block_of, pieces))


def hole(length):
    return f"{length}:0:0"


def block_of(piece):
    return int(piece.split(":")[1])


def length_of(piece):
    return int(piece.split(":")[0])

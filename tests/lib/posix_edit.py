"""Edits of files in place, as a mount makes them: tests/tools/posix_edit, a line at a time."""
from lib.posix_tool import PosixTool


class Editor(PosixTool):
    """A session with the namenode. Pieces are texts, 'LENGTH:BLOCK:STAMP'; hole(n) makes one of zeros."""

    def __init__(self, cluster, properties=None):
        super().__init__("posix_edit", cluster, properties)

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

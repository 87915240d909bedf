"""Files with holes, which HDFS does not know: its clients read them as blocks of zeros that every datanode has."""
import hashlib
import json
import os
import random
import subprocess
import urllib.request

import pytest

from interop.servers import CairnClient
from lib import venv
from lib.cluster import client_env
from lib.data import MIB, sha256_bytes
from lib.needs import missing
from lib.posix_edit import Editor, hole

# hdfs-native: the whole, and a range that begins and ends in the middle of holes.
NATIVE = """
import hashlib, json, sys
from hdfs_native import Client
with Client(sys.argv[1]).read(sys.argv[2]) as file:
    whole = file.read()
    part = file.read_range(int(sys.argv[3]), int(sys.argv[4]))
print(json.dumps([hashlib.sha256(whole).hexdigest(), hashlib.sha256(part).hexdigest()]))
"""


class Sparse:
    """A hole, bytes, a long hole, bytes, a hole: no length is a multiple of a checksum's chunk."""

    def __init__(self, server, local):
        head, tail = random.Random(5).randbytes(100_001), random.Random(6).randbytes(3333)
        local.write_bytes(head + tail)
        server.java("-mkdir", "-p", "/holes")
        server.java("-put", "-f", os.devnull, "/holes/f")
        with Editor(server.cluster) as editor:
            file = editor.id("/holes/f")
            pieces = [editor.upload(file, local, 0, len(head)), editor.upload(file, local, len(head), len(tail))]
            editor.edit(file, 0, 0, hole(777), pieces[0], hole(9 * MIB + 5), pieces[1], hole(1))
        self.path, self.head, self.tail = "/holes/f", head, tail
        self.bytes = bytes(777) + head + bytes(9 * MIB + 5) + tail + bytes(1)


@pytest.fixture(scope="module")
def sparse(cairn_server, tmp_path_factory):
    return Sparse(cairn_server, tmp_path_factory.mktemp("holes") / "bytes")


def test_java_reads_it(cairn_server, sparse, tmp_path):
    assert sha256_bytes(cairn_server.java("-cat", sparse.path)) == sha256_bytes(sparse.bytes)
    assert cairn_server.java("-tail", sparse.path) == sparse.bytes[-1024:]
    assert cairn_server.java("-head", sparse.path) == sparse.bytes[:1024]
    cairn_server.java("-get", sparse.path, str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == sparse.bytes
    assert cairn_server.java("-stat", "%b %r", sparse.path).decode() == f"{len(sparse.bytes)} 3\n"


@pytest.mark.parametrize("mode", ["MD5MD5CRC", "COMPOSITE_CRC"])
def test_java_and_we_agree_on_its_checksum(cairn_server, sparse, mode):
    ask = ("-D", f"dfs.checksum.combine.mode={mode}", "-checksum", sparse.path)
    assert cairn_server.java(*ask) == CairnClient(cairn_server).fs(*ask)


def test_its_composite_checksum_is_that_of_a_file_without_holes(cairn_server, sparse, tmp_path):
    (tmp_path / "same").write_bytes(sparse.bytes)
    cairn_server.java("-put", "-f", str(tmp_path / "same"), "/holes/same")
    sums = [cairn_server.java("-D", "dfs.checksum.combine.mode=COMPOSITE_CRC", "-checksum", path).split()[1:]
            for path in (sparse.path, "/holes/same")]
    assert sums[0] == sums[1]


def test_java_appends_behind_a_hole(cairn_server, sparse, tmp_path):
    (tmp_path / "more").write_bytes(b"more")
    cairn_server.java("-cp", "-f", sparse.path, "/holes/copy")
    assert cairn_server.java("-cat", "/holes/copy") == sparse.bytes
    with Editor(cairn_server.cluster) as editor:
        copy = editor.id("/holes/copy")
        editor.edit(copy, len(editor.pieces(copy)), 0, hole(700))
    cairn_server.java("-appendToFile", str(tmp_path / "more"), "/holes/copy")
    cairn_server.java("-appendToFile", str(tmp_path / "more"), "/holes/copy")
    assert cairn_server.java("-cat", "/holes/copy") == sparse.bytes + bytes(700) + b"moremore"
    length = len(sparse.bytes) + 300
    cairn_server.java("-truncate", "-w", str(length), "/holes/copy")
    assert cairn_server.java("-cat", "/holes/copy") == sparse.bytes + bytes(300)
    assert cairn_server.java("-setrep", "-w", "2", "/holes/copy").endswith(b"done\n")


def test_a_hole_beyond_all_disks(cairn_server):
    """64 TiB that nobody has: Java seeks to its end."""
    cairn_server.java("-put", "-f", os.devnull, "/holes/huge")
    with Editor(cairn_server.cluster) as editor:
        editor.edit(editor.id("/holes/huge"), 0, 0, hole(1 << 46))
    assert cairn_server.java("-tail", "/holes/huge") == bytes(1024)
    assert cairn_server.java("-stat", "%b", "/holes/huge").decode() == f"{1 << 46}\n"


def test_go_reads_it(cairn_server, sparse, need_tool):
    program = need_tool("hdfs", "hdfs-cli")
    env = client_env() | {"HADOOP_NAMENODE": cairn_server.namenode, "HADOOP_USER_NAME": "root"}
    for command, wanted in ((["cat"], sparse.bytes), (["tail", "-c", "5000"], sparse.bytes[-5000:])):
        done = subprocess.run([program, *command, sparse.path], capture_output=True, timeout=120, env=env)
        assert done.returncode == 0, done.stderr
        assert sha256_bytes(done.stdout) == sha256_bytes(wanted)


def test_rust_reads_it(cairn_server, sparse):
    try:
        python = venv.python_with("hdfs-native", "0.14.7")
    except venv.Unavailable as error:
        missing(f"hdfs-native cannot be installed: {error}")
    start, length = 300, 5 * MIB
    done = subprocess.run([python, "-c", NATIVE, cairn_server.fs, sparse.path, str(start), str(length)], timeout=120,
                          capture_output=True, text=True, env=client_env() | {"HADOOP_USER_NAME": "root"})
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == [hashlib.sha256(sparse.bytes).hexdigest(),
                                       hashlib.sha256(sparse.bytes[start:start + length]).hexdigest()]


@pytest.mark.parametrize("start, length", [(0, None), (776, 3), (100_000, 4 * MIB)])
def test_webhdfs_reads_it(cairn_server, sparse, start, length):
    url = f"http://{cairn_server.namenode_http}/webhdfs/v1{sparse.path}?op=OPEN&offset={start}"
    url += f"&length={length}" if length else ""
    with urllib.request.urlopen(url, timeout=120) as reply:
        assert reply.read() == sparse.bytes[start:start + length if length else None]

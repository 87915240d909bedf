"""rclone's hdfs backend against both servers."""
import json
import subprocess

import pytest

from lib import data
from lib.cluster import client_env


@pytest.fixture(scope="module")
def rclone(server, need_tool, tmp_path_factory):
    """rclone("copy", "/here", "hdfs:/there"): stdout; with check=False the CompletedProcess."""
    program = need_tool("rclone", "rclone")
    config = tmp_path_factory.mktemp("rclone") / "rclone.conf"
    config.write_text(f"[hdfs]\ntype = hdfs\nnamenode = {server.namenode}\nusername = root\n")

    def run(*args, check=True):
        # Its usual three tries stay: it does not wait for the last block's report, as Java does, but asks again.
        command = [program, "--config", str(config), *args]
        done = subprocess.run(command, capture_output=True, timeout=120, env=client_env())
        if check:
            assert done.returncode == 0, f"rclone {args}: exit {done.returncode}: {done.stderr.decode()}"
        return done.stdout if check else done

    return run


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A local tree of files from 0 bytes to 20 MB."""
    folder = tmp_path_factory.mktemp("tree")
    sizes = [0, 1, 511, 512, 513, 65_536, 100_001, 20_000_000]
    for number, size in enumerate(sizes):
        data.write_file(str(folder / f"d{number % 3}/f {number}"), size, number)
    return folder


def test_copy_there_and_back(where, rclone, tree, tmp_path):
    rclone("copy", str(tree), f"hdfs:{where}/tree")
    rclone("copy", f"hdfs:{where}/tree", str(tmp_path / "back"))
    assert data.tree_hashes(tmp_path / "back") == data.tree_hashes(tree)


def test_listing(where, rclone, tree):
    rclone("copy", str(tree), f"hdfs:{where}/tree")
    listed = {row["Path"]: row["Size"] for row in json.loads(rclone("lsjson", "-R", "--files-only", f"hdfs:{where}/tree"))}
    assert listed == {str(path.relative_to(tree)): path.stat().st_size for path in tree.rglob("f *")}
    assert rclone("lsd", f"hdfs:{where}/tree").decode().split()[-1] == "d2"


def test_check_finds_equal_and_different(server, where, rclone, tree, tmp_path):
    """`check --download` compares every byte."""
    rclone("copy", str(tree), f"hdfs:{where}/tree")
    rclone("check", "--download", str(tree), f"hdfs:{where}/tree")
    (tmp_path / "x").write_bytes(b"y")
    server.java("-put", "-f", str(tmp_path / "x"), f"{where}/tree/d1/f 1")
    differs = rclone("check", "--download", str(tree), f"hdfs:{where}/tree", check=False)
    assert differs.returncode == 1 and b"1 differences found" in differs.stderr


def test_move_and_delete(server, where, rclone, tree):
    rclone("copy", str(tree), f"hdfs:{where}/tree")
    rclone("moveto", f"hdfs:{where}/tree/d0/f 0", f"hdfs:{where}/tree/moved")
    rclone("moveto", f"hdfs:{where}/tree/d1", f"hdfs:{where}/dir")
    assert sorted(rclone("lsf", f"hdfs:{where}/tree").decode().split("\n")) == ["", "d0/", "d2/", "moved"]
    rclone("deletefile", f"hdfs:{where}/tree/moved")
    rclone("purge", f"hdfs:{where}/dir")
    assert server.java("-test", "-e", f"{where}/dir", check=False).returncode == 1
    assert server.java("-test", "-e", f"{where}/tree/moved", check=False).returncode == 1


def test_sync_keeps_times_and_copies_nothing_twice(where, rclone, tree):
    rclone("sync", str(tree), f"hdfs:{where}/tree")
    again = rclone("sync", "-v", "--dry-run", str(tree), f"hdfs:{where}/tree", check=False)
    assert again.returncode == 0 and b"Skipped copy" not in again.stderr, again.stderr.decode()


def test_rcat_and_cat(where, rclone, tree):
    path = tree / "d1" / "f 7"
    command_input = path.read_bytes()
    rclone("copyto", str(path), f"hdfs:{where}/f")
    assert rclone("cat", f"hdfs:{where}/f") == command_input
    assert rclone("cat", "--offset", "1000", "--count", "10", f"hdfs:{where}/f") == command_input[1000:1010]


def test_about(rclone):
    about = json.loads(rclone("about", "--json", "hdfs:"))
    assert about["total"] > about["free"] > 0

"""Debian's `hdfs` (package hdfs-cli, written in Go) against both servers."""
import os
import subprocess

import pytest

from lib import data
from lib.cluster import client_env
from lib.waiting import wait_for


@pytest.fixture(scope="module")
def go(server, need_tool):
    """go("ls", "/x"): stdout; with check=False the CompletedProcess."""
    program = need_tool("hdfs", "hdfs-cli")
    env = client_env() | {"HADOOP_NAMENODE": server.namenode, "HADOOP_USER_NAME": "root"}

    def run(*args, check=True, env=env):
        done = subprocess.run([program, *args], capture_output=True, timeout=120, env=env)
        if check:
            assert done.returncode == 0, f"hdfs {args}: exit {done.returncode}: {done.stderr.decode()}"
        return done.stdout if check else done

    return run


@pytest.mark.parametrize("size", [0, 1, 100_001, 40_000_000])
def test_put_cat_get(server, where, go, tmp_path, size):
    local, back = str(tmp_path / "in"), str(tmp_path / "out")
    sha256 = data.write_file(local, size, size)
    go("put", local, f"{where}/f")
    assert data.sha256_bytes(go("cat", f"{where}/f")) == sha256
    go("get", f"{where}/f", back)
    assert data.sha256_file(back) == sha256
    assert server.java("-stat", "%b", f"{where}/f").decode() == f"{size}\n"


def test_get_what_java_put_in_many_blocks(server, where, go, tmp_path):
    local = str(tmp_path / "in")
    sha256 = data.write_file(local, 5 * data.MIB + 3)
    server.java("-D", f"dfs.blocksize={data.MIB}", "-put", local, f"{where}/f")
    assert data.sha256_bytes(go("cat", f"{where}/f")) == sha256
    assert go("tail", "-c", "1000", f"{where}/f") == open(local, "rb").read()[-1000:]
    assert go("head", "-c", "1000", f"{where}/f") == open(local, "rb").read()[:1000]


def test_put_tree_and_get_it(where, go, tmp_path):
    for number in range(40):
        data.write_file(str(tmp_path / f"in/d{number % 5}/f{number}"), number * 1000, number)
    go("put", str(tmp_path / "in"), f"{where}/tree")
    go("get", f"{where}/tree", str(tmp_path / "out"))
    assert data.tree_hashes(tmp_path / "out") == data.tree_hashes(tmp_path / "in")


def test_ls(where, go, tmp_path):
    data.write_file(str(tmp_path / "f"), 1234)
    go("put", str(tmp_path / "f"), f"{where}/file")
    go("mkdir", "-p", f"{where}/a/b")
    assert go("ls", where).decode().split() == ["a", "file"]
    directory, file = go("ls", "-l", where).decode().splitlines()
    assert directory.split()[:3] == ["drwxr-xr-x", "root", "supergroup"] and directory.endswith(" a")
    assert file.split()[:4] == ["-rw-r--r--", "root", "supergroup", "1234"] and file.endswith(" file")
    missing = go("ls", f"{where}/nope", check=False)
    assert missing.returncode == 1 and missing.stderr.decode().strip() == f"stat {where}/nope: file does not exist"


def test_more_names_than_one_listing_holds(server, where, go, tmp_path):
    """A directory of 1,001 entries comes in two parts (dfs.ls.limit is 1,000)."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(1001):
        (folder / f"{number:04}").touch()
    server.java("-put", "-t", "4", str(folder), f"{where}/many")
    assert go("ls", f"{where}/many").decode().split() == sorted(os.listdir(folder))


def test_mv_rm(where, go):
    go("mkdir", "-p", f"{where}/a/b")
    go("touch", f"{where}/a/b/f")
    go("mv", f"{where}/a", f"{where}/c")
    assert go("ls", f"{where}/c/b").decode().split() == ["f"]
    assert go("rm", f"{where}/c", check=False).returncode == 1
    go("rm", "-r", f"{where}/c")
    assert go("ls", where) == b""
    assert go("rm", f"{where}/c", check=False).returncode == 1
    go("rm", "-f", f"{where}/c")


def test_checksum_equals_javas(server, where, go, tmp_path):
    """The Go client prints the MD5 of MD5s of CRCs, which is the end of what Java prints."""
    data.write_file(str(tmp_path / "f"), 3 * data.MIB + 5)
    server.java("-D", f"dfs.blocksize={data.MIB}", "-put", str(tmp_path / "f"), f"{where}/f")
    java = server.java("-checksum", f"{where}/f").decode().split()[-1]
    assert go("checksum", f"{where}/f").decode().split()[0] == java[-32:]


def test_chmod_chown_du_df_truncate(server, where, go, tmp_path):
    data.write_file(str(tmp_path / "f"), 5000)
    go("put", str(tmp_path / "f"), f"{where}/f")
    go("chmod", "640", f"{where}/f")
    go("chown", "alice:staff", f"{where}/f")
    assert server.java("-stat", "%a %u %g", f"{where}/f") == b"640 alice staff\n"
    assert go("du", "-s", where).decode().split()[0] == "5000"
    assert len(go("df").decode().splitlines()) == 2
    go("truncate", "10", f"{where}/f")  # returns before the datanodes have cut the last block: a reader may fail over it
    left = (tmp_path / "f").read_bytes()[:10]
    wait_for(lambda: server.java("-cat", f"{where}/f", check=False).stdout == left, 20, "truncation to 10 bytes")


def test_permission_denied(where, go, server):
    env = client_env() | {"HADOOP_NAMENODE": server.namenode, "HADOOP_USER_NAME": "mallory"}
    refused = go("mkdir", f"{where}/x", check=False, env=env)
    assert refused.returncode == 1 and b"permission denied" in refused.stderr.lower()

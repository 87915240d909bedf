"""What people do with fsspec's webhdfs and with HdfsCLI: HOST:PORT FOLDER. Prints the name of each part that held."""
import hashlib
import os
import sys
import tempfile

import fsspec
from hdfs import HdfsError, InsecureClient

ADDRESS, FOLDER = sys.argv[1:]
HOST, PORT = ADDRESS.split(":")
BIG = os.urandom(1 << 20) * 9 + b"the end"
ODD = "odd näme +%& ?#.txt"


def fs():
    return fsspec.filesystem("webhdfs", host=HOST, port=int(PORT), user="root", skip_instance_cache=True)


def fsspec_names():
    f = fs()
    f.makedirs(f"{FOLDER}/a/b", exist_ok=True)
    f.pipe(f"{FOLDER}/a/x", b"1234")
    assert f.ls(f"{FOLDER}/a", detail=False) == [f"{FOLDER}/a/b", f"{FOLDER}/a/x"]
    assert f.info(f"{FOLDER}/a/x")["size"] == 4 and f.isdir(f"{FOLDER}/a/b") and not f.exists(f"{FOLDER}/none")
    assert f.content_summary(f"{FOLDER}/a")["fileCount"] == 1
    f.mv(f"{FOLDER}/a/x", f"{FOLDER}/a/y")
    f.chmod(f"{FOLDER}/a/y", 640)
    f.chown(f"{FOLDER}/a/y", owner="ada", group="staff")
    info = f.info(f"{FOLDER}/a/y")
    assert (info["permission"], info["owner"], info["group"]) == ("640", "ada", "staff")
    f.set_replication(f"{FOLDER}/a/y", 1)
    assert f.ukey(f"{FOLDER}/a/y")["length"] == 28
    f.rm(f"{FOLDER}/a", recursive=True)
    assert not f.exists(f"{FOLDER}/a") and f.home_directory() == "/user/root"
    try:
        f.info(f"{FOLDER}/none")
        raise AssertionError("info of nothing")
    except FileNotFoundError:
        pass


def fsspec_data():
    f = fs()
    path = f"{FOLDER}/{ODD}"
    with f.open(path, "wb", block_size=1 << 20) as out:
        for at in range(0, len(BIG), 300_001):
            out.write(BIG[at : at + 300_001])
    with f.open(path, "rb", block_size=1 << 20) as inp:
        assert hashlib.sha256(inp.read()).digest() == hashlib.sha256(BIG).digest()
        inp.seek(4_000_001)
        assert inp.read(70_000) == BIG[4_000_001:4_070_001]
    assert f.cat_file(path, start=5, end=15) == BIG[5:15]
    assert f.info(path)["size"] == len(BIG)
    with f.open(f"{FOLDER}/text", "wt") as out:
        out.write("grüße\n" * 3)
    assert f.open(f"{FOLDER}/text", "rt").read() == "grüße\n" * 3


def hdfscli():
    client = InsecureClient(f"http://{ADDRESS}", user="root", root=FOLDER)
    client.makedirs("dir/sub", permission="750")
    assert client.status("dir/sub")["permission"] == "750"
    client.write("dir/file", BIG)
    with client.read("dir/file", chunk_size=1 << 16) as chunks:
        assert b"".join(chunks) == BIG
    with client.read("dir/file", offset=1 << 20, length=10) as reader:
        assert reader.read() == BIG[1 << 20 : (1 << 20) + 10]
    client.write("dir/file", b"tail", append=True)
    assert client.status("dir/file")["length"] == len(BIG) + 4
    client.write("dir/chunks", (bytes([i]) * 50_000 for i in range(100)), overwrite=True)
    assert client.content("dir")["fileCount"] == 2 and client.checksum("dir/chunks")["length"] == 28
    with tempfile.TemporaryDirectory() as local:
        client.download("dir", f"{local}/back", n_threads=2)
        with open(f"{local}/back/chunks", "rb") as file:
            assert file.read() == b"".join(bytes([i]) * 50_000 for i in range(100))
        client.upload("up", f"{local}/back", n_threads=2)
    assert {"file", "chunks"} <= {name for _, _, files in client.walk("up") for name in files}
    client.rename("dir/file", "renamed")
    client.set_times("renamed", modification_time=1_000_000_000_000)
    assert client.status("renamed")["modificationTime"] == 1_000_000_000_000
    client.set_acl("renamed", "user::rw-,user:ada:r--,group::r--,mask::r--,other::---")
    assert "user:ada:r--" in client.acl_status("renamed")["entries"]
    assert client.delete("dir", recursive=True) and client.status("dir", strict=False) is None
    try:
        client.write("renamed", b"x")
        raise AssertionError("a file was replaced unasked")
    except HdfsError as error:
        assert error.exception == "FileAlreadyExistsException", error.exception


for part in (fsspec_names, fsspec_data, hdfscli):
    part()
    print(part.__name__, flush=True)

"""Clients of WebHDFS that go away, and datanodes that die while they serve them."""
import hashlib
import json
import os
import socket
import threading
import urllib.error
import urllib.request

import pytest

from lib.cluster import Cluster
from lib.data import MIB
from lib.waiting import wait_for


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("webhdfs") / "cluster"
    with Cluster(folder, properties={"dfs.heartbeat.interval": 1, "dfs.blocksize": 4 * MIB}) as running:
        yield running


def url(address, path, op, **parameters):
    rest = "".join(f"&{name}={value}" for name, value in parameters.items())
    return f"http://{address}/webhdfs/v1{path}?op={op}&user.name=root{rest}"


def status(cluster, path):
    """The FileStatus, or None."""
    try:
        with urllib.request.urlopen(url(cluster.namenode_http, path, "GETFILESTATUS"), timeout=20) as answer:
            return json.load(answer)["FileStatus"]
    except urllib.error.HTTPError as error:
        assert error.code == 404
        return None


def upload_address(cluster, where, path):
    """(host:port, path and query) of an upload's second step."""
    if where == "gateway":
        return cluster.httpfs, url("", path, "CREATE", data="true").removeprefix("http://")
    request = urllib.request.Request(url(cluster.namenode_http, path, "CREATE", noredirect="true"), method="PUT")
    with urllib.request.urlopen(request, timeout=20) as answer:
        location = json.load(answer)["Location"].removeprefix("http://")
    return location.split("/")[0], "/" + location.split("/", 1)[1]


@pytest.mark.parametrize("where", ["datanode", "gateway"])
@pytest.mark.parametrize("framing", ["Content-Length: 100000000", "Transfer-Encoding: chunked"])
def test_an_upload_that_is_cut_short_leaves_nothing(cluster, where, framing):
    path = f"/cut-{where}-{framing[0]}"
    address, target = upload_address(cluster, where, path)
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as client:
        head = f"PUT {target} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/octet-stream\r\n{framing}\r\n\r\n"
        client.sendall(head.encode())
        for _ in range(9):  # two blocks and a bit
            client.sendall(b"100000\r\n" + bytes(MIB) + b"\r\n" if "chunked" in framing else bytes(MIB))
        wait_for(lambda: status(cluster, path), 30, "the file that is being written")
    wait_for(lambda: status(cluster, path) is None, 30, "the half file to go")
    assert b"Files currently being written" not in cluster.fsck("/").stdout
    request = urllib.request.Request(url(cluster.httpfs, path, "CREATE", data="true"), data=b"whole", method="PUT",
                                     headers={"Content-Type": "application/octet-stream"})
    urllib.request.urlopen(request, timeout=30).close()
    assert status(cluster, path)["length"] == 5


def put(cluster, path, data):
    request = urllib.request.Request(url(cluster.httpfs, path, "CREATE", data="true", overwrite="true"), data=data, method="PUT",
                                     headers={"Content-Type": "application/octet-stream"})
    urllib.request.urlopen(request, timeout=60).close()


def test_a_reader_that_stops_reading_holds_up_nobody(cluster):
    """More of them than there are threads; each has its buffer full and takes nothing."""
    put(cluster, "/slow", bytes(16 * MIB))
    host, port = cluster.httpfs.split(":")
    sleepers = []
    try:
        for _ in range(60):
            sleepers.append(socket.create_connection((host, int(port)), timeout=30))
            target = url("", "/slow", "OPEN").removeprefix("http://")
            sleepers[-1].sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        for sleeper in sleepers:
            assert sleeper.recv(12) == b"HTTP/1.1 200"
        with urllib.request.urlopen(url(cluster.httpfs, "/slow", "OPEN"), timeout=30) as answer:
            assert len(answer.read()) == 16 * MIB
        assert cluster.resident_mib("httpfs") < 150
    finally:
        for sleeper in sleepers:
            sleeper.close()


def test_a_datanode_that_dies_under_a_reader(cluster):
    """The gateway's reader goes on at another replica; the client sees every byte, once."""
    data = os.urandom(MIB) * 40
    put(cluster, "/big", data)
    wait_for(lambda: b"Under-replicated blocks:\t0" in cluster.fsck("/").stdout, 60, "three replicas of everything")
    read, got = threading.Event(), []

    def reader():
        digest = hashlib.sha256()
        with urllib.request.urlopen(url(cluster.httpfs, "/big", "OPEN"), timeout=120) as answer:
            digest.update(answer.read(3 * MIB))
            read.set()
            killed.wait()
            while chunk := answer.read(MIB):
                digest.update(chunk)
        got.append(digest.digest())

    killed = threading.Event()
    thread = threading.Thread(target=reader)
    thread.start()
    assert read.wait(60)
    dead = cluster.kill("datanode-1")
    killed.set()
    thread.join(120)
    again = cluster.start_again(dead["name"])
    try:
        assert got == [hashlib.sha256(data).digest()]
    finally:
        again.kill()
        again.stop()

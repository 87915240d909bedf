"""The gateway while a datanode hangs."""
import http.client
import json
import os
import select
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

from lib.cluster import Cluster, cairn_path, client_env
from lib.waiting import wait_for

UPLOADS = 100  # more than the gateway has threads
SUMS = 100


def ask(address, verb, path, body=None):
    connection = http.client.HTTPConnection(*address.split(":"), timeout=100)
    connection.request(verb, f"/webhdfs/v1{path}&user.name=root", body, {"Content-Type": "application/octet-stream"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_uploads_that_wait_for_a_datanode_keep_nobody_from_looking(tmp_path):
    with Cluster(tmp_path / "cluster", nodes=2, properties={"dfs.replication": 2}) as cluster, ThreadPoolExecutor(UPLOADS) as pool:
        hung = cluster.pid("datanode-2")
        os.kill(hung, signal.SIGSTOP)
        try:
            uploads = [pool.submit(ask, cluster.httpfs, "PUT", f"/up/{i}?op=CREATE&data=true", b"x" * 500000) for i in range(UPLOADS)]

            def begun():
                status, body = ask(cluster.namenode_http, "GET", "/up?op=LISTSTATUS")
                return status == 200 and len(json.loads(body)["FileStatuses"]["FileStatus"]) == UPLOADS

            wait_for(begun, 30, "all uploads to have begun")
            assert ask(cluster.httpfs, "GET", "/up?op=GETFILESTATUS")[0] == 200
            assert not any(upload.done() for upload in uploads), "they wait all the while"
        finally:
            os.kill(hung, signal.SIGCONT)
        assert {upload.result()[0] for upload in uploads} == {201}


def begin_to_ask(address, path):
    """A request that is under way; its answer is read from the socket later."""
    client = socket.create_connection(address.split(":"), timeout=100)
    client.sendall(f"GET /webhdfs/v1{path}&user.name=root HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
    return client


def whole_answer(client):
    with client, client.makefile("rb") as file:
        return file.read()


def test_checksums_that_wait_for_a_datanode_keep_nobody_from_the_rest(tmp_path):
    """Not from looking at names, and not from reading and writing at another datanode."""
    with Cluster(tmp_path / "cluster", nodes=2) as cluster:
        assert ask(cluster.httpfs, "PUT", "/one?op=CREATE&data=true&replication=1", b"x" * 500000)[0] == 201
        place = json.loads(ask(cluster.namenode_http, "GET", "/one?op=OPEN&noredirect=true")[1])["Location"].split("/")[2]
        host, http_port = place.split(":")
        hung = next(d["pid"] for d in cluster.daemons_named("datanode") if d["address"].startswith(f"{host}:"))
        other = next(d["address"].split(":")[0] for d in cluster.daemons_named("datanode") if not d["address"].startswith(f"{host}:"))
        datanode, asked_by_namenode = f"{other}:{http_port}", f"&namenoderpcaddress={cluster.namenode}"
        sums = []
        os.kill(hung, signal.SIGSTOP)
        try:
            for address, more in ((cluster.httpfs, ""), (datanode, asked_by_namenode)):
                sums += [begin_to_ask(address, f"/one?op=GETFILECHECKSUM{more}") for _ in range(SUMS)]
            assert ask(cluster.httpfs, "GET", "/one?op=GETFILESTATUS")[0] == 200
            assert ask(cluster.httpfs, "GET", "/one?op=OPEN&length=0") == (200, b"")
            assert ask(datanode, "GET", f"/one?op=OPEN&length=0{asked_by_namenode}") == (200, b"")
            assert not select.select(sums, [], [], 0)[0], "they wait all the while"
        finally:
            os.kill(hung, signal.SIGCONT)
        assert all(b"MD5-of-0MD5-of-512CRC32C" in whole_answer(client) for client in sums)


def has_stopped(pid):
    """Every thread of it: signals take a moment."""
    states = [open(f"/proc/{pid}/task/{thread}/stat").read().rsplit(")", 1)[1].split()[0] for thread in os.listdir(f"/proc/{pid}/task")]
    return set(states) == {"T"}


def test_opening_what_is_written_at_a_datanode_that_hangs_keeps_nobody_from_the_rest(tmp_path):
    """How long it is only that datanode knows."""
    with Cluster(tmp_path / "cluster", nodes=2) as cluster:
        assert ask(cluster.httpfs, "PUT", "/closed?op=CREATE&data=true", b"x")[0] == 201
        writer = subprocess.Popen([cairn_path(), "fs", "-fs", cluster.uri, "-D", "dfs.replication=1", "-put", "-d", "-", "/one"], stdin=subprocess.PIPE,
                                  env=client_env())
        writer.stdin.write(b"x" * 500000)
        writer.stdin.flush()

        def place():
            answer = ask(cluster.namenode_http, "GET", "/one?op=GETFILEBLOCKLOCATIONS")
            blocks = json.loads(answer[1])["BlockLocations"]["BlockLocation"] if answer[0] == 200 else []
            return blocks and blocks[0]["names"]
        host = wait_for(place, 20, "a block to be written")[0].split(":")[0]
        wait_for(lambda: ask(cluster.httpfs, "GET", "/one?op=OPEN&data=true&length=4")[1] == b"xxxx", 20, "bytes of it")
        hung = next(d["pid"] for d in cluster.daemons_named("datanode") if d["address"].startswith(f"{host}:"))
        other = next(d["address"].split(":")[0] for d in cluster.daemons_named("datanode") if not d["address"].startswith(f"{host}:"))
        http_port = json.loads(ask(cluster.namenode_http, "GET", "/closed?op=OPEN&noredirect=true")[1])["Location"].split("/")[2].split(":")[1]
        datanode, asked_by_namenode = f"{other}:{http_port}", f"&namenoderpcaddress={cluster.namenode}"
        opens = []
        os.kill(hung, signal.SIGSTOP)
        try:
            wait_for(lambda: has_stopped(hung), 10, "it to hang")
            for address, more in ((cluster.httpfs, ""), (datanode, asked_by_namenode)):
                opens += [begin_to_ask(address, f"/one?op=OPEN&length=4{more}") for _ in range(SUMS)]
            assert ask(cluster.httpfs, "GET", "/closed?op=GETFILESTATUS")[0] == 200
            assert ask(cluster.httpfs, "GET", "/closed?op=OPEN&length=0") == (200, b"")
            assert ask(datanode, "GET", f"/closed?op=OPEN&length=0{asked_by_namenode}") == (200, b"")
            early = select.select(opens, [], [], 0)[0]
            assert not early, [client.recv(1000) for client in early]
        finally:
            os.kill(hung, signal.SIGCONT)
        assert all(whole_answer(client).endswith(b"\r\n\r\nxxxx") for client in opens)
        writer.communicate()
        assert writer.returncode == 0

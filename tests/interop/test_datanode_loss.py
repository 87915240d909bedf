"""A datanode is killed while it serves: each shell on each kind of server must end with the right bytes, through the
recovery that client, namenode and the other datanodes agree on over the wire."""
import concurrent.futures
import hashlib
import os
import subprocess

import pytest

from interop.conftest import QUICK
from interop.servers import CairnClient, JavaClient, Server
from lib import data
from lib.apache import ApacheCluster
from lib.cluster import cairn_path, client_env
from lib.waiting import wait_for

SIZE = 200 * data.MIB
OPTIONS = ("-D", f"dfs.blocksize={64 * data.MIB}", "-D", "dfs.replication=3")


@pytest.fixture(scope="module", params=["apache", "cairn"])
def mortal_server(request, java_shell, tmp_path_factory):
    """Four datanodes, of which three are needed: a lost one can be replaced at once."""
    ours = ("namenode", "datanode") if request.param == "cairn" else ()
    site = QUICK | {"dfs.namenode.heartbeat.recheck-interval": 1000}
    cluster = ApacheCluster(tmp_path_factory.mktemp(request.param), datanodes=4, properties=site, ours=ours)
    yield Server(request.param, cluster.start(), java_shell)
    cluster.stop()


@pytest.fixture(params=["java", "cairn"])
def client(request, mortal_server):
    return {"java": JavaClient, "cairn": CairnClient}[request.param](mortal_server)


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("big") / "file")
    return path, data.write_file(path, SIZE, 5)


def stored_bytes(folder):
    """What lies in a folder of a datanode; files may go while we look."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(where, name)).st_size
            except FileNotFoundError:
                pass
    return total


def busiest(cluster, before):
    """The number of a datanode that has taken 10 MiB since, or None."""
    for index, old in enumerate(before):
        if stored_bytes(f"{cluster.folder}/data{index + 1}") > old + 10 * data.MIB:
            return index + 1
    return None


def cat_into_fifo(pool, client, path, fifo):
    """`-cat` of a file in the background, and the end of the pipe to read it from: it comes to stand when we do."""
    os.mkfifo(fifo)
    words = [*client.server.generic_options(), "-cat", path]
    if isinstance(client, JavaClient):
        reading = pool.submit(client.server.java_shell.run, "fs", *words, stdout_to=fifo)
        return reading, open(fifo, "rb")

    def cat():
        with open(fifo, "wb") as out:
            return subprocess.run([cairn_path(), "fs", *words], stdout=out, stderr=subprocess.PIPE, env=client_env(), timeout=120)

    reading = pool.submit(cat)
    return reading, open(fifo, "rb")


def revive(cluster, number):
    cluster.start_datanode(number - 1)
    wait_for(cluster.is_ready, 60, "four live datanodes again")


def test_killed_while_it_is_written_to(client, big):
    path, sha256 = big
    cluster = client.server.cluster
    client.fs("-rm", "-f", "-skipTrash", "/written")
    before = [stored_bytes(f"{cluster.folder}/data{number}") for number in (1, 2, 3, 4)]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        put = pool.submit(client.fs, *OPTIONS, "-put", path, "/written")
        victim = wait_for(lambda: busiest(cluster, before), 30, "a datanode that takes data", every_s=0.01)
        cluster.daemon(f"datanode{victim}").kill()
        was_in_time = not put.done()
        put.result()
    assert was_in_time, "the copy was over before the datanode was killed"
    assert data.sha256_bytes(client.fs("-cat", "/written")) == sha256
    revive(cluster, victim)


def test_killed_while_it_is_read(client, big, tmp_path):
    path, sha256 = big
    cluster = client.server.cluster
    client.fs("-rm", "-f", "-skipTrash", "/read")
    client.fs("-D", f"dfs.blocksize={256 * data.MIB}", "-D", "dfs.replication=3", "-put", path, "/read")

    # A pipeline that meets a node which has just come back may end with two replicas; Apache's namenode then takes up to
    # five minutes to make the third if its first try fails. Two are enough for what is tested here.
    def holders():
        report = client.fsck("/read", "-files", "-blocks", "-locations")
        found = [number for number in (1, 2, 3, 4) if f":{cluster.transfer_port(number - 1)}," in report]
        return len(found) >= (3 if client.server.name == "cairn" else 2) and found

    numbers = wait_for(holders, 30, "enough replicas of the block")[:-1]
    digest = hashlib.sha256()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        reading, stream = cat_into_fifo(pool, client, "/read", tmp_path / "fifo")
        with stream:
            digest.update(stream.read(10 * data.MIB))
            for number in numbers:  # whichever is read from, one replica stays
                cluster.daemon(f"datanode{number}").kill()
            assert not reading.done()  # it cannot be: nobody has taken the rest from it yet
            while piece := stream.read(data.MIB):
                digest.update(piece)
        assert reading.result().returncode == 0, reading.result().stderr
    assert digest.hexdigest() == sha256
    for number in numbers:
        cluster.start_datanode(number - 1)
    wait_for(cluster.is_ready, 60, "four live datanodes again")

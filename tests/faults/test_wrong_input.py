"""Wrong input gets a message that names the thing and the remedy, and the right exit code; nothing dies of it."""
import os
import re
import socket
import struct
import subprocess

import pytest

from lib.cluster import Cluster, cairn_path, client_env, run_cairn
from lib.data import MIB
from lib.process import is_alive
from lib.waiting import wait_for


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("wrong") / "cluster", nodes=3) as running:
        yield running


def fails(done, code, *words):
    text = (done.stdout + done.stderr).decode()
    assert done.returncode == code, text
    for word in words:
        assert word in text, f"'{word}' is not in: {text}"
    return text


def all_alive(cluster):
    return all(is_alive(daemon["pid"]) for daemon in cluster.daemons)


def ports(cluster):
    """Every TCP port a daemon of the cluster listens on, as (address, port)."""
    pids = {str(daemon["pid"]) for daemon in cluster.daemons}
    lines = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True).stdout.splitlines()
    found = []
    for line in lines:
        if pids & set(re.findall(r"pid=(\d+)", line)):
            host, port = line.split()[3].rsplit(":", 1)
            found.append(("127.0.0.1" if host in ("0.0.0.0", "*", "[::]") else host, int(port)))
    assert len(found) >= 3 + 3 * 4
    return found


def test_unknown_command_and_option(cluster):
    fails(run_cairn("nonsense"), 2, "'nonsense'", "cairn help")
    fails(cluster.fs("-nonsense"), 255, "-nonsense: Unknown command")
    fails(cluster.fs("-ls", "-Z", "/"), 255, "-ls: Illegal option -Z")
    fails(run_cairn("up", "--nonsense"), 1, "--nonsense", "Usage")
    fails(run_cairn("up", "--nodes", "0"), 1, "--nodes", "1 to")


def test_missing_file(cluster):
    fails(cluster.fs("-cat", "/no/such"), 1, "cat: `/no/such': No such file or directory")
    fails(cluster.fs("-put", "/no/such/local", "/"), 1, "/no/such/local", "No such file or directory")


def test_missing_input_and_existing_output_of_a_job(cluster):
    job = ["-D", f"cairn.scheduler.address={cluster.scheduler}", "-mapper", "cat"]
    text = fails(run_cairn("streaming", "-fs", cluster.uri, *job, "-input", "/no/such", "-output", "/o"), 5, "/no/such")
    assert "does not exist" in text
    cluster.fs("-mkdir", "-p", "/taken", check=True)
    cluster.fs("-put", "-", "/one", stdin=b"x\n")
    text = fails(run_cairn("streaming", "-fs", cluster.uri, *job, "-input", "/one", "-output", "/taken"), 4, "/taken")
    assert "already exists" in text


@pytest.mark.parametrize("mapper, words", [("no-such-program", ["no-such-program"]), ("sh -c 'echo broken >&2; exit 1'", ["broken", "1"])])
def test_mapper_that_is_missing_or_fails(cluster, mapper, words):
    cluster.fs("-put", "-f", "-", "/lines", stdin=b"a\nb\n", check=True)
    out = f"/out-{abs(hash(mapper))}"
    done = run_cairn("streaming", "-fs", cluster.uri, "-D", f"cairn.scheduler.address={cluster.scheduler}", "-input", "/lines",
                     "-output", out, "-mapper", mapper, deadline_s=120)
    fails(done, 1, *words)
    assert cluster.fs("-test", "-e", out + "/_SUCCESS").returncode == 1


def test_port_in_use(cluster, tmp_path):
    done = run_cairn("namenode", "-D", f"dfs.namenode.rpc-address={cluster.namenode}",
                     "-D", f"dfs.namenode.name.dir={tmp_path}", "-D", "dfs.namenode.http-address=127.0.0.1:0")
    fails(done, 1, cluster.namenode, "in use", "ss -ltnp")


def test_a_second_cluster_in_the_same_folder(cluster):
    fails(run_cairn("up", "--dir", cluster.folder, "--detach"), 1, "already runs", "cairn down")


def test_unreadable_configuration(cluster, tmp_path):
    broken = tmp_path / "core-site.xml"
    broken.write_text("<configuration><property>")
    fails(run_cairn("fs", "-conf", broken, "-ls", "/"), 255, str(broken), "line 1")
    fails(run_cairn("fs", "-conf", tmp_path / "missing.xml", "-ls", "/"), 255, "missing.xml", "No such file")
    fails(run_cairn("fs", "-D", "dfs.replication=many", "-ls", "/"), 255, "dfs.replication", "many")


def test_nobody_answers():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    fails(run_cairn("fs", "-fs", f"hdfs://127.0.0.1:{port}", "-ls", "/"), 1, f"127.0.0.1:{port}", "refused")


WRONG_BYTES = {
    "nothing": b"",
    "http": b"GET / HTTP/1.1\r\n\r\n",
    "zeros": bytes(4096),
    "ones": b"\xff" * 4096,
    "old rpc": b"hrpc\x04\x00\x00",
    "rpc with a 4 GiB frame": b"hrpc\x09\x00\x00" + b"\xff\xff\xff\xff" + b"x" * 100,
    "rpc with a frame of 2 GiB less one": b"hrpc\x09\x00\x00" + struct.pack(">I", 2**31 - 1) + b"x" * 100,
    "rpc with a frame that never ends": b"hrpc\x09\x00\x00" + struct.pack(">I", 100 * MIB) + b"x" * 100,
    "rpc with a broken header": b"hrpc\x09\x00\x00" + struct.pack(">I", 6) + b"\x05\xff\xff\xff\xff\xff",
    "transfer of version 99": struct.pack(">HB", 99, 81),
    "transfer with an endless operation": struct.pack(">HB", 28, 80) + b"\xff\xff\xff\xff\x7f",
    "transfer of an unknown operation": struct.pack(">HB", 28, 200) + b"\x00",
    "sasl": b"\xde\xad\xbe\xef" + b"\x05hello",
}


@pytest.mark.parametrize("name", WRONG_BYTES)
def test_wrong_bytes_on_every_port(cluster, name):
    before = {daemon["name"]: cluster.resident_mib(daemon["name"]) for daemon in cluster.daemons}
    for address in ports(cluster):
        with socket.create_connection(address, timeout=5) as peer:
            peer.settimeout(0.2)
            try:
                peer.sendall(WRONG_BYTES[name])
                peer.recv(4096)
            except OSError:
                pass  # closed or silent: both are answers
    assert all_alive(cluster)
    for daemon in cluster.daemons:
        assert cluster.resident_mib(daemon["name"]) < before[daemon["name"]] + 32, daemon["name"]
    assert cluster.fs("-ls", "/").returncode == 0


def test_full_disk_on_a_datanode(tmp_path):
    """Two of three nodes have small disks: the file goes to what is left, and an impossible one is refused by name."""
    folder = tmp_path / "cluster"
    small = [folder / f"datanode-{i}" for i in (1, 2)]
    try:
        for path in small:
            path.mkdir(parents=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(path)], check=True)
        with Cluster(folder, nodes=3, properties={"dfs.blocksize": 4 * MIB, "dfs.replication": 2}) as cluster:
            done = cluster.fs("-put", "-", "/big", stdin=os.urandom(MIB) * 120, deadline_s=120)
            assert done.returncode == 0, done.stderr.decode()
            assert len(cluster.fs("-cat", "/big").stdout) == 120 * MIB
            assert all_alive(cluster)
            cluster.kill("datanode-3")
            done = cluster.fs("-D", "dfs.replication=1", "-put", "-", "/more", stdin=os.urandom(MIB) * 100, deadline_s=120)
            assert done.returncode == 1
            assert "/more" in done.stderr.decode()
            assert cluster.fs("-ls", "/").returncode == 0
    finally:
        for path in small:
            subprocess.run(["umount", "-l", str(path)], check=False)

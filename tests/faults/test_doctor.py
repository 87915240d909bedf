"""`cairn doctor`: each fault is made for real, and has to be found, explained and answered with a remedy."""
import contextlib
import http.server
import json
import os
import signal
import socket
import ssl
import subprocess
import threading

import pytest

from lib import data, sanitizer
from lib.apache import write_site
from lib.cluster import Cluster, cairn_path, client_env, run_cairn
from lib.needs import missing
from lib.network import Network, Unavailable
from lib.nodes import Nodes
from lib.waiting import wait_for

QUICK = {"dfs.heartbeat.interval": 1, "dfs.namenode.heartbeat.recheck-interval": 500}


def doctor(uri, *args, env=None, prefix=(), **settings):
    """(exit code, {code: [finding, ...]})"""
    words = [word for name, value in settings.items() for word in ("-D", f"{name}={value}")]
    command = [*prefix, cairn_path(), "doctor", *words, "-json", *args, *([uri] if uri else [])]
    done = subprocess.run(list(map(str, command)), capture_output=True, timeout=120, env=client_env() | (env or {}))
    assert done.stdout, done.stderr
    found = {}
    for finding in json.loads(done.stdout)["findings"]:
        found.setdefault(finding["code"], []).append(finding)
    return done.returncode, found


def the(found, code, severity):
    """The one finding of that code, which must say what mends it."""
    assert code in found, found
    finding = found[code][0]
    assert finding["severity"] == severity and finding["remedy"], finding
    return finding["text"]


@pytest.fixture(scope="module")
def well(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("well") / "c", properties=QUICK) as cluster:
        user = os.environ.get("USER") or "root"
        cluster.fs("-mkdir", "-p", "/tmp", f"/user/{user}", "/user/root", check=True)
        cluster.fs("-chmod", "1777", "/tmp", check=True)
        yield cluster


@pytest.fixture
def sick(tmp_path):
    with Cluster(tmp_path / "c", properties=QUICK | {"dfs.namenode.safemode.threshold-pct": 1}) as cluster:
        yield cluster


# ---- the whole ----


def test_a_good_cluster_is_well(well):
    code, found = doctor(well.uri, "-write")
    bad = [finding for findings in found.values() for finding in findings if finding["severity"] in ("error", "warning")]
    assert code == 0 and not [finding for finding in bad if finding["code"] != "open-files"], bad
    assert "3 datanode(s) live" in found["datanodes"][0]["text"]
    assert "wrote and read 1024 KiB with replication 3" in found["write-test"][0]["text"]
    assert b".cairn-doctor" not in well.fs("-ls", "-R", "/", check=True).stdout
    text = run_cairn("doctor", well.uri)
    assert text.returncode == 0 and b"ok       the namenode at" in text.stdout


def test_localhost_is_the_local_cluster(well):
    code, found = doctor(well.uri.replace("127.0.0.1", "localhost"))
    assert code == 0 and "namenode-pages" not in found, found


def test_wrong_usage_is_told(well):
    assert run_cairn("doctor", "-nonsense").returncode == 255
    assert run_cairn("doctor", "hdfs://a:1", "hdfs://b:2").returncode == 255


# ---- the namenode ----


def test_nothing_listens(well):
    code, found = doctor(f"hdfs://127.0.0.1:{well.port_base + 48}")
    assert code == 1 and "nothing listens at" in the(found, "namenode-down", "error")


def test_an_unknown_host(well):
    assert "no-such-host.invalid" in the(doctor("hdfs://no-such-host.invalid:8020")[1], "namenode-name", "error")


def test_an_http_port(well):
    code, found = doctor(f"hdfs://{well.namenode_http}")
    assert code == 1 and "is an HTTP port" in the(found, "namenode-port-http", "error")


def test_a_port_that_speaks_tls(tmp_path, well):
    certificate = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key", "-out", "cert", "-subj", "/CN=x"]
    subprocess.run(certificate, cwd=tmp_path, capture_output=True, check=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    server.handle_error = lambda *_: None

    def get_request():
        plain, peer = server.socket.accept()
        return context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False), peer

    server.get_request = get_request
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        code, found = doctor(f"hdfs://127.0.0.1:{server.server_port}")
        assert code == 1 and "speaks TLS" in the(found, "namenode-port-tls", "error")
    finally:
        server.shutdown()
        server.server_close()


def test_a_port_that_speaks_something_else(well):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        code, found = doctor(f"hdfs://127.0.0.1:{silent.getsockname()[1]}", "-timeout", "1", **{"ipc.client.rpc-timeout.ms": 1000})
        assert code == 1 and "does not speak Hadoop RPC" in the(found, "namenode-port", "error")


def test_a_port_that_answers_without_end(well):
    def drip(connection):
        with connection, contextlib.suppress(OSError):
            while True:
                connection.sendall(b"x")
                threading.Event().wait(0.3)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=drip, args=(dripping.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as dripping:
        threading.Thread(target=serve, daemon=True).start()
        address = "127.0.0.1:%d" % dripping.getsockname()[1]
        code, found = doctor(f"hdfs://{address}", "-timeout", "1", **{"ipc.client.rpc-timeout.ms": 1000})
        assert code == 1 and "does not speak Hadoop RPC" in the(found, "namenode-port", "error")
        code, found = doctor(well.uri, "-timeout", "1", **{"dfs.namenode.http-address": address})
        assert code == 0 and "the answer has no end" in found["namenode-pages"][0]["text"]
        dripping.shutdown(socket.SHUT_RDWR)


def test_safe_mode_by_hand_and_for_want_of_blocks(sick, tmp_path):
    data.write_file(tmp_path / "file", 1000, 1)
    sick.fs("-put", tmp_path / "file", "/file", check=True)
    sick.dfsadmin("-safemode", "enter", check=True)
    code, found = doctor(sick.uri)
    assert code == 1 and "turned on manually" in the(found, "safe-mode", "error")
    sick.dfsadmin("-safemode", "leave", check=True)
    for name in "namenode", "datanode-1", "datanode-2", "datanode-3":
        sick.kill(name)
    with sick.start_again("namenode"):
        wait_for(lambda: sick.dfsadmin("-safemode", "get").returncode == 0, 30, "the namenode")
        code, found = doctor(sick.uri)
        text = the(found, "safe-mode", "error")
        assert code == 1 and "needs additional 1 blocks" in text
        the(found, "no-datanodes", "error")


# ---- datanodes ----


def test_a_dead_datanode_and_files_short_of_copies(sick, tmp_path):
    data.write_file(tmp_path / "file", 1000, 1)
    sick.fs("-put", tmp_path / "file", "/short", check=True)
    sick.kill("datanode-2")
    wait_for(lambda: b"Dead datanodes (1)" in sick.dfsadmin("-report").stdout, 40, "its death")
    code, found = doctor(sick.uri)
    assert code == 1 and "127.0.0.2" in the(found, "datanode-dead", "error")
    assert "/short" in the(found, "blocks-under-replicated", "warning")
    assert "2 datanode(s) are live" in the(found, "replication-too-high", "warning")


def test_a_stopped_datanode_is_stale(tmp_path):
    settings = {"dfs.namenode.stale.datanode.interval": 4000, "dfs.namenode.heartbeat.recheck-interval": 600000}
    with Cluster(tmp_path / "c", properties=QUICK | settings) as cluster:
        pid = cluster.pid("datanode-3")
        os.kill(pid, signal.SIGSTOP)
        try:
            found = wait_for(lambda: doctor(cluster.uri, "-timeout", "1", **settings)[1].get("datanode-stale"), 60, "staleness")
            assert "127.0.0.3" in found[0]["text"]
        finally:
            os.kill(pid, signal.SIGCONT)


def test_missing_blocks_are_named_with_their_files(tmp_path):
    with Cluster(tmp_path / "c", nodes=1, properties=QUICK) as cluster:
        data.write_file(tmp_path / "file", 1000, 1)
        cluster.fs("-put", tmp_path / "file", "/lost", check=True)
        cluster.kill("datanode-1")
        found = wait_for(lambda: doctor(cluster.uri)[1].get("blocks-missing"), 40, "the loss", every_s=0.5)
        assert "/lost" in found[0]["text"] and found[0]["severity"] == "error"


def test_a_failed_volume(tmp_path):
    with Nodes(tmp_path / "nodes", properties=QUICK) as nodes:
        folders = [tmp_path / "disk1", tmp_path / "disk2"]
        folders[1].mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "none", folders[1]]).returncode:
            missing("a tmpfs cannot be mounted here")
        nodes.start_namenode()
        nodes.start_datanode(1, properties={"dfs.datanode.data.dir": ",".join(map(str, folders)), "dfs.datanode.failed.volumes.tolerated": 1})
        nodes.wait_live(1)
        subprocess.run(["umount", "-l", folders[1]], check=True)  # pulled out
        data.write_file(tmp_path / "file", 1000, 1)

        def seen():
            nodes.fs("-D", "dfs.replication=1", "-put", "-f", tmp_path / "file", "/file")  # what meets the disk
            return doctor(nodes.uri, **{"dfs.namenode.http-address": nodes.namenode_http})[1].get("volume-failed")

        assert wait_for(seen, 40, "the failed volume", every_s=0.5)[0]["remedy"]


def test_a_full_disk(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", small]).returncode:
        missing("a small tmpfs cannot be mounted here")
    try:
        with Nodes(tmp_path / "nodes", properties=QUICK) as nodes:
            nodes.start_namenode()
            nodes.start_datanode(1, properties={"dfs.datanode.data.dir": f"{small}/data"})
            nodes.wait_live(1)
            code, found = doctor(nodes.uri, **{"dfs.replication": 1})
            assert code == 1 and "less than one block" in the(found, "datanode-full", "error")
            data.write_file(small / "other", 63 * data.MIB, 1)
            found = doctor(nodes.uri, **{"dfs.datanode.data.dir": small})[1]
            assert "MiB left" in the(found, "disk-full", "warning")
    finally:
        subprocess.run(["umount", "-l", small], check=True)


SHIFTED_CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
#include <sys/time.h>
#define SHIFT 600
int clock_gettime(clockid_t id, struct timespec *t)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int rc = real(id, t);
    if (rc == 0 && id == CLOCK_REALTIME) t->tv_sec += SHIFT;
    return rc;
}
time_t time(time_t *to)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (to) *to = t.tv_sec;
    return t.tv_sec;
}
"""


def test_a_clock_that_is_wrong(tmp_path, well):
    if sanitizer.kind():
        pytest.skip("the sanitizer's own library wants to be loaded first")
    (tmp_path / "shift.c").write_text(SHIFTED_CLOCK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "shift.so", tmp_path / "shift.c", "-ldl"], check=True)
    code, found = doctor(well.uri, env={"LD_PRELOAD": f"{tmp_path}/shift.so"})
    texts = [finding["text"] for finding in found["clock-skew"]]
    assert any("namenode's clock" in text and "behind" in text for text in texts), texts
    assert sum("datanode" in text for text in texts) == 3, texts


def test_names_and_addresses_that_cannot_be_reached(tmp_path):
    try:
        network = Network(["namenode", "datanode1"])
        with network, Nodes(tmp_path / "nodes", network.ip("namenode"), prefix=network.prefix) as nodes:
            network.publish({nodes.port + 40: ("namenode", nodes.port)})
            nodes.start_namenode()
            nodes.start_datanode(1, "0.0.0.0", 9866, {"dfs.datanode.hostname": "inner-name.invalid"})
            outside = f"hdfs://{network.gateway_outside}:{nodes.port + 40}"
            nodes.wait_live(1, lambda *args: run_cairn("dfsadmin", "-fs", outside, *args))
            code, found = doctor(outside, "-timeout", "1", **{"dfs.replication": 1})
            text = the(found, "datanode-unreachable", "error")
            assert code == 1 and network.ip("datanode1") in text
            the(found, "datanode-ipc-unreachable", "warning")
            code, found = doctor(outside, "-timeout", "1", **{"dfs.client.use.datanode.hostname": "true"})
            assert code == 1 and "its name is not known" in the(found, "datanode-name", "error")
            # From inside, all is reachable; only the name is odd.
            code, found = doctor(nodes.uri, prefix=network.prefix("namenode"), **{"dfs.replication": 1})
            assert code == 0 and "datanode-unreachable" not in found
            assert found["datanode-name"][0]["severity"] == "note"
    except Unavailable as error:
        missing(f"no network namespaces: {error}")


# ---- settings, this machine, permissions ----


def test_settings_that_contradict_each_other(well, tmp_path):
    code, found = doctor(None, **{"fs.defaultFS": "file:///"})
    assert code == 1 and "file:///" in the(found, "default-fs", "error")
    found = doctor(well.uri, **{"dfs.blocksize": 1000000})[1]
    assert "no multiple" in the(found, "block-size", "error")
    found = doctor(well.uri, **{"dfs.blocksize": 4096})[1]
    assert "min-block-size" in the(found, "block-size", "error")
    found = doctor(well.uri, **{"dfs.replication": 5})[1]
    assert "dfs.replication is 5" in the(found, "replication-too-high", "warning")
    found = doctor(well.uri, env={"HADOOP_CONF_DIR": str(tmp_path)})[1]
    assert "core-site.xml" in the(found, "conf-dir", "warning")
    write_site(tmp_path / "core-site.xml", {"fs.defaultFS": "hdfs://ours"})
    assert "conf-dir" not in doctor(well.uri, env={"HADOOP_CONF_DIR": f"{well.folder}/conf"})[1]
    write_site(tmp_path / "hdfs-site.xml", {"dfs.ha.namenodes.ours": "a,b"})
    found = doctor(None, env={"HADOOP_CONF_DIR": str(tmp_path)})[1]
    assert "dfs.nameservices" in the(found, "nameservice", "error")


def test_limits_and_sockets_of_this_machine(well, tmp_path):
    assert "128 files" in the(doctor(well.uri, prefix=["prlimit", "--nofile=128:128"])[1], "open-files", "warning")
    found = doctor(well.uri, prefix=["prlimit", "--memlock=65536:65536"], **{"dfs.datanode.max.locked.memory": "1g"})[1]
    assert "65536" in the(found, "locked-memory", "error")
    short = {"dfs.client.read.shortcircuit": "true"}
    assert "without dfs.domain.socket.path" in the(doctor(well.uri, **short)[1], "domain-socket", "warning")
    found = doctor(well.uri, **short, **{"dfs.domain.socket.path": tmp_path / "none"})[1]
    assert "local reads go through TCP" in the(found, "domain-socket", "warning")


def test_a_user_who_cannot_write(well):
    well.fs("-mkdir", "-p", "/user/ann", check=True)
    code, found = doctor(well.uri, env={"HADOOP_USER_NAME": "ann"})
    assert "ann cannot write in /user/ann" in the(found, "home-folder", "warning")
    found = doctor(well.uri, env={"HADOOP_USER_NAME": "bob"})[1]
    assert "/user/bob does not exist" in the(found, "home-folder", "warning")


# ---- Apache's servers ----


def test_apaches_servers_are_examined_too(apache, tmp_path):
    pages = {"dfs.namenode.http-address": apache.namenode_http}
    code, found = doctor(apache.uri, "-write", env={"HADOOP_USER_NAME": os.environ.get("USER") or "root"}, **pages)
    assert code == 0 and "wrote and read 1024 KiB" in found["write-test"][0]["text"], found
    assert "3 datanode(s) live" in found["datanodes"][0]["text"]
    code, found = doctor(f"hdfs://{apache.namenode_http}")
    assert code == 1 and "is an HTTP port" in the(found, "namenode-port-http", "error")
    run_cairn("dfsadmin", "-fs", apache.uri, "-safemode", "enter", check=True)
    try:
        code, found = doctor(apache.uri, **pages)
        assert code == 1 and "turned on manually" in the(found, "safe-mode", "error")
    finally:
        run_cairn("dfsadmin", "-fs", apache.uri, "-safemode", "leave", check=True)

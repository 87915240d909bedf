"""The programs with which people use WebHDFS, on a namenode with its datanodes and on a gateway."""
import os
import re
import subprocess

import pytest

from lib import data, venv
from lib.cluster import ROOT
from lib.gateway import gateway
from lib.needs import missing

FSSPEC, REQUESTS, HDFSCLI = "2026.9.0", "2.34.2", "2.7.3"
PARTS = ["fsspec_names", "fsspec_data", "hdfscli"]


@pytest.fixture(scope="module", params=["apache", "cairn", "gateway", "gateway-on-apache"])
def address(request, tmp_path_factory):
    """host:port that speaks WebHDFS. The gateway is `cairn httpfs`, before our cluster (part of it) or Apache's."""
    if request.param == "gateway":
        yield request.getfixturevalue("cairn_server").cluster.httpfs
    elif request.param == "gateway-on-apache":
        with gateway(request.getfixturevalue("apache_server").fs, tmp_path_factory.mktemp("gateway")) as there:
            yield there
    else:
        yield request.getfixturevalue(f"{request.param}_server").namenode_http


@pytest.fixture(scope="module")
def python():
    try:
        return venv.python_with("fsspec", FSSPEC, f"requests=={REQUESTS}", f"hdfs=={HDFSCLI}")
    except venv.Unavailable as reason:
        missing(str(reason))


def test_python_clients(address, python, request):
    battery = os.path.join(ROOT, "tests/interop/webhdfs_battery.py")
    folder = f"/python-{request.node.callspec.params['address']}"
    done = subprocess.run([python, battery, address, folder], capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == PARTS, done.stdout + done.stderr[-3000:]


def curl(*args):
    done = subprocess.run(["curl", "-s", "-S", *args], capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_curl_as_the_specification_has_it(address, need_tool, tmp_path, request):
    need_tool("curl", "curl")
    base = f"http://{address}/webhdfs/v1/curl-{request.node.callspec.params['address']}"
    data.write_file(str(tmp_path / "f"), 3_000_003, 1)
    octets = ("-H", "Content-Type: application/octet-stream")
    status = ("-o", os.devnull, "-w", "%{http_code}")
    url = f"{base}/f?user.name=root&op=CREATE&overwrite=true"
    assert curl("-L", "-X", "PUT", *octets, "-T", str(tmp_path / "f"), *status, url) == b"201"  # Expect: 100-continue
    whole = (tmp_path / "f").read_bytes()
    assert curl("-L", f"{base}/f?user.name=root&op=OPEN") == whole
    assert curl("-L", f"{base}/f?user.name=root&op=OPEN&offset=1000000&length=70000") == whole[1_000_000:1_070_000]
    append = f"{base}/f?user.name=root&op=APPEND"
    assert curl("-L", "-X", "POST", *octets, "-T", str(tmp_path / "f"), "-H", "Transfer-Encoding: chunked", *status, append) == b"200"
    assert curl("-L", f"{base}/f?user.name=root&op=OPEN") == whole + whole
    assert b'"length":28' in curl("-L", f"{base}/f?user.name=root&op=GETFILECHECKSUM")
    assert b'"Location":"http' in curl("-X", "PUT", f"{base}/g?user.name=root&op=CREATE&noredirect=true")
    assert curl("-I", "-L", f"{base}/f?user.name=root&op=GETFILESTATUS").startswith(b"HTTP/1.1 200")


COMMANDS = [
    ("-mkdir", "-p", "{w}/d/sub"),
    ("-put", "{local}", "{w}/d/file"),
    ("-ls", "{w}/d"),
    ("-cat", "{w}/d/file"),
    ("-tail", "{w}/d/file"),
    ("-appendToFile", "{local}", "{w}/d/file"),
    ("-du", "-s", "{w}/d"),
    ("-count", "{w}/d"),
    ("-stat", "%b %o %r %F %a %u %g", "{w}/d/file"),
    ("-chmod", "640", "{w}/d/file"),
    ("-chown", "ada:staff", "{w}/d/file"),
    ("-setrep", "1", "{w}/d/file"),
    ("-touch", "-m", "-t", "20200101:000000", "{w}/d/file"),
    ("-stat", "%y %a %u %g", "{w}/d/file"),
    ("-setfacl", "-m", "user:ada:rwx", "{w}/d/file"),
    ("-getfacl", "{w}/d/file"),
    ("-setfattr", "-n", "user.a", "-v", "value", "{w}/d/file"),
    ("-getfattr", "-d", "{w}/d/file"),
    ("-checksum", "{w}/d/file"),
    ("-mv", "{w}/d/file", "{w}/d/moved"),
    ("-cp", "{w}/d/moved", "{w}/d/copy"),
    ("-test", "-e", "{w}/d/copy"),
    ("-test", "-e", "{w}/d/none"),
    ("-cat", "{w}/d/none"),
    ("-ls", "{w}/none"),
    ("-rmdir", "{w}/d"),
    ("-put", "{local}", "{w}/d/copy"),
    ("-truncate", "-w", "5", "{w}/d/copy"),
    ("-cat", "{w}/d/copy"),
    ("-find", "{w}", "-name", "mo*"),
    ("-rm", "-r", "-skipTrash", "{w}/d"),
    ("-ls", "{w}/d"),
]


def test_java_shell_over_webhdfs(apache_server, cairn_server, java_shell, tmp_path):
    """Hadoop's own shell on webhdfs:// says the same of both."""
    data.write_file(str(tmp_path / "local"), 200_000, 2)
    said = {}
    for server in (apache_server, cairn_server):
        where = f"webhdfs://{server.namenode_http}/java-shell"
        java_shell.run("fs", "-rm", "-r", "-f", "-skipTrash", where)
        for number, command in enumerate(COMMANDS):
            words = [word.format(w=where, local=tmp_path / "local") for word in command]
            done = java_shell.run("fs", *words, user="root")
            text = (done.stdout + done.stderr).replace(server.namenode_http.encode(), b"HOST")
            said[number, server.name] = (done.returncode, re.sub(rb"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?", b"TIME", text))
    for number, command in enumerate(COMMANDS):
        assert said[number, "cairn"] == said[number, "apache"], command

"""The HTTP ports of all daemons: /jmx as exporters ask for it, and the servlets that Hadoop's daemons have."""
import contextlib
import http.client
import json
import socket
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.cluster import Cluster
from lib.data import MIB
from lib.gateway import gateway


# Of others, in the files that daemons share with them: what Hadoop's /conf does not tell either.
HUSHED = ["fs.azure.account.key.some.example.net", "fs.s3a.secret.key", "fs.s3a.encryption.key", "ssl.keystore.pass", "my.credential",
          "dfs.adls.oauth2.refresh.token", "javax.jdo.option.ConnectionPassword"]  # fmt: skip


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    properties = {"dfs.heartbeat.interval": 1} | {name: "HUSH" for name in HUSHED}
    with Cluster(tmp_path_factory.mktemp("pages") / "cluster", nodes=2, properties=properties) as running:
        running.fs("-put", "-", "/file", stdin=b"x" * 5000, check=True)
        yield running


@pytest.fixture
def datanode(cluster):
    """host:port of a datanode's pages, as the namenode tells it."""
    nodes = json.loads(bean(cluster, cluster.namenode_http, "Hadoop:service=NameNode,name=NameNodeInfo")["LiveNodes"])
    return next(iter(nodes.values()))["infoAddr"]


def beans(cluster, address, query):
    return json.loads(cluster.http_get(f"/jmx{query}", address))["beans"]


def bean(cluster, address, name):
    (one,) = beans(cluster, address, f"?qry={name}")
    return one


# What Prometheus exporters for Hadoop, Ambari and Datadog's checks read.
NAMENODE = {
    "Hadoop:service=NameNode,name=FSNamesystem": [
        "CapacityTotal", "CapacityUsed", "CapacityRemaining", "CapacityUsedNonDFS", "BlocksTotal", "FilesTotal", "MissingBlocks",
        "MissingReplOneBlocks", "CorruptBlocks", "ExcessBlocks", "UnderReplicatedBlocks", "PendingDeletionBlocks", "TotalLoad",
        "StaleDataNodes", "LastWrittenTransactionId", "TransactionsSinceLastCheckpoint", "tag.HAState", "BlockCapacity",
        "PendingReplicationBlocks", "ScheduledReplicationBlocks", "PostponedMisreplicatedBlocks", "LockQueueLength",
    ],
    "Hadoop:service=NameNode,name=FSNamesystemState": [
        "NumLiveDataNodes", "NumDeadDataNodes", "NumDecomLiveDataNodes", "NumDecomDeadDataNodes", "NumDecommissioningDataNodes",
        "NumStaleDataNodes", "VolumeFailuresTotal", "EstimatedCapacityLostTotal", "FSState", "NumInServiceLiveDataNodes",
    ],
    "Hadoop:service=NameNode,name=NameNodeInfo": [
        "LiveNodes", "DeadNodes", "DecomNodes", "NameDirStatuses", "NodeUsage", "ClusterId", "Version", "Safemode", "Threads",
        "PercentUsed", "NumberOfMissingBlocks", "JournalTransactionInfo", "NameJournalStatus", "CorruptFiles",
    ],
    "Hadoop:service=NameNode,name=NameNodeStatus": ["State", "NNRole", "HostAndPort", "LastHATransitionTime"],
    "Hadoop:service=NameNode,name=JvmMetrics": ["MemHeapUsedM", "MemHeapMaxM", "GcCount", "GcTimeMillis", "ThreadsRunnable"],
    "Hadoop:service=NameNode,name=StartupProgress": ["PercentComplete", "SafeModePercentComplete"],
    "java.lang:type=Memory": ["HeapMemoryUsage", "NonHeapMemoryUsage"],
    "java.lang:type=Runtime": ["StartTime", "Uptime", "Name"],
    "java.lang:type=OperatingSystem": ["OpenFileDescriptorCount", "MaxFileDescriptorCount", "ProcessCpuTime", "SystemLoadAverage"],
}
DATANODE = {
    "Hadoop:service=DataNode,name=FSDatasetState": ["Capacity", "DfsUsed", "Remaining", "NumFailedVolumes", "CacheUsed"],
    "Hadoop:service=DataNode,name=DataNodeInfo": ["VolumeInfo", "NamenodeAddresses", "DatanodeHostname", "XceiverCount"],
    "Hadoop:service=DataNode,name=JvmMetrics": ["MemHeapUsedM"],
    "java.lang:type=Memory": ["HeapMemoryUsage"],
}  # fmt: skip


@pytest.mark.parametrize("name", NAMENODE)
def test_names_that_dashboards_read_of_a_namenode(cluster, name):
    assert [key for key in NAMENODE[name] if key not in bean(cluster, cluster.namenode_http, name)] == []


@pytest.mark.parametrize("name", DATANODE)
def test_names_that_dashboards_read_of_a_datanode(cluster, datanode, name):
    assert [key for key in DATANODE[name] if key not in bean(cluster, datanode, name)] == []


def test_jmx_is_asked_as_hadoops(cluster, datanode):
    nn = cluster.namenode_http
    port = cluster.namenode.split(":")[1]
    (rpc,) = beans(cluster, nn, f"?qry=Hadoop:service=NameNode,name=RpcActivityForPort{port}")
    assert rpc["NumOpenConnections"] >= 1 and rpc["RpcProcessingTimeNumOps"] > 0 and rpc["tag.port"] == port
    assert {one["name"].split(",")[0] for one in beans(cluster, nn, "?qry=Hadoop:*")} == {"Hadoop:service=NameNode"}
    assert len(beans(cluster, nn, "?qry=java.lang:type=*")) == 4
    (written,) = beans(cluster, datanode, "?qry=Hadoop:service=DataNode,name=DataNodeActivity-*")
    assert written["BytesWritten"] >= 5000 and written["name"].startswith("Hadoop:service=DataNode,name=DataNodeActivity-127.0.0.")
    (one,) = beans(cluster, nn, "?get=Hadoop:service=NameNode,name=FSNamesystem::BlocksTotal")
    assert one == {"name": "Hadoop:service=NameNode,name=FSNamesystem", "modelerType": "FSNamesystem", "BlocksTotal": 1}
    for query, status in (("?get=Hadoop:service=NameNode,name=FSNamesystem::Nope", 404), ("?get=nonsense", 400)):
        with pytest.raises(urllib.error.HTTPError) as error:
            cluster.http_get(f"/jmx{query}", nn)
        assert error.value.code == status and json.load(error.value)["result"] == "ERROR"


def test_servlets(cluster, datanode):
    for address in (cluster.namenode_http, datanode, cluster.httpfs):
        (one,) = json.loads(cluster.http_get("/conf?name=dfs.heartbeat.interval&format=json", address))["properties"]
        assert one["value"] == "1"
        assert b"<name>fs.defaultFS</name>" in cluster.http_get("/conf", address)
        assert b"Effective Level: <b>DEBUG" in cluster.http_get("/logLevel?log=any&level=debug", address)
        assert b"Bad Level : <b>&lt;x&gt;" in cluster.http_get("/logLevel?log=any&level=%3Cx%3E", address)
        assert b"Effective Level: <b>INFO" in cluster.http_get("/logLevel?log=any&level=INFO", address)
        assert b"http-pool" in cluster.http_get("/stacks", address)
        assert b"HUSH" not in cluster.http_get("/conf", address) + cluster.http_get("/conf?format=json", address)
    nn = cluster.namenode_http
    assert b"Rack: /default-rack\n   127.0.0.1:" in cluster.http_get("/topology", nn)
    assert len(json.loads(cluster.http_get("/topology?format=json", nn))[0]["/default-rack"]) == 2
    assert cluster.http_get("/isActive", nn) == b"NameNode is Active!"
    assert json.loads(cluster.http_get("/startupProgress", nn))["percentComplete"] == 1
    for page in ("/dfshealth.html", "/dfshealth.jsp", "/index.html"):
        assert b"Live datanodes" in cluster.http_get(page, nn)
    assert b"LISTSTATUS" in cluster.http_get("/explorer.html", nn)
    with pytest.raises(urllib.error.HTTPError) as error:
        cluster.http_get("/imagetransfer?getimage=1&txid=latest", nn)
    assert error.value.code == 403 and b"no image" in error.value.read()


def test_many_requests_at_once_with_bodies_in_chunks(cluster):
    """What connects, rests and goes on in the HTTP server, all at once; every byte is compared."""
    host, port = cluster.httpfs.split(":")
    noise = bytes(range(256)) * (MIB // 256)

    def one(number):
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        for turn, size in enumerate([0, 1, 131071, 131072, 131073, 262144, 900000]):
            chunked = (number + turn) % 2 == 1
            pieces = (noise[at : min(at + 40000, size)] for at in range(0, size, 40000))
            headers = {"Content-Type": "application/octet-stream"} | ({"Transfer-Encoding": "chunked"} if chunked else {})
            url = f"/webhdfs/v1/many/{number}?user.name=root&op="
            connection.request("PUT", url + "CREATE&overwrite=true&data=true", pieces if chunked else noise[:size], headers,
                               encode_chunked=chunked)
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (201, b"")
            connection.request("GET", url + "OPEN")
            answer = connection.getresponse()
            assert answer.status == 200 and answer.read() == noise[:size]
        return True

    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(one, range(12)))


def test_paths_as_long_as_there_are(cluster):
    path = urllib.parse.quote("/" + "/".join(["漢" * 80] * 33))
    assert len(urllib.parse.unquote_to_bytes(path)) > 7900
    for address in (cluster.namenode_http, cluster.httpfs):
        url = f"/webhdfs/v1{path}?user.name=root&op="
        status, headers, _ = ask(address, "PUT", url + "CREATE", {})
        where = urllib.parse.urlsplit(headers["Location"])
        assert status == 307 and where.path == f"/webhdfs/v1{path}"
        upload = {"Content-Type": "application/octet-stream"}
        assert ask(where.netloc, "PUT", f"{where.path}?{where.query}", upload)[0] == 201
        assert ask(address, "GET", url + "OPEN", {})[0] in (200, 307)
        assert json.loads(ask(address, "DELETE", url + "DELETE", {})[2]) == {"boolean": True}


def answer_to(address, request):
    """All that comes back for these bytes, until the server hangs up."""
    with socket.create_connection(address.split(":"), 30) as connection:
        connection.sendall(request)
        got = b""
        with contextlib.suppress(ConnectionResetError):  # what was not read of the request
            while piece := connection.recv(65536):
                got += piece
        return got


def test_requests_as_to_a_proxy(cluster):
    for address in (cluster.namenode_http, cluster.httpfs):
        head = f"GET http://{address}/webhdfs/v1/file?op=GETFILESTATUS HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        got = answer_to(address, head.encode())
        assert got.startswith(b"HTTP/1.1 200 ") and b'"length":5000' in got


def test_a_body_whose_end_is_not_clear_is_refused(cluster):
    head = b"PUT /webhdfs/v1/odd?op=CREATE&data=true&user.name=root HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
    for framing in b"Content-Length: 5\r\nContent-Length: 7\r\n", b"Transfer-Encoding: gzip, chunked\r\n":
        got = answer_to(cluster.httpfs, head + framing + b"\r\n7\r\nabcdefg\r\n0\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 400 ") and got.count(b"HTTP/1.1") == 1, framing
        assert cluster.fs("-test", "-e", "/odd").returncode == 1


def test_idle_connections_cost_little(cluster):
    host, port = cluster.namenode_http.split(":")
    before = cluster.resident_mib("namenode")
    idle = [http.client.HTTPConnection(host, int(port), timeout=30) for _ in range(500)]
    try:
        for connection in idle:
            connection.request("GET", "/isActive")
            assert connection.getresponse().read() == b"NameNode is Active!"
        assert cluster.resident_mib("namenode") - before < 60
    finally:
        for connection in idle:
            connection.close()


# ---- large listings ----

WIDE = [f"{i:04}" + "\x01" * 200 for i in range(3000)]  # 4.5 MB of JSON


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("wide") / "cluster", nodes=1, properties={"dfs.ls.limit": 100}) as running:
        running.fs("-mkdir", "/wide", *[f"/wide/{name}" for name in WIDE], check=True)
        yield running


def test_a_large_listing_is_whole(wide):
    for address in (wide.namenode_http, wide.httpfs):
        for version in (10, 11):
            connection = http.client.HTTPConnection(*address.split(":"), timeout=60)
            connection._http_vsn, connection._http_vsn_str = version, f"HTTP/1.{version - 10}"
            connection.request("GET", "/webhdfs/v1/wide?op=LISTSTATUS")
            answer = connection.getresponse()
            assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
            listed = json.load(answer)["FileStatuses"]["FileStatus"]
            assert [one["pathSuffix"] for one in listed] == WIDE
        connection.request("GET", "/webhdfs/v1/?op=LISTSTATUS")  # the connection goes on
        assert json.load(connection.getresponse())["FileStatuses"]["FileStatus"][0]["pathSuffix"] == "wide"


def test_many_slow_readers_of_a_large_listing_cost_little(wide):
    host, port = wide.namenode_http.split(":")
    before = wide.resident_mib("namenode")
    readers = []
    for _ in range(60):
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect((host, int(port)))
        reader.sendall(b"GET /webhdfs/v1/wide?op=LISTSTATUS HTTP/1.1\r\nHost: x\r\n\r\n")
        readers.append(reader)
    try:
        for reader in readers:
            assert reader.recv(8) == b"HTTP/1.1", "the answer has begun"
        assert wide.resident_mib("namenode") - before < 60
    finally:
        for reader in readers:
            reader.close()


# ---- browsers ----

BROWSER = {"User-Agent": "Mozilla/5.0", "Origin": "http://ui.example.org"}


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    properties = {"hadoop.http.cross-origin.enabled": "true", "hadoop.http.cross-origin.allowed-origins": "http://*.example.org",
                  "dfs.webhdfs.rest-csrf.enabled": "true", "dfs.webhdfs.acl.provider.permission.pattern": "^.*$"}
    with Cluster(tmp_path_factory.mktemp("strict") / "cluster", nodes=1, properties=properties) as running:
        yield running


def ask(address, verb, path, headers):
    connection = http.client.HTTPConnection(*address.split(":"), timeout=30)
    connection.request(verb, path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


def test_pages_of_elsewhere_read_what_they_may(strict, cluster):
    path = "/webhdfs/v1/?op=LISTSTATUS"
    for address in (strict.namenode_http, strict.httpfs):
        status, headers, _ = ask(address, "GET", path, BROWSER)
        assert status == 200 and headers["Access-Control-Allow-Origin"] == BROWSER["Origin"]
        assert headers["Access-Control-Allow-Methods"] == "GET,POST,HEAD"
        _, headers, _ = ask(address, "GET", path, {"Origin": "http://example.com"})
        assert headers["Access-Control-Allow-Origin"] is None
        asks_first = BROWSER | {"Access-Control-Request-Method": "DELETE"}
        assert ask(address, "OPTIONS", path, asks_first)[1]["Access-Control-Allow-Origin"] is None
        status, headers, body = ask(address, "OPTIONS", path, BROWSER | {"Access-Control-Request-Method": "POST"})
        assert (status, headers["Access-Control-Allow-Origin"], body) == (200, BROWSER["Origin"], b"")
    assert ask(cluster.namenode_http, "GET", path, BROWSER)[1]["Access-Control-Allow-Origin"] is None


def test_an_answer_names_one_origin(strict):
    """/jmx lets every page read; with two such headers browsers let none."""
    for address in (strict.namenode_http, strict.httpfs):
        for origin, named in ((BROWSER["Origin"], BROWSER["Origin"]), ("http://example.com", "*")):
            headers = ask(address, "GET", "/jmx", {"Origin": origin})[1]
            assert headers.get_all("Access-Control-Allow-Origin") == [named]
            assert len(headers.get_all("Access-Control-Allow-Methods")) == 1


def test_a_browser_changes_nothing_without_the_header(strict):
    for address in (strict.namenode_http, strict.httpfs):
        path = "/webhdfs/v1/made?op=MKDIRS&user.name=root"
        status, _, body = ask(address, "PUT", path, BROWSER)
        assert status == 400 and b"Missing Required Header for CSRF" in body
        assert ask(address, "PUT", path, BROWSER | {"X-XSRF-HEADER": ""})[0] == 200
        assert ask(address, "PUT", path, {"User-Agent": "curl/8"})[0] == 200
        assert ask(address, "GET", "/webhdfs/v1/made?op=GETFILESTATUS", BROWSER)[0] == 200


def test_an_acl_is_what_it_says_whatever_its_pattern_allows(strict):
    strict.fs("-touchz", "/guarded", check=True)
    path = "/webhdfs/v1/guarded?user.name=root&op="
    for entry in "robots:ada:rwx", "user:ada:rw", "user:ada:r", "user:ada:rwxr", "user:ada:rwx:x":
        status, _, body = ask(strict.namenode_http, "PUT", f"{path}MODIFYACLENTRIES&aclspec={entry}", {})
        assert (status, json.loads(body)["RemoteException"]["exception"]) == (400, "HadoopIllegalArgumentException"), entry
    assert json.loads(ask(strict.namenode_http, "GET", f"{path}GETACLSTATUS", {})[2])["AclStatus"]["entries"] == []


def test_a_datanode_lets_the_namenodes_pages_read(cluster, datanode):
    where = f"/webhdfs/v1/file?op=OPEN&user.name=root&namenoderpcaddress={cluster.namenode}"
    status, headers, body = ask(datanode, "GET", where, BROWSER)
    assert (status, headers["Access-Control-Allow-Origin"], len(body)) == (200, "*", 5000)
    assert ask(datanode, "OPTIONS", "/webhdfs/v1/file?op=CREATE", BROWSER)[1]["Access-Control-Allow-Methods"] == "PUT"
    status, headers, body = ask(cluster.namenode_http, "HEAD", "/webhdfs/v1/file?op=GETFILESTATUS", {})
    assert (status, body) == (200, b"") and int(headers["Content-Length"]) > 100
    status, _, body = ask(datanode, "GET", "/webhdfs/v1/?op=LISTSTATUS", {})
    assert status == 400 and b"Invalid operation LISTSTATUS" in body


def test_a_gateway_before_a_nameservice(cluster, tmp_path):
    """Of two namenodes one is away; the gateway finds the other."""
    service = {"dfs.nameservices": "ns", "dfs.ha.namenodes.ns": "away,here", "dfs.namenode.rpc-address.ns.away": "127.0.0.1:1",
               "dfs.namenode.rpc-address.ns.here": cluster.namenode}
    with gateway("hdfs://ns", tmp_path, **service) as address:
        assert ask(address, "GET", "/webhdfs/v1/file?op=OPEN&user.name=root", {})[2] == b"x" * 5000
        assert json.loads(ask(address, "GET", "/webhdfs/v1/file?op=GETFILESTATUS", {})[2])["FileStatus"]["length"] == 5000


def test_acting_for_another_user(cluster, tmp_path):
    rules = {"httpfs.proxyuser.gate.hosts": "127.0.0.0/8", "httpfs.proxyuser.gate.users": "ada,bob"}
    path = "/webhdfs/v1/?op=GETHOMEDIRECTORY&user.name={}&doas={}"
    with gateway(cluster.uri, tmp_path, **rules) as address:
        assert ask(address, "GET", path.format("gate", "ada"), {})[2] == b'{"Path":"/user/ada"}'
        for real, other in (("gate", "eve"), ("eve", "ada")):
            status, _, body = ask(address, "GET", path.format(real, other), {})
            assert status == 403 and f"User: {real} is not allowed to impersonate {other}".encode() in body

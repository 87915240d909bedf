"""Which methods of the servers each test called: for docs/compatibility.md (see tools/compatibility).

After a test every cluster that is up is asked for its counters; what has grown since the test before is this one's. A line
per test goes to build/calls/<first port of the run>.jsonl. Whose client it was is told by the test's file: those of FOREIGN
drive another project's client, all others Cairn's own."""
import contextlib
import json
import os
import urllib.request

from lib.cluster import ROOT, Cluster

# A file of tests, or a folder of them -> the client that it drives.
FOREIGN = {
    "interop/test_cache.py": "Java",
    "interop/test_contract.py": "Java",
    "interop/test_datanode_loss.py": "Java",
    "interop/test_hdfs_go.py": "Go",
    "interop/test_mixed.py": "Java",
    "interop/test_protocol_battery.py": "Java",
    "interop/test_proxy_users.py": "Java",
    "interop/test_rclone.py": "Go (rclone)",
    "interop/test_shells.py": "Java",
    "long/": "Java",
}
# What servers say to each other; in the tests these are Cairn's, but in the one that mixes them with Apache's.
BETWEEN_SERVERS = (".DatanodeProtocol", ".DatanodeLifelineProtocol", ".InterDatanodeProtocol")
DETAILED = "RpcDetailedActivityForPort"
_seen = {}  # address of pages -> {(protocol, method): calls}


def client_of(test, protocol):
    """The client's name; "" for Cairn's own."""
    if protocol.endswith(BETWEEN_SERVERS) and "test_mixed" not in test:
        return ""
    if "[cairn-on-" in test or protocol.startswith("org.cairn."):
        return ""
    return next((client for part, client in FOREIGN.items() if f"tests/{part}" in f"tests/{test}"), "")


def _beans(address):
    with urllib.request.urlopen(f"http://{address}/jmx", timeout=5) as reply:
        return json.load(reply)["beans"]


def _counters(beans):
    found = {}
    for bean in beans:
        if DETAILED in bean["name"]:
            for protocol, methods in bean["CallsByProtocol"].items():
                found |= {(protocol, method): count for method, count in methods.items()}
    return found


def calls_of(address):
    """{method: calls so far} of a server, by the address of its pages."""
    return {method: count for (_protocol, method), count in _counters(_beans(address)).items()}


def _servers(cluster):
    """(address, beans) of the namenode and the datanodes it has."""
    beans = _beans(cluster.namenode_http)
    yield cluster.namenode_http, beans
    for bean in beans:
        for node in json.loads(bean.get("LiveNodes", "{}")).values():
            with contextlib.suppress(OSError, ValueError):
                yield node["infoAddr"], _beans(node["infoAddr"])


def _grown():
    """{protocol: [methods]} that any cluster was asked for since the last time."""
    called = {}
    for cluster in list(Cluster.running):
        with contextlib.suppress(OSError, ValueError, KeyError):  # a test may have ended its daemons
            for address, beans in _servers(cluster):
                now, before = _counters(beans), _seen.get(address, {})
                _seen[address] = now
                for (protocol, method), count in now.items():
                    if count != before.get((protocol, method), 0):
                        called.setdefault(protocol, set()).add(method)
    return {protocol: sorted(methods) for protocol, methods in sorted(called.items())}


def record(test):
    called = _grown() if Cluster.running else {}
    if not called:
        return
    folder = os.path.join(ROOT, "build", "calls")
    os.makedirs(folder, exist_ok=True)
    name = os.environ.get("CAIRN_TEST_PORTS", "default").split("-")[0]
    with open(os.path.join(folder, f"{name}.jsonl"), "a") as file:
        for protocol, methods in called.items():
            row = {"test": test, "client": client_of(test, protocol), "protocol": protocol, "methods": methods}
            file.write(json.dumps(row) + "\n")

"""Where WebHDFS sends a client for data: to the address that datanodes advertise to its network, else to their names."""
import json
import subprocess
import urllib.parse

import pytest

from lib.cluster import Cluster

HERE, THERE = "127.0.0.7", "127.0.0.8"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    advertised = f"{HERE}/32=10.9.8.7:19866/19867/19864, {THERE}/32=outside.example:29866/29867/29864"
    properties = {"cairn.datanode.advertised.addresses": advertised}
    with Cluster(tmp_path_factory.mktemp("redirects") / "cluster", nodes=1, properties=properties) as running:
        running.fs("-put", "-", "/file", stdin=b"x" * 5000, check=True)
        yield running


def location(cluster, client, verb, path, op):
    url = f"http://{cluster.namenode_http}/webhdfs/v1{path}?op={op}&noredirect=true&user.name=root"
    done = subprocess.run(["curl", "-s", "--interface", client, "-X", verb, url], capture_output=True, timeout=60)
    return urllib.parse.urlsplit(json.loads(done.stdout)["Location"]).netloc


@pytest.mark.parametrize("verb, path, op", [("GET", "/file", "OPEN"), ("PUT", "/new", "CREATE"), ("POST", "/file", "APPEND")])
def test_each_client_gets_the_address_of_its_network(cluster, verb, path, op):
    assert location(cluster, HERE, verb, path, op) == "10.9.8.7:19864"
    assert location(cluster, THERE, verb, path, op) == "outside.example:29864"
    own = cluster.daemon("datanode")["command"]
    http = next(word.split("=")[1] for word in own if word.startswith("dfs.datanode.http.address="))
    assert location(cluster, "127.0.0.9", verb, path, op).rsplit(":", 1)[1] == http.rsplit(":", 1)[1]

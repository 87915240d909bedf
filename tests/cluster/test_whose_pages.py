"""The address of a namenode's pages is that namenode's: who names another file system does not ask there, least of all to delete."""
import json

import pytest

from lib.cluster import Cluster, run_cairn

SITE = "<configuration>{}</configuration>"
PROPERTY = "<property><name>{}</name><value>{}</value></property>"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("pages") / "cluster", nodes=1) as running:
        running.fs("-mkdir", "-p", "/d", check=True)
        yield running


def conf(folder, fs, pages, name):
    values = {"fs.defaultFS": fs, name: pages}
    (folder / "core-site.xml").write_text(SITE.format("".join(PROPERTY.format(*one) for one in values.items())))
    return {"HADOOP_CONF_DIR": str(folder)}


@pytest.mark.parametrize("name", ["dfs.namenode.http-address", "cairn.namenode.http-address"])
def test_fsck_asks_the_file_system_that_was_named(cluster, tmp_path, name):
    others = conf(tmp_path, "hdfs://127.0.0.2:1", "127.0.0.2:1", name)
    for words in ["-fs", cluster.uri, "/d"], ["-fs", cluster.uri + "/", "/d"], [f"{cluster.uri}/d"]:
        answer = run_cairn("fsck", *words, env=others)
        assert answer.returncode == 0 and f"http://{cluster.namenode_http}/".encode() in answer.stderr, answer.stderr
    ours = conf(tmp_path, cluster.uri, cluster.namenode_http, name)
    for words in ["-fs", "hdfs://127.0.0.2", "/d"], ["hdfs://127.0.0.2/d"]:
        answer = run_cairn("fsck", *words, env=ours)
        assert answer.returncode and cluster.namenode_http.encode() not in answer.stderr, answer.stderr


def test_settings_hold_for_their_file_system_however_it_is_written(cluster, tmp_path):
    port = cluster.uri.rsplit(":", 1)[1]
    said = conf(tmp_path, cluster.uri, "127.0.0.2:1", "dfs.namenode.http-address")
    for fs in cluster.uri, f"hdfs://localhost:{port}", cluster.uri + "/":
        assert b"http://127.0.0.2:1/" in run_cairn("fsck", "-fs", fs, "/", env=said).stderr
    for words in [["-fs", "hdfs://127.0.0.2", "/"], ["hdfs://127.0.0.2/"]]:
        by_hand = run_cairn("fsck", "-D", "dfs.namenode.http-address=127.0.0.2:7", *words, env=said)
        assert b"127.0.0.2:7" in by_hand.stderr


def test_doctor_looks_at_the_pages_of_what_it_examines(cluster, tmp_path):
    others = conf(tmp_path, "hdfs://127.0.0.2:1", "127.0.0.2:1", "dfs.namenode.http-address")
    found = json.loads(run_cairn("doctor", "-json", cluster.uri, env=others).stdout)["findings"]
    assert "namenode-pages" not in [one["code"] for one in found], found

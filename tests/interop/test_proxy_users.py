"""Acting for another user with Hadoop's own client: Apache's servers and ours allow and refuse the same."""
import os
import subprocess

import pytest

from interop.servers import CairnClient, JavaClient, Server
from lib import apache, jars

RULES = {
    "gate": {"users": "ann", "hosts": "127.0.0.0/8"},
    "host": {"users": "ann, bob", "hosts": "localhost"},
    "far": {"users": "*", "hosts": "10.0.0.1,10.1.0.0/16"},
    "star": {"users": "*", "hosts": "*"},
    "list": {"users": "bob,*", "hosts": "*"},
    "hosts": {"users": "ann", "hosts": "10.0.0.1,*"},
    "nowhere": {"users": "*"},
    "crowd": {"groups": "staff,other", "hosts": "127.0.0.1"},
    "all": {"groups": "*", "hosts": "*"},
    "tilde": {"users": "~tilde", "hosts": "*"},
}
PAIRS = [f"{real}/{user}" for real in (*RULES, "eve") for user in ("ann", "bob", real)]
REFRESHED = {"gate": {"users": "bob", "hosts": "127.0.0.1"}, "late": {"users": "ann", "hosts": "*"}}


def site(rules):
    return {f"hadoop.proxyuser.{user}.{what}": value for user, rule in rules.items() for what, value in rule.items()}


def acted(cluster, folder, *pairs):
    """{REAL/USER: (what the namenode said, what a datanode said)}"""
    apache.write_conf(f"{folder}/conf", {"hadoop.tmp.dir": f"{folder}/tmp"}, {}, "OFF")
    classes = jars.class_path(apache.DEPENDENCIES, jars.java_files("interop/ProxyUsers.java"))
    command = apache.java_command(f"{folder}/conf", [*apache.QUICK_START, "-Xmx400m"], cluster.uri, *pairs, main="ProxyUsers",
                                  classes=classes)
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    return {line.split("\t")[0]: tuple(line.split("\t")[1:]) for line in done.stdout.splitlines()}


def answers(java_shell, folder, ours):
    """What all pairs get, and after each tool's refresh what those get whom the new rules are about."""
    properties = {"hadoop.user.group.static.mapping.overrides": "dr.who=;bob=staff"}
    cluster = apache.ApacheCluster(folder / "cluster", properties=properties | site(RULES), ours=ours).start()
    try:
        server = Server("proxy", cluster, java_shell)
        before = acted(cluster, folder, *PAIRS)
        after = []
        for tool, rules in ((JavaClient, REFRESHED), (CairnClient, {})):
            path = os.path.join(cluster.folder, "conf-namenode", "hdfs-site.xml")
            apache.write_site(path, cluster._hdfs_site() | site(RULES | REFRESHED | rules) if rules else
                              {k: v for k, v in cluster._hdfs_site().items() if "proxyuser" not in k})
            tool(server).dfsadmin("-refreshSuperUserGroupsConfiguration")
            after.append({pair: said[0] for pair, said in acted(cluster, folder, "gate/ann", "gate/bob", "late/ann").items()})
        return before, after
    finally:
        cluster.stop()


@pytest.fixture(scope="module")
def on_apache(hadoop, java_shell, tmp_path_factory):
    return answers(java_shell, tmp_path_factory.mktemp("proxy-apache"), ())


@pytest.fixture(scope="module")
def on_cairn(hadoop, java_shell, tmp_path_factory):
    return answers(java_shell, tmp_path_factory.mktemp("proxy-cairn"), ("namenode", "datanode"))


def test_the_same_are_allowed(on_apache, on_cairn):
    assert on_cairn[0] == on_apache[0]
    assert on_cairn[0]["gate/ann"] == ("ann", "balances true")
    assert "AuthorizationException: User: eve is not allowed to impersonate ann" in on_cairn[0]["eve/ann"][0]


def test_a_refresh_is_the_same(on_apache, on_cairn):
    assert on_cairn[1] == on_apache[1]
    assert on_cairn[1][0]["late/ann"] == "ann" and "AuthorizationException" in on_cairn[1][1]["late/ann"]

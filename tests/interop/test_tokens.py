"""Delegation tokens without security (dfs.namenode.delegation.token.always-use): `hdfs fetchdt` and programs that are given
a token get on with Apache's namenode and with ours alike, and tokens outlive a restart."""
import getpass
import json
import os
import re
import subprocess
import urllib.error
import urllib.request

import pytest

from lib import apache
from lib.apache import ApacheCluster, java_command
from lib.waiting import wait_for

FETCHER = "org.apache.hadoop.hdfs.tools.DelegationTokenFetcher"
PROPERTIES = {"dfs.namenode.delegation.token.always-use": "true"}


@pytest.fixture(scope="module", params=["apache", "cairn"])
def cluster(request, tmp_path_factory):
    ours = ("namenode", "datanode") if request.param == "cairn" else ()
    running = ApacheCluster(tmp_path_factory.mktemp(request.param), properties=PROPERTIES, ours=ours)
    running.start()
    conf = f"{running.folder}/conf-client"
    apache.write_conf(conf, {"fs.defaultFS": running.uri}, {}, "OFF")
    running.client_conf = conf
    yield running
    running.stop()


def java(cluster, main, *args, user="ann", token=None):
    command = java_command(cluster.client_conf, apache.QUICK_START, *args, main=main)
    env = os.environ | {"HADOOP_USER_NAME": user} | ({"HADOOP_TOKEN_FILE_LOCATION": str(token)} if token else {})
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=env, cwd=cluster.folder)


def fetch(cluster, file, *args):
    done = java(cluster, FETCHER, "--renewer", "bob", *args, str(file))
    assert done.returncode == 0 and file.exists(), done.stderr


def test_fetch_print_renew_and_cancel(cluster, tmp_path):
    file = tmp_path / "token"
    fetch(cluster, file)
    shown = java(cluster, FETCHER, "--print", str(file)).stdout
    assert shown == f"Token (HDFS_DELEGATION_TOKEN token 1 for ann with renewer bob) for {cluster.namenode}\n"
    verbose = java(cluster, FETCHER, "--print", "--verbose", str(file)).stdout
    assert re.search(
        "HDFS_DELEGATION_TOKEN owner=ann, renewer=bob, realUser=, issueDate=[0-9]+, maxDate=[0-9]+, sequenceNumber=1, masterKeyId=[12]",
        verbose)
    assert java(cluster, FETCHER, "--renew", str(file), user="bob").returncode == 0
    not_mine = java(cluster, FETCHER, "--renew", str(file), user="ann")
    assert not_mine.returncode != 0 and "non-matching renewer" in not_mine.stderr
    assert java(cluster, FETCHER, "--cancel", str(file)).returncode == 0
    gone = java(cluster, FETCHER, "--renew", str(file), user="bob")
    assert gone.returncode != 0 and "InvalidToken" in gone.stderr


def shell(cluster, *args, **options):
    return java(cluster, "org.apache.hadoop.fs.FsShell", *args, **options)


def test_who_has_a_token_is_its_owner(cluster, tmp_path):
    """Whatever name the program runs under: it logs in with the token (SASL's TOKEN)."""
    file = tmp_path / "token"
    assert shell(cluster, "-mkdir", "/open", user=getpass.getuser()).returncode == 0
    assert shell(cluster, "-chmod", "777", "/open", user=getpass.getuser()).returncode == 0
    fetch(cluster, file)
    done = shell(cluster, "-mkdir", "/open/of-ann", user="bob", token=file)
    assert done.returncode == 0, done.stderr
    assert shell(cluster, "-stat", "%u", "/open/of-ann", user="bob").stdout == "ann\n"
    assert shell(cluster, "-mkdir", "/open/of-bob", user="bob").returncode == 0
    assert shell(cluster, "-stat", "%u", "/open/of-bob").stdout == "bob\n"
    assert java(cluster, FETCHER, "--cancel", str(file)).returncode == 0
    refused = shell(cluster, "-ls", "/", token=file)
    assert refused.returncode == 1 and "can't be found in cache" in refused.stderr


def ask(cluster, op, **parameters):
    query = "&".join(f"{name}={value}" for name, value in ({"op": op} | parameters).items())
    verb = "PUT" if op in ("RENEWDELEGATIONTOKEN", "CANCELDELEGATIONTOKEN") else "GET"
    request = urllib.request.Request(f"http://{cluster.namenode_http}/webhdfs/v1/?{query}", method=verb)
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status, json.loads(reply.read() or b"{}")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def token_of(cluster, user):
    status, answer = ask(cluster, "GETDELEGATIONTOKEN", **{"user.name": user, "renewer": user})
    assert status == 200
    return answer["Token"]["urlString"]


def test_webhdfs_gives_renews_and_cancels(cluster):
    token = token_of(cluster, "ann")
    status, answer = ask(cluster, "RENEWDELEGATIONTOKEN", **{"user.name": "ann", "token": token})
    assert status == 200 and answer["long"] > 0
    assert ask(cluster, "CANCELDELEGATIONTOKEN", **{"user.name": "ann", "token": token})[0] == 200
    status, answer = ask(cluster, "RENEWDELEGATIONTOKEN", **{"user.name": "ann", "token": token})
    assert status == 403 and answer["RemoteException"]["exception"] == "InvalidToken"


def test_webhdfs_knows_who_shows_a_token(cluster):
    if not cluster._ours:
        pytest.skip("Apache looks at delegation= only with security on")
    token = token_of(cluster, "ann")
    assert ask(cluster, "GETHOMEDIRECTORY", delegation=token)[1]["Path"] == "/user/ann"
    assert ask(cluster, "GETHOMEDIRECTORY", delegation=token, **{"user.name": "bob"})[1]["Path"] == "/user/ann"
    assert ask(cluster, "GETHOMEDIRECTORY", **{"user.name": "bob"})[1]["Path"] == "/user/bob"
    ask(cluster, "CANCELDELEGATIONTOKEN", **{"user.name": "ann", "token": token})
    status, answer = ask(cluster, "GETHOMEDIRECTORY", delegation=token)
    assert status == 403 and answer["RemoteException"]["exception"] == "InvalidToken"
    assert ask(cluster, "GETHOMEDIRECTORY", delegation="nonsense")[0] == 403


def test_tokens_outlive_a_restart(cluster):
    if not cluster._ours:
        pytest.skip("Apache's namenode is formatted at each start here")
    token = token_of(cluster, "ann")
    cluster.daemon("namenode").kill()
    cluster.start_namenode()
    wait_for(cluster.is_ready, 60, "the namenode again")
    assert ask(cluster, "GETHOMEDIRECTORY", delegation=token)[1]["Path"] == "/user/ann"
    assert ask(cluster, "RENEWDELEGATIONTOKEN", **{"user.name": "ann", "token": token})[0] == 200

"""Our client on an Apache pair of NameNodes: it finds the active one by the nameservice's name, follows a transition in
the middle of a copy, and goes on after the active one was killed."""
import concurrent.futures
import contextlib
import os
import subprocess

import pytest

from lib import data
from lib.apache_ha import ApacheHaCluster
from lib.cluster import cairn_path, run_cairn
from lib.libhdfs import Hdfs
from lib.waiting import wait_for

SIZE = 300 * data.MIB


@pytest.fixture(scope="module")
def pair(hadoop, tmp_path_factory):
    with ApacheHaCluster(tmp_path_factory.mktemp("ha"), datanodes=3) as cluster:
        wait_for(lambda: admin(cluster, "-getServiceState", "nn1").stdout == b"standby\n", 60, "nn1")
        wait_for(lambda: admin(cluster, "-getServiceState", "nn2").stdout == b"standby\n", 60, "nn2")
        admin(cluster, "-transitionToActive", "nn1", check=True)
        wait_for(lambda: b"Live datanodes (3)" in run(cluster, "dfsadmin", "-report", "-live").stdout, 60, "three datanodes")
        wait_for(lambda: run(cluster, "dfsadmin", "-safemode", "get").stdout.strip().endswith(b"OFF"), 60, "no safe mode")
        yield cluster


@pytest.fixture
def log_tails(pair):
    yield pair


def run(cluster, *args, **options):
    return run_cairn(*args, env={"HADOOP_CONF_DIR": cluster.conf}, **options)


def admin(cluster, *args, **options):
    return run(cluster, "haadmin", *args, **options)


def active(cluster):
    return next(name for name in ("nn1", "nn2") if admin(cluster, "-getServiceState", name).stdout == b"active\n")


def other(name):
    return "nn2" if name == "nn1" else "nn1"


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("big") / "file")
    return path, data.write_file(path, SIZE, 5)


def stored(cluster):
    total = 0
    for number in 1, 2, 3:
        for where, _, names in os.walk(f"{cluster.folder}/data{number}"):
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    total += os.stat(os.path.join(where, name)).st_size
    return total


def test_states_are_told_as_apache_tells_them(pair):
    ours = admin(pair, "-getAllServiceState", check=True).stdout
    theirs = pair.haadmin_java("-getAllServiceState")
    assert ours.split() == theirs.stdout.replace(b"localhost", b"127.0.0.1").split() and theirs.returncode == 0
    assert admin(pair, "-checkHealth", "nn1").returncode == 0
    refused = admin(pair, "-transitionToActive", other(active(pair)))
    assert refused.returncode == 255 and b"is already active" in refused.stderr
    assert admin(pair, "-getServiceState", "nn3").returncode == 255


def test_names_of_the_pair(pair):
    addresses = run(pair, "getconf", "-nnRpcAddresses", check=True).stdout.decode().split()
    assert addresses == [pair.rpc("nn1"), pair.rpc("nn2")]
    told = run(pair, "doctor")
    assert told.returncode == 0, told.stdout
    one = admin(pair, "-getServiceState", "nn1").stdout
    standby = pair.rpc("nn2" if one == b"active\n" else "nn1")
    told = run(pair, "doctor", f"hdfs://{standby}", deadline_s=200)
    assert told.returncode == 1 and b"is a standby" in told.stdout, told.stdout + told.stderr


def test_a_copy_goes_on_through_a_transition(pair, big):
    path, sha256 = big
    from_name, before = active(pair), stored(pair)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        put = pool.submit(run, pair, "fs", "-D", f"dfs.blocksize={8 * data.MIB}", "-put", "-f", path, "/moved", deadline_s=240)
        wait_for(lambda: stored(pair) > before + 20 * data.MIB, 60, "the first bytes", every_s=0.01)
        admin(pair, "-transitionToStandby", from_name, check=True)
        assert not put.done(), "the copy was over before the transition"
        admin(pair, "-transitionToActive", other(from_name), check=True)
        done = put.result()
    assert done.returncode == 0, done.stderr
    assert active(pair) == other(from_name)
    assert data.sha256_bytes(run(pair, "fs", "-cat", f"{pair.uri}/moved", check=True).stdout) == sha256


def test_a_copy_goes_on_after_the_active_namenode_was_killed(pair, big):
    path, sha256 = big
    victim, before = active(pair), stored(pair)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        put = pool.submit(run, pair, "fs", "-D", f"dfs.blocksize={8 * data.MIB}", "-put", "-f", path, "/killed", deadline_s=240)
        wait_for(lambda: stored(pair) > before + 20 * data.MIB, 60, "the first bytes", every_s=0.01)
        pair.daemons[victim].kill()
        assert not put.done(), "the copy was over before the namenode was killed"
        refused = admin(pair, "-transitionToActive", other(victim))
        assert refused.returncode == 255 and b"cannot be asked" in refused.stderr
        admin(pair, "-transitionToActive", "--forceactive", other(victim), check=True)
        done = put.result()
    assert done.returncode == 0, done.stderr
    assert data.sha256_bytes(run(pair, "fs", "-cat", "/killed", check=True).stdout) == sha256
    states = admin(pair, "-getAllServiceState", check=True).stdout
    assert b"Failed to connect" in states and b"active" in states
    pair.start_namenode(victim)
    wait_for(lambda: admin(pair, "-getServiceState", victim).stdout == b"standby\n", 60, "its return as a standby")


def test_libhdfs_and_the_mount_follow_too(pair, tmp_path):
    os.environ["HADOOP_CONF_DIR"] = pair.conf
    folder = tmp_path / "mount"
    folder.mkdir()
    try:
        fs = Hdfs("hdfs://ours")
        fs.put("/by-libhdfs", b"one")
        mount = subprocess.Popen([cairn_path(), "mount", str(folder), "-f"], env=os.environ | {"HADOOP_CONF_DIR": pair.conf})
        try:
            wait_for(lambda: (folder / "by-libhdfs").read_bytes() == b"one", 30, "the mount")
            name = active(pair)
            admin(pair, "-transitionToStandby", name, check=True)
            admin(pair, "-transitionToActive", other(name), check=True)
            (folder / "by-mount").write_bytes(b"two")
            assert fs.get("/by-mount") == b"two"
        finally:
            subprocess.run(["umount", str(folder)], check=False)
            mount.wait(30)
        fs.disconnect()
    finally:
        del os.environ["HADOOP_CONF_DIR"]

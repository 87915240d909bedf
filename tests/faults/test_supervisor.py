"""`cairn up` looks after its daemons: one that dies is started again, and it says so."""
import os
import signal

from lib.cluster import Cluster
from lib.process import is_alive
from lib.waiting import wait_for


def log_of(cluster):
    with open(f"{cluster.folder}/logs/up.log") as file:
        return file.read()


def test_a_daemon_that_dies_is_started_again(tmp_path):
    with Cluster(tmp_path / "c", restarts=True, properties={"dfs.heartbeat.interval": 1}) as cluster:
        cluster.fs("-put", "-", "/file", stdin=b"kept", check=True)
        for name in "datanode-2", "namenode", "worker-1", "datanode-2":
            old = cluster.pid(name)
            os.kill(old, signal.SIGKILL)
            wait_for(lambda: cluster.reload().pid(name) != old and is_alive(cluster.pid(name)), 30, f"another {name}")
            assert f"daemon={name} was killed by signal 9 action=start-again" in log_of(cluster)
        wait_for(lambda: b"Live datanodes (3)" in cluster.dfsadmin("-report", "-live").stdout, 40, "all datanodes again")
        assert cluster.fs("-cat", "/file", check=True).stdout == b"kept"
        # The second death in a row is waited for longer.
        waits = [line for line in log_of(cluster).splitlines() if "daemon=datanode-2" in line and "in_ms=" in line]
        assert ["in_ms=1000" in waits[0], "in_ms=2000" in waits[1]] == [True, True], waits


def test_a_daemon_that_was_told_to_end_is_let_go(tmp_path):
    with Cluster(tmp_path / "c", restarts=True) as cluster:
        old = cluster.kill("datanode-3", signal.SIGTERM)["pid"]
        wait_for(lambda: "daemon=datanode-3" in log_of(cluster), 20, "the report of its end")
        assert "daemon=datanode-3 exited with status 0 action=none" in log_of(cluster)
        assert cluster.reload().pid("datanode-3") in (old, 0)
        assert cluster.down().returncode == 0


def test_none_is_started_again_if_so_wished(tmp_path):
    with Cluster(tmp_path / "c") as cluster:
        cluster.kill("datanode-3")
        wait_for(lambda: "daemon=datanode-3 was killed by signal 9 action=none" in log_of(cluster), 20, "the report of its end")

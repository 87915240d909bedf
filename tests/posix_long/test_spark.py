"""Spark's `file://` on a folder that each executor reaches through a mount of its own, as on the machines of a cluster."""
import os
import subprocess

import pytest

from lib import spark as spark_lib
from lib.cluster import Cluster
from lib.mounts import Mount
from lib.needs import missing
from lib.process import log_tail

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "spark_two_mounts.py")


@pytest.fixture(params=list(spark_lib.VERSIONS))
def spark(request, tmp_path):
    if os.geteuid():
        missing("only root can give a process mounts of its own")
    try:
        return spark_lib.Spark(request.param, tmp_path / "spark")
    except spark_lib.Unavailable as error:
        return missing(f"PySpark {request.param} cannot be run: {error}")


def _behind(mount, path):
    """Words before a command: what it sees at `path` is that mount."""
    return ["unshare", "--mount", "sh", "-c", f'mount --bind {mount.path} {path} && exec "$@"', "sh"]


def test_tables_are_written_and_read_from_two_mounts_at_once(spark, tmp_path):
    shown = tmp_path / "shown"
    shown.mkdir()
    with Cluster(tmp_path / "cluster", nodes=3) as cluster, \
            Mount(cluster, tmp_path / "first", tmp_path / "log1") as first, Mount(cluster, tmp_path / "second", tmp_path / "log2") as second:
        os.mkdir(f"{first.path}/tables")
        around = {"worker-1": _behind(first, shown), "worker-2": _behind(second, shown)}
        with spark_lib.Standalone(spark, {"worker-1": "127.0.0.1", "worker-2": "127.0.0.2"}, around=around) as standalone:
            standalone.submit("tables", SCRIPT, f"{shown}/tables", around=_behind(second, shown))
        assert "all is well" in log_tail(os.path.join(spark.folder, "tables.log"))
        for mount in first, second:
            found = subprocess.run(["find", f"{mount.path}/tables", "-name", "*_temporary*", "-o", "-name", ".spark-staging*"],
                                   capture_output=True, text=True, check=True).stdout
            assert found == ""
            assert {"_SUCCESS", "kind=0", "kind=6"} <= set(os.listdir(f"{mount.path}/tables/parquet"))

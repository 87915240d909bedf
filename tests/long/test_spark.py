"""PySpark, unmodified, on hdfs://: one application, in one session, on Apache HDFS and on Cairn with equal results."""
import json
import os
import re

import pytest

from lib import spark as spark_lib
from lib.cluster import Cluster
from lib.needs import missing

BATTERY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "spark_battery.py")
with open(BATTERY) as source:
    CHECKS = re.findall(r"^@check\ndef (\w+)", source.read(), re.MULTILINE)
BLOCK_BYTES = 128 * 1024  # small, so that small files have many


@pytest.fixture(scope="module")
def cairn(tmp_path_factory):
    properties = {"dfs.namenode.fs-limits.min-block-size": 512}
    with Cluster(tmp_path_factory.mktemp("spark-on") / "cairn", properties=properties) as running:
        yield running


@pytest.fixture(scope="module", params=list(spark_lib.VERSIONS))
def spark(request, tmp_path_factory):
    try:
        return spark_lib.Spark(request.param, tmp_path_factory.mktemp(f"spark-{request.param}"))
    except spark_lib.Unavailable as error:
        return missing(f"PySpark {request.param} cannot be run: {error}")


class Run:
    """The battery's results, and what the history server showed of it meanwhile and afterwards."""

    def __init__(self, spark, cairn, apache):
        logs = f"/spark-logs-{spark.version}"
        cairn.fs("-mkdir", "-p", logs, check=True)
        cairn.fs("-chmod", "1777", logs, check=True)
        properties = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": cairn.uri + logs,
                      "spark.hadoop.dfs.blocksize": BLOCK_BYTES}
        out = os.path.join(spark.folder, "results.json")
        servers = f"apache={apache.uri}", f"cairn={cairn.uri}"
        with spark.start_submit("battery", "--master", "local[2]", BATTERY, out, *servers, properties=properties) as battery:
            with spark_lib.HistoryServer(spark, cairn.uri + logs) as history:
                running = history.wait_for(lambda it: it.get("applications"), 120, "the running application in the history")[0]
                self.shown_while_running = not running["attempts"][0]["completed"] and battery.is_alive()
                jobs = f"applications/{running['id']}/jobs"
                self.jobs_at_first = len(history.wait_for(lambda it: it.get(jobs), 60, "its first jobs"))
                self.jobs_grew_while_running = history.wait_for(
                    lambda it: len(it.get(jobs)) > self.jobs_at_first, 120, "more jobs") and battery.is_alive()
                history.wait_for(lambda it: not battery.is_alive(), 400, "the end of the battery")
                history.wait_for(lambda it: it.get("applications")[0]["attempts"][0]["completed"], 60, "the finished application")
                self.jobs_at_last = len(history.get(jobs))
        self.event_logs = cairn.fs("-ls", "-R", logs, check=True).stdout.decode()
        self.log = spark_lib.log_tail(battery.log)
        with open(out) as file:
            self.results = json.load(file)

    def log_tails(self):
        return self.log


@pytest.fixture(scope="module")
def run(spark, cairn, apache):
    return Run(spark, cairn, apache)


@pytest.mark.parametrize("check", CHECKS)
def test_same_as_apache(run, check):
    results = run.results.get(check, {})
    for server in "apache", "cairn":
        assert "seen" in results.get(server, {}), f"{check} on {server}: {results.get(server, {}).get('error', 'was not run')}"
    assert results["cairn"]["seen"] == results["apache"]["seen"]


def test_history_server_follows_a_running_application(run):
    assert run.shown_while_running and run.jobs_grew_while_running
    assert run.jobs_at_last > run.jobs_at_first
    assert "inprogress" not in run.event_logs

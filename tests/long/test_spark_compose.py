"""compose/spark is brought up, with this machine's own programs in the place of images: Spark's tasks run where their blocks are."""
import json
import os
import subprocess

import pytest

from lib import spark as spark_lib
from lib.cluster import ROOT, cairn_path
from lib.engine import BASE_IMAGE, Engine, Unavailable
from lib.needs import missing
from lib.waiting import wait_for

COMPOSE = os.path.join(ROOT, "compose", "spark", "docker-compose.yml")
BLOCKS, BLOCK_BYTES = 8, 1 << 20
PROGRAM = f"""
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName("compose").getOrCreate()
text = spark.read.text("hdfs://namenode:8020/in/lines")
text.write.parquet("hdfs://namenode:8020/out")
print("COUNT", spark.read.parquet("hdfs://namenode:8020/out").count())
"""


class Compose:
    def __init__(self, engine, override):
        self._command = ["docker-compose", "-f", COMPOSE, "-f", str(override)]
        self._env = engine.env | {"COMPOSE_PROJECT_NAME": "cairnspark", "CAIRN_IMAGE": BASE_IMAGE, "SPARK_IMAGE": BASE_IMAGE}

    def __call__(self, *args, stdin=None, check=True, deadline_s=200):
        done = subprocess.run([*self._command, *args], env=self._env, input=stdin, capture_output=True, timeout=deadline_s)
        assert not check or done.returncode == 0, f"docker-compose {args}:\n{(done.stdout + done.stderr).decode()[-4000:]}"
        return done.stdout.decode()

    def log_tails(self):
        return self("logs", "--no-color", "--tail", "30", check=False)


@pytest.fixture
def compose(tmp_path):
    try:
        spark, engine = spark_lib.Spark("3.5", tmp_path / "spark"), Engine()
    except (Unavailable, spark_lib.Unavailable) as why:
        missing(str(why))
    # The containers have this machine's /usr, so Java, Python and our libraries are there; Debian is the same in both.
    shared = ["/usr:/usr:ro", "/etc/alternatives:/etc/alternatives:ro", "/etc/java-17-openjdk:/etc/java-17-openjdk:ro",
              f"{spark.home}:/opt/spark:ro", f"{cairn_path()}:/opt/cairn/cairn:ro"]
    ours = {"volumes": shared, "entrypoint": ["/opt/cairn/cairn"]}
    services = {name: ours for name in ("namenode", "datanode-1", "datanode-2")}
    services |= {name: {"volumes": shared} for name in ("spark-master", "spark-worker-1", "spark-worker-2")}
    override = tmp_path / "override.json"
    override.write_text(json.dumps({"version": "2.4", "services": services}))
    with engine:
        compose = Compose(engine, override)
        try:
            compose("up", "-d")
            yield compose
        finally:
            compose("down", "-v", "-t", "2", check=False)


def test_tasks_of_containers_run_beside_their_blocks(compose):
    def cairn(*args, stdin=None):
        return compose("exec", "-T", "namenode", "/opt/cairn/cairn", *args, stdin=stdin)

    wait_for(lambda: "Live datanodes (2)" in cairn("dfsadmin", "-report"), 60, "both datanodes")
    lines = BLOCKS * BLOCK_BYTES // 128
    cairn("fs", "-mkdir", "-p", "/in", "/logs")
    cairn("fs", "-D", f"dfs.blocksize={BLOCK_BYTES}", "-D", "dfs.replication=1", "-put", "-", "/in/lines",
          stdin=b"".join(b"%0127d\n" % line for line in range(lines)))
    settings = {
        "spark.eventLog.enabled": "true", "spark.eventLog.dir": "hdfs://namenode:8020/logs", "spark.eventLog.compress": "false",
        "spark.sql.files.maxPartitionBytes": BLOCK_BYTES, "spark.sql.files.openCostInBytes": 0, "spark.locality.wait": "30s",
        "spark.executor.memory": "512m", "spark.cores.max": 2, "spark.scheduler.minRegisteredResourcesRatio": 1.0,
        "spark.scheduler.maxRegisteredResourcesWaitingTime": "120s", "spark.driver.memory": "512m",
    }
    words = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    script = "cat > /tmp/job.py && exec /opt/spark/bin/spark-submit --master spark://spark-master:7077 \"$@\" /tmp/job.py"
    said = compose("exec", "-T", "spark-master", "sh", "-c", script, "sh", *words, stdin=PROGRAM.encode())
    assert f"COUNT {lines}" in said
    tasks = spark_lib.task_rows(spark_lib.event_log(cairn("fs", "-cat", "/logs/*")))
    reads = [row for row in tasks if row[0] == min(tasks)[0]]
    assert len(reads) == BLOCKS and {row[2] for row in reads} == {"NODE_LOCAL"}, reads
    assert len({row[1] for row in reads}) == 2

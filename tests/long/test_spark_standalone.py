"""`spark-submit --master spark://` with three workers, each on a datanode's address: the program, its data, its output
and its event log on hdfs://, and every block read where it lies."""
import ast
import collections
import os

import pytest

from lib import spark as spark_lib
from lib.cluster import Cluster
from lib.needs import missing
from long.spark_locality_names import REPLICAS

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = "spark_locality.py", "spark_locality_names.py"
NODES = {"node1": "127.0.0.1", "node2": "127.0.0.2", "node3": "127.0.0.3"}
BLOCKS = 18
BLOCK_BYTES = 1 << 20
LINE = b"%0127d\n"


@pytest.fixture(scope="module")
def cairn(tmp_path_factory):
    """Three datanodes that registered with names, and files of many blocks with one to three replicas of each."""
    folder = tmp_path_factory.mktemp("spark-standalone")
    with Cluster(folder / "cairn", properties={"dfs.blocksize": BLOCK_BYTES}) as running:
        for number, name in enumerate(NODES, start=1):
            daemon = running.kill(f"datanode-{number}")
            daemon["command"] += ["-D", f"dfs.datanode.hostname={name}"]
            running.start_again(daemon["name"])
        running.wait_for(lambda: all(name in running.dfsadmin("-report").stdout.decode() for name in NODES), 60, "the names")
        data = b"".join(LINE % number for number in range(BLOCKS * BLOCK_BYTES // 128))
        running.fs("-mkdir", "-p", "/in", "/apps", "/logs", "/out", check=True)
        for replicas in REPLICAS:
            # Not from a datanode's address, so that the blocks lie everywhere.
            running.fs("-D", "cairn.client.local-address=127.0.0.9", "-D", f"dfs.replication={replicas}", "-put", "-",
                       f"/in/r{replicas}", stdin=data, check=True)
        running.fs("-put", *(f"{HERE}/{name}" for name in PROGRAM), "/apps/", check=True)
        yield running


def registered(kind):
    """{what a worker registers with: its address}"""
    names = {address: name for name, address in NODES.items()}
    by_name = {"addresses": set(), "mixed": {"127.0.0.1", "127.0.0.2"}}[kind]
    return {names[address] if address in by_name else address: address for address in names}


def events_of(cairn, logs):
    return spark_lib.event_log(cairn.fs("-cat", f"{logs}/*", check=True).stdout.decode())


def tasks_by_group(events):
    """{job group: its tasks}"""
    groups = {}
    for event in events:
        if event["Event"] == "SparkListenerJobStart":
            for stage in event["Stage IDs"]:
                groups[stage] = event["Properties"]["spark.jobGroup.id"]
    tasks = {}
    for row in spark_lib.task_rows(events):
        tasks.setdefault(groups.get(row[0]), []).append(row)
    return tasks


@pytest.mark.parametrize("version,kind", [("3.5", "addresses"), ("4.0", "mixed")])
def test_every_task_where_its_block_is(cairn, tmp_path, version, kind):
    try:
        spark = spark_lib.Spark(version, tmp_path)
    except spark_lib.Unavailable as error:
        missing(f"PySpark {version} cannot be run: {error}")
    logs = f"/logs/{version}-{kind}"
    cairn.fs("-mkdir", logs, check=True)
    properties = {
        "spark.hadoop.fs.defaultFS": cairn.uri, "spark.sql.warehouse.dir": f"{cairn.uri}/warehouse",
        "spark.eventLog.enabled": "true", "spark.eventLog.dir": cairn.uri + logs, "spark.eventLog.compress": "false",
        "spark.eventLog.rolling.enabled": "false", "spark.hadoop.dfs.blocksize": BLOCK_BYTES,
        "spark.sql.files.maxPartitionBytes": BLOCK_BYTES, "spark.sql.files.openCostInBytes": 0,
        "spark.speculation": "true", "spark.speculation.interval": "100ms", "spark.speculation.quantile": 0.5,
        "spark.speculation.multiplier": 2, "spark.speculation.minTaskRuntime": "2s",
    }
    cairn.fs("-rm", "-r", "-f", "-skipTrash", "/out/*", "/warehouse", check=True)
    with spark_lib.Standalone(spark, registered(kind)) as standalone:
        program, names = (f"{cairn.uri}/apps/{name}" for name in PROGRAM)
        standalone.submit("locality", "--py-files", names, program, properties=properties)

    lines = BLOCKS * BLOCK_BYTES // 128
    counts = dict(ast.literal_eval(cairn.fs("-cat", "/out/counts/part-*", check=True).stdout.decode()))
    speculative = [9000, sum(range(9000))]
    reads = [f"{kind}-r{replicas}" for kind in ("rdd", "frame") for replicas in REPLICAS]
    assert counts == {name: lines for name in reads} | {
        "speculative-v1": speculative, "speculative-v2": speculative, "table": 10}
    assert cairn.fs("-test", "-e", "/warehouse/numbers/_SUCCESS").returncode == 0
    left = cairn.fs("-ls", "-R", "/out", check=True).stdout.decode()
    assert "_temporary" not in left and left.count("/_SUCCESS") == 3, left

    tasks = tasks_by_group(events_of(cairn, logs))
    assert {host for group in tasks.values() for _, host, *_ in group} == set(registered(kind))
    for group in reads:
        rows = [row for row in tasks[group] if row[0] == min(tasks[group])[0]]
        assert len(rows) >= BLOCKS
        assert {locality for _, _, locality, *_ in rows} == {"NODE_LOCAL"}, (group, rows)
        hosts = collections.Counter(host for _, host, *_ in rows)
        # Where each node has every block, all work at once: not only those whose names come first.
        assert len(hosts) == len(NODES) or not group.endswith("-r3"), f"{group}: {hosts}"
    assert any(is_speculative for *_, is_speculative, _ in tasks["speculative"])

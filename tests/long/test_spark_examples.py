"""The programs of examples/spark: known results on generated data, read from and written to hdfs://, and file:// on mounts."""
import json
import os
import subprocess

import pytest

from lib import spark as spark_lib
from lib.cluster import ROOT, Cluster, cairn_path, client_env
from lib.needs import missing
from lib.process import Daemon
from lib.waiting import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
GEN = os.path.join(os.path.dirname(cairn_path()), "examples", "gen")
INPUTS = {"mta.csv": ["mta", 10000], "log1.csv": ["listen1", 5000], "log2.csv": ["listen2", 200000, 5000],
          "wdi.csv": ["wdi", 2660], "movies.csv": ["movies", 10000]}
# From programs of other hands, on the same data.
GOLDEN = {
    "mta-filter": {"columns": 13, "rows": 9953, "hours": 9, "first_hour": 1192, "null_distance": 114, "truncated": 10},
    "mta-stats": {
        "total_reports": 9829, "vehicles": 10, "stops": 210, "average_speed": 5.329567196,
        "distance_traveled": 1523319.0918, "average_speed_rows": 90, "sum_of_speed": 478.450222, "distance_rows": 90,
        "excesses": 536, "sum_of_report_count": 4940, "sum_of_average_speed": 8815.2081},
    "mta-stats-global": {
        "total_reports": 9829, "vehicles": 10, "stops": 210, "average_speed": 5.324093435,
        "distance_traveled": 1698028.3875, "average_speed_rows": 90, "distance_rows": 90, "excesses": 535},
    "listen-top": {"rows": 4879, "sum_of_top": 86175, "sum_of_distinct": 199715, "digest": "a30eca6d996dc0b7"},
    "listen-top-range": {"rows": 3500, "sum_of_top": 55548, "sum_of_distinct": 129393,
                         "digest": "cae8f724ea963ed6"},
    "wdi": {"years": [str(year) for year in range(2013, 2024)], "trusted": 1596, "refined": 266, "zeros": 147,
            "below_70": [179, 23], "sum_of_total": 16066.3043, "digest": "92eddc39f891bbc4"},
    "movies-years": {"years": 72, "1800": 23, "1900": 9, "2001": [125, 250125], "films": 125},
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    for name, words in INPUTS.items():
        with open(folder / name, "wb") as file:
            subprocess.run([GEN, *map(str, words)], stdout=file, check=True)
    return folder


@pytest.fixture(scope="module")
def cairn(tmp_path_factory, inputs):
    properties = {"dfs.blocksize": 1 << 20, "dfs.replication": 2}
    with Cluster(tmp_path_factory.mktemp("spark-examples") / "cairn", properties=properties) as running:
        running.fs("-mkdir", "-p", "/spark-data", "/spark-apps", check=True)
        running.fs("-put", *(inputs / name for name in INPUTS), "/spark-data/", check=True)
        yield running


def spark_of(version, folder):
    try:
        return spark_lib.Spark(version, folder)
    except spark_lib.Unavailable as error:
        return missing(f"PySpark {version} cannot be run: {error}")


def judge(results):
    assert results.keys() == GOLDEN.keys()
    for job, golden in GOLDEN.items():
        for name, want in golden.items():
            seen = results[job][name]
            assert seen == (pytest.approx(want, rel=1e-8) if isinstance(want, float) else want), f"{job}: {name}"


@pytest.mark.parametrize("version", spark_lib.VERSIONS)
def test_on_hdfs(cairn, tmp_path, version):
    spark = spark_of(version, tmp_path)
    out = f"{cairn.uri}/out-{version}"
    spark.submit("examples", "--master", "local[2]", f"{HERE}/spark_examples.py", tmp_path / "results.json",
                 f"{ROOT}/examples/spark", f"{cairn.uri}/spark-data", out)
    judge(json.loads((tmp_path / "results.json").read_text()))
    assert "_temporary" not in cairn.fs("-ls", "-R", f"/out-{version}", check=True).stdout.decode()


class Mounts:
    """One mount per node, each where that node alone sees it, all under the same path: what a container engine would do."""

    def __init__(self, cairn, folder, count):
        self.shared = str(folder / "opt")
        self._mounts = [str(folder / f"mount-{number}") for number in range(count)]
        self._cairn, self._daemons = cairn, []

    def around(self, number):
        """Words before a command of that node."""
        script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, "sh", self._mounts[number], self.shared]

    def __enter__(self):
        for path in self.shared, *self._mounts:
            os.makedirs(path)
        for number, path in enumerate(self._mounts):
            command = [cairn_path(), "mount", "-fs", self._cairn.uri, "--foreground", path]
            self._daemons.append(Daemon(f"mount-{number}", command, f"{path}.log", env=client_env()))
            wait_for(lambda: self._daemons[-1].check_alive() and os.path.ismount(path), 30, "a mount")
        return self

    def __exit__(self, *_):
        for daemon in self._daemons:
            daemon.stop()


def test_on_two_mounts(cairn, tmp_path):
    """The paths users have, on a mount of its own per worker: what one writes, the other and the driver commit and read."""
    spark = spark_of("4.0", tmp_path / "spark")
    cairn.fs("-put", "-f", *(f"{ROOT}/examples/spark/{name}" for name in os.listdir(f"{ROOT}/examples/spark")), "/spark-apps/",
             check=True)
    workers = {"127.0.0.1": "127.0.0.1", "127.0.0.2": "127.0.0.2"}
    with Mounts(cairn, tmp_path, 2) as mounts:
        around = {name: mounts.around(number) for number, name in enumerate(workers)}
        shared = mounts.shared
        with spark_lib.Standalone(spark, workers, around=around) as standalone:
            standalone.submit(
                "examples", f"{HERE}/spark_examples.py", tmp_path / "results.json", f"{shared}/spark-apps",
                f"file://{shared}/spark-data", f"file://{shared}/out-mount", around=mounts.around(0))
    judge(json.loads((tmp_path / "results.json").read_text()))
    left = cairn.fs("-ls", "-R", "/out-mount", check=True).stdout.decode()
    assert "_temporary" not in left and "/_SUCCESS" in left

"""mrjob (PyPI) as it is: its examples run on the cluster through our `hadoop`, and give what they give without one."""
import os
import subprocess

import pytest

from lib import venv
from lib.cluster import Cluster, cairn_path, client_env
from lib.needs import missing

EXAMPLES = ["mr_word_freq_count", "mr_wc", "mr_most_used_word", "mr_count_lines_right", "mr_next_word_stats"]


@pytest.fixture(scope="module")
def python():
    try:
        return venv.python_with("mrjob", "0.7.4", "setuptools<80")  # mrjob asks for what setuptools had until then
    except venv.Unavailable as reason:
        missing(str(reason))


@pytest.fixture(scope="module")
def hadoop(tmp_path_factory):
    """A cluster, and a HADOOP_HOME that is ours."""
    folder = tmp_path_factory.mktemp("mrjob")
    os.makedirs(folder / "hadoop" / "bin")
    for name in "hadoop", "hdfs":
        os.symlink(cairn_path(), folder / "hadoop" / "bin" / name)
    (folder / "hadoop" / "hadoop-streaming-3.4.1.jar").touch()
    (folder / "in.txt").write_text("".join(f"the w{i % 7} quick u{i % 5}\n" for i in range(500)))
    with Cluster(folder / "cluster") as cluster:
        environment = client_env() | {"HADOOP_HOME": str(folder / "hadoop"), "HADOOP_CONF_DIR": str(folder / "cluster" / "conf"),
                                      "PATH": f"{folder}/hadoop/bin:{os.environ['PATH']}"}
        yield environment, str(folder / "in.txt"), cluster


@pytest.mark.parametrize("example", EXAMPLES)
def test_example(hadoop, python, example):
    environment, text, _ = hadoop
    here, there = [subprocess.run([python, "-m", f"mrjob.examples.{example}", "-r", runner, text], env=environment, capture_output=True, text=True,
                                  timeout=180) for runner in ("inline", "hadoop")]
    assert here.returncode == 0, here.stderr
    assert there.returncode == 0, there.stderr
    assert sorted(there.stdout.splitlines()) == sorted(here.stdout.splitlines()) != []

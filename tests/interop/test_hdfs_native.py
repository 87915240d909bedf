"""hdfs-native (PyPI), a client written in Rust, does the same on both servers."""
import json
import os
import subprocess

import pytest

from lib import venv
from lib.cluster import client_env
from lib.needs import missing

VERSION = "0.14.7"
BATTERY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hdfs_native_battery.py")


@pytest.fixture(scope="module")
def answers(apache_server, cairn_server, tmp_path_factory):
    """{server: {step: answers}}"""
    try:
        python = venv.python_with("hdfs-native", VERSION)
    except venv.Unavailable as error:
        missing(f"hdfs-native cannot be installed: {error}")
    found = {}
    for server in apache_server, cairn_server:
        command = [python, BATTERY, server.fs]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=client_env() | {"HADOOP_USER_NAME": "root"})
        assert done.returncode == 0, done.stderr[-2000:]
        found[server.name] = dict(map(json.loads, done.stdout.splitlines()))
    return found


def test_same_answers(answers):
    assert len(answers["apache"]) >= 12
    for step, theirs in answers["apache"].items():
        assert answers["cairn"][step] == theirs, step


def test_it_does_what_it_says(answers):
    """The answers that must not be an error on either server."""
    ours = answers["cairn"]
    assert [row[2] for row in ours["write_and_read"][:4]] == [True] * 4
    assert ours["read_ranges"] == [True, True, True]
    assert ours["append_and_hsync"][1] is True
    assert ours["many_names"] == [1100]
    assert ours["lease"] == [1000]

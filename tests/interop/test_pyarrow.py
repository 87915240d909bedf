"""pyarrow's HadoopFileSystem on our libhdfs.so, with no Java to be found, against both servers."""
import os
import subprocess

import pytest

from lib import libhdfs, sanitizer, venv
from lib.cluster import ROOT, cairn_path
from lib.needs import missing

VERSION = "26.0.1"
PARTS = ["files_and_directories", "seeks", "parquet", "datasets", "by_uri"]


@pytest.fixture(scope="module")
def python():
    libhdfs.need_loadable()
    try:
        return venv.python_with("pyarrow", VERSION)
    except venv.Unavailable as reason:
        missing(str(reason))


def test_pyarrow(server, where, python):
    host, port = server.namenode.split(":")
    env = {"PATH": "/nonexistent", "HOME": os.environ.get("HOME", "/"), "ARROW_LIBHDFS_DIR": os.path.dirname(cairn_path())}
    env |= {name: value for name, value in sanitizer.python_env().items() if name in ("LD_PRELOAD", "ASAN_OPTIONS", "TSAN_OPTIONS")}
    battery = os.path.join(ROOT, "tests/interop/pyarrow_battery.py")
    done = subprocess.run([python, battery, host, port, where], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert done.stdout.split() == [word for part in PARTS for word in (part, "ok")]

"""`cairn COMMAND -help` tells about every command that `cairn help` lists, whatever clusters there are or are not."""
import contextlib
import os
import re
import socket

import pytest

from lib.cluster import run_cairn

COMMANDS = re.findall(r"^  (\w+) ", run_cairn("help").stdout.decode(), re.M)
AS_HADOOP = {"storagepolicies": 1}  # whose exit code is that, and whose text goes to stderr


@pytest.fixture
def two_clusters(tmp_path):
    """What `cairn up` shows of itself, twice."""
    with contextlib.ExitStack() as stack:
        for name in "one", "two":
            shown = stack.enter_context(socket.socket(socket.AF_UNIX))
            shown.bind(f"\0cairn-cluster:{os.getuid()}:{tmp_path / name}")
            shown.listen()
        assert b"several local clusters" in run_cairn("fs", "-ls", "/").stderr
        yield


@pytest.mark.parametrize("command", COMMANDS)
def test_help(two_clusters, command):
    told = run_cairn(command, "-help")
    expected = AS_HADOOP.get(command, 0)
    text = told.stderr if expected else told.stdout
    assert told.returncode == expected and len(text) > 30, (told.stdout, told.stderr)
    assert expected or not told.stderr

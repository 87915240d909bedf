"""A job that is followed on a terminal: bars are drawn, and Ctrl-C asks what is meant."""
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

import pytest

from lib import sanitizer
from lib.cluster import Cluster, cairn_path, client_env
from lib.jobs import SMALL_BLOCKS, job, output, put, state
from lib.waiting import wait_for


ASKED = rb"job_\d+_\d+: \[k\]ill it, \[l\]eave it running, \[c\]ontinue to watch\? "


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("terminal") / "cluster", properties=SMALL_BLOCKS) as cluster:
        put(cluster, "/in", b"b\na\n")
        yield cluster


class Terminal:
    """A command whose only terminal this is."""

    def __init__(self, *command):
        self.master, slave = pty.openpty()
        self.seen = b""

        def own_terminal():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=client_env(), preexec_fn=own_terminal)
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self.master)

    def read_until(self, pattern, deadline_s=30):
        """What came since the last one that was found, up to the end of this one."""
        until = time.monotonic() + deadline_s * sanitizer.slowness()
        while not (found := re.search(pattern, self.seen)):
            left = until - time.monotonic()
            assert left > 0 and select.select([self.master], [], [], left)[0], f"no {pattern} in {self.seen}"
            self.seen += self._read(pattern)
        text, self.seen = self.seen[:found.end()], self.seen[found.end():]
        return text

    def _read(self, pattern):
        try:
            return os.read(self.master, 65536)
        except OSError as error:  # the command has ended, and with it its side of the terminal
            raise AssertionError(f"no {pattern} in {self.seen}") from error

    def type(self, keys):
        os.write(self.master, keys)

    def exit_code(self):
        with contextlib.suppress(OSError):  # so that it never waits for us
            while more := os.read(self.master, 65536):
                self.seen += more
        return self.process.wait(30)


def follow(cluster, mapper, out):
    return Terminal(cairn_path(), "streaming", "-fs", cluster.uri, "-mapper", mapper, "-reducer", "cat", "-input", "/in", "-output", out)


def name_of_job(terminal):
    return re.search(rb"job_\d+_\d+", terminal.read_until(rb"Running job: job_\d+_\d+\r\n")).group(0).decode()


def test_bars_are_drawn_over_each_other(running):
    with follow(running, "sh -c 'sleep 1.5; cat'", "/bars") as terminal:
        name_of_job(terminal)
        first = terminal.read_until(rb"\rmap \[>? *\] +0%  shuffle \[>? *\] +0%  reduce \[>? *\] +0%")
        assert b"\n" not in first
        last = terminal.read_until(rb"\rmap \[=+\] 100%  shuffle \[=+\] 100%  reduce \[=+\] 100% [^\r\n]*\r\n")
        assert last.count(b"\r") > 1 and b"100% local" in last
        assert terminal.exit_code() == 0
    assert output(running, "/bars") == b"a\t\nb\t\n"


@pytest.mark.parametrize("key", [b"y\n", b"k\n", b"\x03"], ids=["y", "k", "again"])
def test_interrupt_asks_and_kills(running, key):
    out = f"/killed-{key[0]}"
    with follow(running, "sleep 1000", out) as terminal:
        name = name_of_job(terminal)
        terminal.read_until(rb"\rmap \[")
        terminal.type(b"\x03")
        assert name.encode() in terminal.read_until(ASKED)
        terminal.type(key)
        assert terminal.exit_code() == 1
    assert state(running, name) == "KILLED"
    wait_for(lambda: running.fs("-test", "-e", out).returncode == 1, 20, "the end of the output folder")


def test_interrupt_asks_and_leaves(running):
    with follow(running, "sh -c 'sleep 3; cat'", "/left") as terminal:
        name = name_of_job(terminal)
        terminal.read_until(rb"\rmap \[")
        terminal.type(b"\x03")
        terminal.read_until(ASKED)
        terminal.type(b"c\n")
        terminal.read_until(rb"\rmap \[")
        terminal.type(b"\x03")
        terminal.read_until(ASKED)
        terminal.type(b"l\n")
        terminal.read_until(rb"goes on running")
        assert terminal.exit_code() == 130
    assert job(running, "-wait", name).returncode == 0
    assert output(running, "/left") == b"a\t\nb\t\n"

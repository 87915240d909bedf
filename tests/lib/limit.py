"""A test that never ends is a failure with a name, and the run goes on: first the test is interrupted, so that it stops its
daemons; where even that does not help, the process that runs it ends, and with it its part of the run."""
import contextlib
import faulthandler
import os
import signal
import subprocess

import pytest

from lib import sanitizer

# Seconds for a test with its fixtures, by the folder it is in; what is not here has no limit. Far from what any takes.
_LIMITS_S = {"cluster": 600, "faults": 600, "compose": 900, "posix": 900, "interop": 1200, "long": 3600}
_TO_STOP_S = 240
_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_stderr = []  # the real one, which is not captured


def begin():
    """To be called while pytest captures nothing."""
    _stderr.append(os.dup(2))


@contextlib.contextmanager
def limit(path):
    """Bounds the test of that file."""
    limit_s = _LIMITS_S.get(os.path.relpath(path, _HERE).split(os.sep)[0], 0) * sanitizer.slowness()
    if not limit_s:
        yield
        return

    def interrupt(*_):
        faulthandler.dump_traceback(_stderr[0])
        subprocess.run(["ps", "-eLo", "pid,ppid,tid,stat,etimes,wchan:32,comm,args", "--cols", "200"], stdout=_stderr[0])
        pytest.fail(f"not done after {limit_s:.0f} s")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(int(limit_s))
    faulthandler.dump_traceback_later(limit_s + _TO_STOP_S, exit=True, file=_stderr[0])
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)

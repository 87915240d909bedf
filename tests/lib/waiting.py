"""Waiting for a condition with a deadline: the only way in which a test lets time pass."""
import time

from lib import sanitizer


class Timeout(AssertionError):
    pass


def wait_for(condition, deadline_s, what, every_s=0.05):
    """Calls condition() until it returns something true, and returns that; an exception of it counts as "not yet",
    except a failed assertion, which ends the wait at once. After deadline_s raises Timeout, which says what was awaited and what was seen last."""
    deadline_s *= sanitizer.slowness()
    end = time.monotonic() + deadline_s
    while True:
        try:
            last = condition()
            if last:
                return last
        except AssertionError:
            raise
        except Exception as error:  # a daemon that is still starting refuses, times out, answers half a reply
            last = error
        if time.monotonic() >= end:
            raise Timeout(f"{what}: not after {deadline_s} s; last seen: {last!r}")
        time.sleep(every_s)

"""What a test needs and this machine may not have."""
import os

import pytest


def missing(reason):
    """A tool of an interop test is not there: a skip that says why; where the tests must run, a failure."""
    if os.environ.get("CI") == "true" or os.environ.get("CAIRN_INTEROP") == "required":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)

"""Hadoop's own classes of tests on Apache's daemons and on ours: what passes there passes here.

suites/*.list name the classes and how many of each one's tests passed here when it was written down; the known
differences, each with its reason, are the table of docs/suites.md."""
import os
import re

import pytest

from lib import suites
from lib.jars import Unavailable
from lib.needs import missing

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "suites")
GROUPS = sorted(name.removesuffix(".list") for name in os.listdir(FOLDER))
CLASS_S = 240  # for one class; most take seconds
GROUP_S = 1200


def _wanted(group):
    """{class: tests of it that must pass here}"""
    with open(os.path.join(FOLDER, group + ".list")) as file:
        rows = [line.split() for line in file if line.strip() and not line.startswith("#")]
    return {name: int(count) for name, count in rows}


@pytest.mark.parametrize("group", GROUPS)
def test_group(group, tmp_path):
    wanted = _wanted(group)
    try:
        runs = [suites.Run(tmp_path / side, side == "ours", wanted, CLASS_S) for side in ("apache", "ours")]
    except Unavailable as error:
        missing(f"Hadoop's tests cannot be run: {error}")
    apache, ours = (run.outcomes(GROUP_S) for run in runs)
    known = suites.known_differences()
    worse = [
        f"{test}\n{ours.text(test)}"
        for test in sorted(apache.tests("ok") - ours.tests("ok", "inside"))
        if not any(re.fullmatch(pattern, test) for pattern in known)
    ]
    fewer = [
        f"{name}: {ours.count(name)} tests passed, not {count}"
        for name, count in wanted.items()
        if ours.count(name) < count
    ]
    assert not worse + fewer, "\n".join(worse + fewer)

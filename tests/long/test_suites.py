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
    """{class and what is left out of it: tests of it that must pass here}"""
    with open(os.path.join(FOLDER, group + ".list")) as file:
        rows = [line.split() for line in file if line.strip() and not line.startswith("#")]
    return {" ".join([name, *left_out]): int(count) for name, count, *left_out in rows}


class Comparison:
    """What passes on Apache and not on ours, and the classes that passed fewer of their tests than they did."""

    def __init__(self, wanted, apache, ours):
        self._wanted, self._apache, self._ours = wanted, apache, ours
        self._known = suites.known_differences()

    def _is_known(self, test):
        return any(re.fullmatch(pattern, test) for pattern in self._known)

    def worse(self):
        return [test for test in sorted(self._apache.tests("ok") - self._ours.tests("ok", "inside")) if not self._is_known(test)]

    def fewer(self):
        return [name for name, count in self._wanted.items() if self._ours.count(name) < count]

    def classes(self):
        simple = {test.split(".")[0] for test in self.worse()}
        return [name for name in self._wanted if suites.simple_name(name) in simple or name in self.fewer()]

    def text(self):
        worse = [f"{test}\n{self._ours.text(test)}" for test in self.worse()]
        fewer = [f"{name}: {self._ours.count(name)} tests passed, not {self._wanted[name]}" for name in self.fewer()]
        return "\n".join(worse + fewer)


@pytest.mark.parametrize("group", GROUPS)
def test_group(group, tmp_path):
    wanted = _wanted(group)
    try:
        runs = [suites.Run(tmp_path / side, side == "ours", wanted, CLASS_S) for side in ("apache", "ours")]
        apache, ours = (run.outcomes(GROUP_S) for run in runs)
        comparison = Comparison(wanted, apache, ours)
        if again := comparison.classes():  # these tests count on their own pace: one that fails gets a second chance
            print(f"a second time: {again}\n{comparison.text()}")
            ours.better_of(suites.Run(tmp_path / "again", True, again, CLASS_S).outcomes(GROUP_S))
    except Unavailable as error:
        missing(f"Hadoop's tests cannot be run: {error}")
    assert not comparison.text(), comparison.text()

"""Fixtures that every folder of tests may use."""
import shutil
import subprocess

import pytest

from lib import apache as apache_lib
from lib import calls, limit, sanitizer
from lib.cluster import Cluster
from lib.needs import missing
from lib.place import PLACES, open_place

_reports = []  # one sanitizer.Reports, when the executable under test was built with SAN=...


def pytest_configure(config):
    limit.begin()


def pytest_sessionstart(session):
    if sanitizer.kind():
        _reports.append(sanitizer.Reports())


def pytest_sessionfinish(session):
    for reports in _reports:
        if text := reports.close():
            print(f"sanitizer reports that belong to no test:\n{text}")
            session.exitstatus = 1


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    with limit.limit(item.path):
        yield


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    """Whatever any process reported during the test, or while its clusters stopped after it, is a failure of the test."""
    for reports in _reports:
        if text := reports.take():
            pytest.fail(f"sanitizer reports:\n{text}", pytrace=False)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """What the test's clients called, set-up included: its fixtures are still there."""
    yield
    calls.record(item.nodeid)


@pytest.fixture(autouse=True)
def no_mount_is_left(request):
    """pytest removes old folders of tests with all that is below: through a mount that was left there, whatever cluster has its
    address by then."""
    path = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    yield
    if path:
        with open("/proc/self/mounts") as mounts:
            left = [line.split()[1] for line in mounts if line.split()[1].startswith(f"{path}/")]
        for place in reversed(left):
            subprocess.run(["umount", "-l", place], check=False)


@pytest.fixture(scope="session")
def need_tool():
    """need_tool("rclone") gives its path, or skips or fails the test."""

    def need(name, package):
        path = shutil.which(name)
        return path or missing(f"'{name}' is not installed (Debian package {package}); run tools/deps interop posix")

    return need


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the end of every daemon's log beside a failure, unless the test itself said all there is to say."""
    report = (yield).get_result()
    if report.failed and not isinstance(call.excinfo.value, pytest.fail.Exception):
        for name in sorted(getattr(item, "funcargs", {})):
            value = item.funcargs[name]
            if hasattr(value, "log_tails"):
                report.sections.append((f"logs of {name}", value.log_tails()))


@pytest.fixture
def cluster(tmp_path):
    """A Cairn cluster of three nodes for one test."""
    with Cluster(tmp_path / "cluster") as running:
        yield running


@pytest.fixture(scope="session", params=PLACES)
def file_system(request):
    """A lib.place.Place: each kind of file system that must do as POSIX says, in turn."""
    with open_place(request.param) as place:
        yield place


@pytest.fixture
def place(file_system):
    """A new folder of such a file system, which every user may enter; gone after the test."""
    with file_system.folder() as path:
        yield path


@pytest.fixture(scope="session")
def hadoop():
    """Hadoop's class path, or skip or fail."""
    try:
        return apache_lib.class_path()
    except apache_lib.Unavailable as error:
        return missing(f"Apache Hadoop cannot be run: {error}")


@pytest.fixture(scope="session")
def apache(hadoop, tmp_path_factory):
    """An Apache NameNode with three DataNodes, for all tests of this run."""
    running = apache_lib.ApacheCluster(tmp_path_factory.mktemp("apache"), datanodes=3).start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def java_shell(hadoop, tmp_path_factory):
    """Hadoop's own command line tools."""
    shell = apache_lib.JavaShell(tmp_path_factory.mktemp("java-shell"))
    yield shell
    shell.stop()

"""pjdfstest on each file system: whatever passes on the local ext4 passes there.

Two of them: the original, from the folder that CAIRN_PJDFSTEST names (a checkout, built as its README says), and its
rewrite in Rust, a crate that cargo installs into a cache outside the tree."""
import fcntl
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.needs import missing
from lib.place import open_place
from lib.venv import ROOT as CACHE

CRATE, VERSION = "pjdfstest", "0.2.2"
CONFIGURATION = """
[features]
posix_fallocate = {}
rename_ctime = {}
utime_now = {}
utimensat = {}
[settings]
naptime = 0.02
allow_remount = false
[dummy_auth]
entries = [["nobody", "nogroup"], ["daemon", "daemon"]]
"""


SKIPS = "skips itself"


# ---- the original: shell scripts that print TAP ----
@pytest.fixture(scope="session")
def original():
    folder = os.environ.get("CAIRN_PJDFSTEST")
    if not folder:
        pytest.skip("CAIRN_PJDFSTEST names no folder of a built pjdfstest; no registry has it")
    assert os.access(f"{folder}/pjdfstest", os.X_OK), f"there is no program 'pjdfstest' in {folder}: build it as its README says"
    return os.path.abspath(folder)


def _run_script(script, folder):
    """{(script, number, what): whether it passed}; what is to be done or skipped there is left out."""
    os.mkdir(folder)
    done = subprocess.run(["sh", script], cwd=folder, capture_output=True, text=True, errors="replace", timeout=1800)
    shutil.rmtree(folder, ignore_errors=True)
    name = "/".join(script.split("/")[-2:])
    lines = re.findall(r"^(ok|not ok) (\d+)(.*)$", done.stdout, re.MULTILINE)
    results = {(name, int(number)): state == "ok" for state, number, rest in lines if "# TODO" not in rest and "# SKIP" not in rest.upper()}
    planned = re.search(r"^1\.\.(\d+)", done.stdout, re.MULTILINE)
    if planned and planned[1] == "1" and lines == [("ok", "1", "")]:
        return {(name, SKIPS): True}  # how a script says that it is not for this kind of file system, by the kind's name
    results[name, "came to its end"] = bool(planned) and int(planned[1]) == len(lines)
    return results


def _run_scripts(original, place):
    scripts = sorted(os.path.join(where, name) for where, _, names in os.walk(f"{original}/tests") for name in names if name.endswith(".t"))
    results = {}
    with ThreadPoolExecutor(2) as pool:
        for one in pool.map(lambda n: _run_script(scripts[n], f"{place}/{n}"), range(len(scripts))):
            results |= one
    return results


# ---- the crate ----
# glibc knows the most links only of some kinds of file systems, and what it says of others the crate does not believe and skips this.
NOT_ON_FUSE = {"link::link_count_max"}


@pytest.fixture(scope="session")
def crate():
    """The path of the program, installed once."""
    root = os.path.join(CACHE, f"{CRATE}-crate-{VERSION}")
    path = f"{root}/bin/{CRATE}"
    os.makedirs(CACHE, exist_ok=True)
    with open(root + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path):
            cargo = shutil.which("cargo") or missing("'cargo' is not installed (1.85 or newer)")
            command = [cargo, "install", CRATE, "--version", VERSION, "--locked", "--root", root]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                missing(f"{' '.join(command)}: {done.stderr[-1000:]}")
    return path


def _run_crate(crate, place, tmp_path):
    """{test: whether it passed}; what it skips is left out."""
    (tmp_path / "configuration.toml").write_text(CONFIGURATION)
    command = [crate, "-c", tmp_path / "configuration.toml", "-p", place, "-s", "/dev/shm"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=3600)
    rows = re.findall(r"^(\S+::\S+) +(ok|FAILED)$", done.stdout, re.MULTILINE)
    assert len(rows) > 300, (done.stdout + done.stderr)[-2000:]
    return {name: state == "ok" for name, state in rows}


# ---- both ----
@pytest.fixture(scope="session")
def measure():
    """measure(run) gives, once, what run(folder) says of the local ext4."""
    seen = {}

    def measured(run):
        if run.__name__ not in seen:
            with open_place("ext4") as local, local.folder() as folder:
                seen[run.__name__] = run(folder)
        return seen[run.__name__]

    return measured


def _judge(name, run, at_least, file_system, place, measure):
    """On ext4 everything passes; elsewhere what passes on ext4."""
    local = measure(run)
    assert len(local) > at_least
    here = local if file_system.is_measure else run(place)
    skipped = {test[0] for test in here if test[1:] == (SKIPS,)}
    print(f"{name}: {sum(here.values())} of {len(here)} pass, on ext4 {sum(local.values())} of {len(local)}")
    skipped |= NOT_ON_FUSE - here.keys()
    worse = [test for test, ok in local.items() if not (here.get(test) or skipped & {test, test[0]}) and (ok or file_system.is_measure)]
    assert not worse, f"{len(worse)} do not pass, as on ext4: {worse[:100]}"


def test_original(original, file_system, place, measure):
    def original_scripts(folder):
        return _run_scripts(original, folder)

    _judge("pjdfstest", original_scripts, 8000, file_system, place, measure)


def test_crate(crate, file_system, place, measure, tmp_path):
    def crate_tests(folder):
        return _run_crate(crate, folder, tmp_path)

    _judge("pjdfstest (crate)", crate_tests, 300, file_system, place, measure)

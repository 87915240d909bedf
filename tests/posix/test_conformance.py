"""What POSIX says of every call, on each file system; and that the suite sees a file system that does not keep to it."""
import os
import re

import pytest

from lib.needs import missing
from lib.place import run_tool

CHECKS_MIN = 1300  # so many take place where nothing ends early

# What tests/posix/faults can get wrong, and a subject that must see it.
FAULTS = {
    "write-tears": "read_write",
    "append-is-ignored": "append",
    "exclusive-is-ignored": "exclusive",
    "truncate-shows-old-bytes": "truncate",
    "keep-size-grows": "fallocate",
    "punch-goes-too-far": "fallocate",
    "holes-are-hidden": "seek",
    "mapped-writes-are-lost": "mmap",
    "copy-reads-elsewhere": "copy_range",
    "errno-is-another": "rename",
    "noreplace-replaces": "renameat2",
    "link-copies": "link",
    "unlink-is-lost": "unlink",
    "readdir-skips": "readdir",
    "chmod-drops-setid": "chmod",
    "times-are-rounded": "utimens",
    "xattr-flags-are-ignored": "xattr",
    "acl-is-ignored": "acl",
    "locks-are-ignored": "locks",
}


@pytest.fixture(autouse=True)
def as_root():
    if os.geteuid():
        missing("only root can become other users")


def failures(done):
    return re.findall(r"^not ok .*\n(?:# .*\n)?", done.stdout, re.MULTILINE)


def test_conformance(file_system, place):
    options = ["--known", file_system.known] if file_system.known else []
    done = run_tool("conformance", *options, "--second", file_system.through_second(place), place)
    assert done.returncode == 0, "".join(failures(done)) + done.stdout[-300:] + done.stderr
    passed, failed, known = map(int, re.search(r"^# (\d+) passed, (\d+) failed, (\d+) known", done.stdout, re.MULTILINE).groups())
    assert failed == 0 and passed + known >= CHECKS_MIN
    assert os.listdir(place) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_file_system_is_seen(fault, tmp_path):
    right = run_tool("conformance", "--only", FAULTS[fault], tmp_path)
    assert right.returncode == 0, failures(right)
    wrong = run_tool("conformance", "--only", FAULTS[fault], "--deadline", 10, tmp_path, fault=fault)
    assert wrong.returncode == 1
    assert any(FAULTS[fault] + ":" in line for line in failures(wrong)), wrong.stdout + wrong.stderr


def test_a_second_mount_that_is_none_is_seen(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    for subject in "two_mounts", "locks_between_mounts":
        done = run_tool("conformance", "--only", subject, "--second", tmp_path / "there", tmp_path / "here")
        assert done.returncode == 1 and failures(done)


def test_a_subject_that_hangs_or_dies_has_failed(tmp_path):
    """Locks that are never granted: the deadline ends the wait, the rest still runs."""
    done = run_tool("conformance", "--only", "locks", "--only", "setgid_directory", "--deadline", 1, tmp_path, fault="locks-wait-for-ever")
    assert done.returncode == 1
    assert "not ok" in done.stdout and "locks: comes to its end" in done.stdout
    assert re.search(r"^ok .* setgid_directory: ", done.stdout, re.MULTILINE)


def test_known_differences(tmp_path):
    """What is listed may fail; what is listed and does not fail, or does not exist, is an error, and so is anything else."""
    wrong = run_tool("conformance", "--only", "xattr", tmp_path, fault="xattr-flags-are-ignored")
    names = [line.split(" - ", 1)[1].split("\n")[0] for line in failures(wrong)]
    assert len(names) > 1
    listed = tmp_path / "known"
    listed.write_text("# a comment\n" + "".join(f"{name} # said so\n" for name in names))
    run = ["--known", listed, "--only", "xattr", tmp_path]
    done = run_tool("conformance", *run, fault="xattr-flags-are-ignored")
    assert done.returncode == 0 and f"{len(names)} known differences" in done.stdout
    assert run_tool("conformance", *run).returncode == 1
    listed.write_text(f"{names[0]} # said so\n")
    assert run_tool("conformance", *run, fault="xattr-flags-are-ignored").returncode == 1
    listed.write_text("xattr: no such check # said so\n")
    assert "there is no such check" in run_tool("conformance", *run).stdout
    listed.write_text("no reason\n")
    assert run_tool("conformance", *run).returncode == 2


def test_list_and_only(tmp_path):
    subjects = run_tool("conformance", "--list").stdout.split()
    assert len(subjects) == len(set(subjects)) > 30 and set(FAULTS.values()) <= set(subjects)
    done = run_tool("conformance", "--only", "sticky", tmp_path)
    assert done.returncode == 0
    assert all(" sticky: " in line for line in done.stdout.splitlines() if line.startswith(("ok", "not ok")))
    assert run_tool("conformance", "--only", "nonsense", tmp_path).returncode == 1

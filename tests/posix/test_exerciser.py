"""Random operations held against a model, on each file system; and that the exerciser finds what is planted."""
import os

import pytest

from lib.place import run_tool

FILE_FAULTS = ["write-tears", "truncate-shows-old-bytes", "punch-goes-too-far", "keep-size-grows", "mapped-writes-are-lost",
               "copy-reads-elsewhere", "close-loses-a-byte", "data-is-called-a-hole"]
NAME_FAULTS = ["exclusive-is-ignored", "noreplace-replaces", "link-copies", "unlink-is-lost", "readdir-skips", "errno-is-another"]


def exercise(*args, **more):
    done = run_tool("exerciser", *args, **more)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("seed", range(1, 4))
def test_bytes(place, tmp_path, seed):
    exercise("--seed", seed, "--ops", 5000, "--files", seed, "--log", tmp_path / "log", place)


def test_large_files(place, tmp_path):
    exercise("--seed", 7, "--ops", 1500, "--size", 20 << 20, "--length", 2 << 20, "--log", tmp_path / "log", place)


def test_names(place, tmp_path):
    exercise("--seed", 1, "--ops", 8000, "--names", "--files", 0, "--log", tmp_path / "log", place)


def test_two_mounts(file_system, place, tmp_path):
    """What is closed on one side is there when it is opened on the other, and names follow."""
    second = file_system.through_second(place)
    exercise("--seed", 11, "--ops", 6000, "--files", 3, "--names", "--second", second, "--log", tmp_path / "log", place)


def find(fault, tmp_path, *options):
    """The planted mistake is found, and what is left of the sequence finds it again, and nothing without it."""
    folder, log = tmp_path / "folder", tmp_path / "log"
    folder.mkdir()
    done = run_tool("exerciser", "--ops", 20000, "--shorten", 200, "--log", log, *options, folder, fault=fault)
    assert done.returncode == 1 and "this was: " in done.stderr, done.stderr
    again = [*options, "--shorten", 0, "--log", tmp_path / "log2", "--replay", log, folder]
    assert run_tool("exerciser", *again, fault=fault).returncode == 1
    exercise(*again)
    assert os.listdir(folder) == []
    return [line for line in log.read_text().splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("fault", FILE_FAULTS)
def test_wrong_bytes_are_found(fault, tmp_path):
    assert len(find(fault, tmp_path)) <= 4


@pytest.mark.parametrize("fault", NAME_FAULTS)
def test_wrong_names_are_found(fault, tmp_path):
    assert len(find(fault, tmp_path, "--names", "--files", 0)) <= 12


def test_two_folders_that_are_not_one_are_found(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    done = run_tool("exerciser", "--second", tmp_path / "b", "--log", tmp_path / "log", tmp_path / "a")
    assert done.returncode == 1 and "No such file" in done.stderr


def test_the_same_seed_is_the_same_sequence(tmp_path):
    logs = []
    for name in "one", "two":
        done = run_tool("exerciser", "--seed", 5, "--shorten", 0, "--log", tmp_path / name, tmp_path, fault="write-tears")
        assert done.returncode == 1
        logs.append([line for line in (tmp_path / name).read_text().splitlines() if not line.startswith("#")])
    assert logs[0] == logs[1] and len(logs[0]) > 20


def test_options_and_logs_that_are_wrong(tmp_path):
    log = tmp_path / "log"
    for content in "nonsense\n", "write file=9 other=0 offset=0 length=1 to=0 seed=1\n", "write file=0 other=0 offset=999999999 length=9 to=0 seed=1\n":
        log.write_text(content)
        done = run_tool("exerciser", "--replay", log, tmp_path)
        assert done.returncode == 2 and "no operation" in done.stderr
    for options in (["--without", "nonsense"], ["--files", "0"], ["--size", "0"], ["--nonsense"]):
        assert run_tool("exerciser", *options, tmp_path).returncode == 2
    left_out = exercise("--without", "punch", "--without", "copy", "--ops", 100, tmp_path)
    assert "100 operations" in left_out.stdout

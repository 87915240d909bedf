"""The long runs on each file system: a million operations of our exerciser, fio that verifies what it wrote, and
stress-ng's file-system stressors. CAIRN_OPS and CAIRN_SECONDS make them shorter or longer."""
import os
import subprocess

import pytest

from lib.many_files import round_trip
from lib.needs import missing
from lib.place import run_tool

OPS = int(os.environ.get("CAIRN_OPS", 1_000_000))
SECONDS = int(os.environ.get("CAIRN_SECONDS", 10))  # for one stressor
SEEDS = range(1, 4)


def run(*command, cwd, deadline_s):
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, errors="replace", timeout=deadline_s)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{(done.stdout + done.stderr)[-3000:]}"
    return done.stdout + done.stderr


@pytest.mark.parametrize("seed", SEEDS)
def test_a_million_operations(place, tmp_path, seed):
    options = ["--seed", seed, "--ops", OPS, "--files", 3, "--size", 1 << 20, "--names", "--log", tmp_path / "log"]
    done = run_tool("exerciser", *options, place, deadline_s=4 * 3600)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("seed", SEEDS)
def test_a_million_operations_on_two_mounts(file_system, place, tmp_path, seed):
    options = ["--seed", 100 + seed, "--ops", OPS, "--files", 3, "--names", "--log", tmp_path / "log"]
    done = run_tool("exerciser", *options, "--second", file_system.through_second(place), place, deadline_s=4 * 3600)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("files", [50_000])
def test_many_files_through_tar(place, tmp_path, files):
    round_trip(place, tmp_path, files)


FIO = {
    "sequential": ["--rw=write", "--bs=128k"],
    "sequential-direct": ["--rw=write", "--bs=1m", "--direct=1"],
    "random": ["--rw=randwrite", "--bs=4k"],
    "random-direct": ["--rw=randwrite", "--bs=4k", "--direct=1"],
    "mixed": ["--rw=randrw", "--bsrange=512-64k", "--bs_unaligned=1", "--norandommap=0"],
    "mixed-synced": ["--rw=randrw", "--bs=8k", "--fdatasync=16"],
    "mmap": ["--rw=randwrite", "--bs=4k", "--ioengine=mmap"],
    "mmap-mixed": ["--rw=randrw", "--bs=8k", "--ioengine=mmap"],
    "asynchronous-direct": ["--rw=randwrite", "--bs=16k", "--direct=1", "--ioengine=libaio", "--iodepth=16"],
}


@pytest.mark.parametrize("job", FIO)
def test_fio(place, job, need_tool):
    """Two jobs at a time; every block has its checksum and its place in it, and is read back in the end."""
    verify = ["--verify=crc32c", "--verify_fatal=1", "--do_verify=1", "--verify_state_save=0", "--randseed=42"]
    command = [need_tool("fio", "fio"), f"--name={job}", f"--directory={place}", "--size=64m", "--numjobs=2", "--thread", *verify, *FIO[job]]
    printed = run(*command, cwd=place, deadline_s=1800)
    assert "err= 0" in printed and "verify: bad" not in printed


# All of `stress-ng --class filesystem?` that work in the folder they are given, and those of other classes that do.
# fanotify watches every mount of the machine, bind-mount, binderfs, eventfd, ioprio and procfs none of ours.
STRESSORS = """access aio aiol chattr chdir chmod chown copy-file dentry dir dirdeep dirmany dnotify dup fallocate fcntl fiemap
    file-ioctl filename flock fpunch fsize fstat getdent handle hdd inode-flags inotify io iomix lease link locka lockf lockofd
    mknod mmap msync open readahead rename revio seek sendfile symlink sync-file touch utime verity xattr""".split()
NOT_IMPLEMENTED = 4  # stress-ng's exit code where the file system says that it has no such thing


@pytest.mark.parametrize("stressor", STRESSORS)
def test_stress_ng(place, stressor, need_tool):
    command = [need_tool("stress-ng", "stress-ng"), "--temp-path", place, f"--{stressor}", "2", "--verify", "--timeout", f"{SECONDS}s"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, errors="replace", timeout=SECONDS + 300)
    printed = done.stdout + done.stderr
    if done.returncode == NOT_IMPLEMENTED:
        missing(f"stress-ng does not run '{stressor}' there: {printed[-500:]}")
    assert done.returncode == 0 and "fail:" not in printed, printed[-3000:]

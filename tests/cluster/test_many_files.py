"""The namenode's promises about size: memory that does not grow with the number of files, renames that cost the same whatever
is below, and a start that does not read the namespace."""
import os
import subprocess
import time
import urllib.request

import pytest

from lib import sanitizer
from lib.cluster import ROOT, cairn_path, client_env, run_cairn
from lib.ports import port_block, release_port_block
from lib.process import is_alive
from lib.waiting import wait_for

FILES = 16_000 if sanitizer.kind() else 100_000
FILES_AT_START = 20_000 if sanitizer.kind() else 1_000_000
RESIDENT_MAX_MIB = 64
START_MAX_S = 1.0


def bench_program(name):
    """A program of tests/bench, built beside the executable under test."""
    build = os.path.dirname(os.path.abspath(cairn_path()))
    variant = os.path.basename(build)
    sanitizers = variant.removeprefix("san-").replace("-", ",") if variant.startswith("san-") else ""
    path = os.path.join(build, "tests", "bench", name)
    subprocess.run(["make", "-s", "-C", ROOT, f"B={build}", f"SAN={sanitizers}", path], check=True, capture_output=True)
    return path


class Namenode:
    def __init__(self, folder):
        self.folder, self.base, self.daemon = str(folder), port_block(), None
        self.address = f"127.0.0.1:{self.base}"

    def start(self):
        """Starts it; the seconds until it said that it is ready."""
        ready, theirs = os.pipe()
        os.set_inheritable(theirs, True)
        command = [cairn_path(), "namenode", "--ready-fd", str(theirs), "-D", f"fs.defaultFS=hdfs://{self.address}", "-D",
                   f"dfs.namenode.http-address=127.0.0.1:{self.base + 1}", "-D", f"dfs.namenode.name.dir={self.folder}/name"]
        with open(f"{self.folder}/namenode.log", "ab") as log:
            begin = time.monotonic()
            self.daemon = subprocess.Popen(command, stdout=log, stderr=log, env=client_env(), pass_fds=[theirs])
        os.close(theirs)
        assert os.read(ready, 1) == b"\0", open(f"{self.folder}/namenode.log").read()
        os.close(ready)
        return time.monotonic() - begin

    def stop(self):
        if self.daemon:
            self.daemon.terminate()
            self.daemon.wait(30 * sanitizer.slowness())
        release_port_block(self.base)

    def resident_mib(self):
        with open(f"/proc/{self.daemon.pid}/status") as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS:"))

    def fs(self, *args, **options):
        return run_cairn("fs", "-fs", f"hdfs://{self.address}", *args, **options)


@pytest.fixture
def namenode(tmp_path):
    one = Namenode(tmp_path)
    yield one
    one.stop()


def took_s(function):
    begin = time.monotonic()
    function()
    return time.monotonic() - begin


def test_a_hundred_thousand_files(namenode):
    namenode.start()
    load = [bench_program("namenode_load"), namenode.address]
    print(subprocess.run([*load, "make", "/deep/er", str(FILES), "16"], check=True, capture_output=True, text=True).stdout)
    seen = [("made", namenode.resident_mib())]
    listed = namenode.fs("-ls", "-R", "-C", "/deep", check=True).stdout.splitlines()
    assert len(listed) == len(set(listed)) and sum(b"/f" in line for line in listed) == FILES
    seen.append(("listed", namenode.resident_mib()))
    small = took_s(lambda: namenode.fs("-mv", "/deep/er/t00/d0000/f0000", "/deep/er/t00/d0000/moved", check=True))
    large = took_s(lambda: namenode.fs("-mv", "/deep", "/renamed", check=True))
    assert large < 10 * small + 0.1, "the rename of a directory took longer the more was below"
    assert namenode.fs("-test", "-e", "/renamed/er/t15/d0000/f0999").returncode == 0
    seen.append(("renamed", namenode.resident_mib()))
    assert took_s(lambda: namenode.fs("-rm", "-r", "-skipTrash", "/renamed", check=True)) < 10 * small + 0.1
    wait_for(lambda: metric(namenode, "cairn_namenode_inodes") == 1, 60, "the deleted files to be reaped", every_s=0.2)
    seen.append(("removed", namenode.resident_mib()))
    print(", ".join(f"{what}: {mib:.1f} MiB" for what, mib in seen))
    if not sanitizer.kind():
        assert max(mib for _, mib in seen) < RESIDENT_MAX_MIB
    assert is_alive(namenode.daemon.pid)


def metric(namenode, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{namenode.base + 1}/metrics", timeout=10) as reply:
        return next(int(line.split()[1]) for line in reply.read().decode().splitlines() if line.startswith(name + " "))


def test_a_million_files_are_no_reason_to_start_slowly(namenode):
    made = subprocess.run([bench_program("namespace_fill"), f"{namenode.folder}/name", str(FILES_AT_START)], check=True,
                          capture_output=True, text=True, timeout=400)
    print(made.stdout)
    first = namenode.start()
    assert namenode.fs("-test", "-e", f"/fill/d{FILES_AT_START // 1000 - 1:04}/f0999").returncode == 0
    resident = namenode.resident_mib()
    namenode.daemon.kill()
    namenode.daemon.wait()
    again = namenode.start()
    print(f"ready after {first:.3f} s, after kill -9 {again:.3f} s; {resident:.1f} MiB")
    if not sanitizer.kind():
        assert first < START_MAX_S and again < START_MAX_S
        assert resident < RESIDENT_MAX_MIB

"""Folders on which a file system is tested as programs use it: the local one, which is the measure, and others."""
import contextlib
import itertools
import os
import shutil
import subprocess
import tempfile
import threading

from lib.cluster import ROOT, Cluster, run_cairn
from lib.needs import missing

# What must pass everything; `make posix` sets CAIRN_KILLS, so that it does that under dying datanodes too.
PLACES = ["ext4", "mount"]
PLACES += ["mount-under-kills"] if os.environ.get("CAIRN_KILLS") else []
PLACES += ["given"] if os.environ.get("CAIRN_PLACE") else []


class Place:
    """A file system: `path` leads into it, and `second` to the same folder, through another mount where there are mounts.
    known is a file of what is known to differ there, or None; is_measure: it is what others are held against."""

    def __init__(self, path, second=None, known=None, is_measure=False):
        self.path, self.second, self.known, self.is_measure = path, second or path, known, is_measure

    @contextlib.contextmanager
    def folder(self):
        """The path of a new folder, and in the end nothing is left of it."""
        path = tempfile.mkdtemp(prefix="posix-", dir=self.path)
        os.chmod(path, 0o755)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def through_second(self, path):
        return self.second + path[len(self.path) :]


@contextlib.contextmanager
def _open_folder():
    """A new folder that other users may go through, unlike those of pytest."""
    path = tempfile.mkdtemp(prefix="cairn-place-")
    os.chmod(path, 0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _ext4():
    with _open_folder() as path:
        kind = subprocess.run(["stat", "-f", "-c", "%T", path], capture_output=True, text=True, check=True).stdout.strip()
        if kind != "ext2/ext3":
            missing(f"{os.path.dirname(path)} is no ext4 but {kind}; set TMPDIR to a folder of one")
        yield Place(path, is_measure=True)


@contextlib.contextmanager
def _given():
    """$CAIRN_PLACE, and $CAIRN_SECOND_PLACE where the same folder can be reached through another mount."""
    yield Place(os.environ["CAIRN_PLACE"], os.environ.get("CAIRN_SECOND_PLACE"))


@contextlib.contextmanager
def _mount(kills=False):
    """The mount of a cluster of ours, with trash on; with kills, a datanode dies every ten seconds and comes back."""
    with _open_folder() as folder:
        first, second = f"{folder}/first", f"{folder}/second"
        os.mkdir(second)
        with Cluster(f"{folder}/cluster", nodes=3, mount=first, properties={"fs.trash.interval": 60}) as cluster:
            run_cairn("mount", "-fs", cluster.uri, second, check=True)
            try:
                with _killing(cluster) if kills else contextlib.nullcontext():
                    yield Place(first, second, os.path.join(ROOT, "tests", "posix", "known_on_mount"))
            finally:
                subprocess.run(["umount", second], check=True)


@contextlib.contextmanager
def _killing(cluster, every_s=10):
    """Kills the datanodes in turn until it is left; an error of that is an error of the test."""
    left, errors = threading.Event(), []

    def kill_in_turn():
        try:
            for number in itertools.cycle(range(1, cluster.nodes + 1)):
                if left.wait(every_s):
                    return
                cluster.start_again(cluster.kill(f"datanode-{number}")["name"])
        except Exception as error:
            errors.append(error)

    killer = threading.Thread(target=kill_in_turn)
    killer.start()
    try:
        yield
    finally:
        left.set()
        killer.join()
    assert not errors, errors


def open_place(name):
    """A context manager that gives the Place."""
    return {"ext4": _ext4, "given": _given, "mount": _mount, "mount-under-kills": lambda: _mount(kills=True)}[name]()


def tool(name):
    """The path of one of the programs below tests/posix, built if it is not."""
    path = os.path.join("build", "posix", name)
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "LD_PRELOAD")}
    made = subprocess.run(["make", "-s", "NODEPS=1", path], cwd=ROOT, env=env, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    return os.path.join(ROOT, path)


def run_tool(name, *args, fault=None, deadline_s=600):
    """Runs it; a CompletedProcess with text. With fault, tests/posix/faults makes the file system a bad one."""
    env = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    if fault:
        env |= {"FAULT": fault, "LD_PRELOAD": tool("faults.so")}
    return subprocess.run([tool(name), *map(str, args)], env=env, capture_output=True, text=True, errors="replace", timeout=deadline_s)

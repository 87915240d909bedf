"""Python packages of others, from the package index, in virtual environments that are made once and kept."""
import fcntl
import os
import shutil
import subprocess
import sys

ROOT = os.environ.get("CAIRN_CACHE") or os.path.expanduser("~/.cache/cairn-interop")


class Unavailable(Exception):
    """The packages are not to be had here; the text says why."""


def _make(path, packages):
    part = path + ".part"
    shutil.rmtree(part, ignore_errors=True)
    install = [part + "/bin/python", "-m", "pip", "install", "-q", "--no-cache-dir", *packages]
    for command in ([sys.executable, "-m", "venv", part], install):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise Unavailable(f"{' '.join(command)}: {(done.stdout + done.stderr).strip()[-1000:]}")
    os.rename(part, path)


def python_with(name, version, *more):
    """The Python of an environment that has the package, and `more` ("name==version")."""
    path = os.path.join(ROOT, f"{name}-{version}")
    os.makedirs(ROOT, exist_ok=True)
    with open(path + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(path):
            _make(path, [f"{name}=={version}", *more])
    return path + "/bin/python"

"""What changes when the executable under test was built with SAN=...: where its reports go, how much slower it is, and how
much memory it takes. Any process of a test, daemon or command, leaves its report as a file; conftest.py fails the test."""
import functools
import glob
import os
import tempfile

SUPPRESSIONS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "tools", "tsan.supp")
_RUNTIMES = {b"__asan_init": "address", b"__tsan_init": "thread"}
_PRELOADED = os.environ.get("LD_PRELOAD", "")
_SLOWNESS = {"": 1, "address": 3, "thread": 6}


@functools.lru_cache
def _kind_of(path, _mtime):
    with open(path, "rb") as file:
        program = file.read()
    return next((kind for symbol, kind in _RUNTIMES.items() if symbol in program), "")


def kind():
    """"address", "thread" or "": which sanitizer the executable under test is built with."""
    from lib.cluster import cairn_path

    path = cairn_path()
    return _kind_of(path, os.path.getmtime(path))


@functools.lru_cache
def slowness():
    """The factor on every deadline: $CAIRN_TEST_SLOW, or what the build usually costs."""
    return float(os.environ.get("CAIRN_TEST_SLOW") or _SLOWNESS[kind()])


def memory_factor():
    """Resident memory means little when every allocation has shadow, red zones and quarantine."""
    return 12 if kind() else 1


def can_load_libhdfs():
    """Whether this Python can load the library: a sanitizer's runtime must be the first one in a process (see Makefile)."""
    return bool(_PRELOADED) or not kind()


def python_env():
    """The environment of another Python that loads the library. Python itself leaks: that is not looked for."""
    return os.environ | ({"LD_PRELOAD": _PRELOADED, "ASAN_OPTIONS": "detect_leaks=0"} if kind() else {})


class Reports:
    """The folder in which every process of this test run leaves its sanitizer reports."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="cairn-sanitizer-")
        os.chmod(self.folder, 0o1777)  # tasks of a job are its user's
        os.environ.pop("LD_PRELOAD", None)  # it was for this process only
        common = f"log_path={self.folder}/report:print_stacktrace=1"
        os.environ["ASAN_OPTIONS"] = f"{common}:detect_leaks=1:detect_stack_use_after_return=1"
        os.environ["UBSAN_OPTIONS"] = common
        os.environ["TSAN_OPTIONS"] = f"{common}:second_deadlock_stack=1:history_size=4:suppressions={SUPPRESSIONS}"

    def take(self):
        """The text of all reports since the last call, or ""."""
        texts = []
        for path in sorted(glob.glob(self.folder + "/*")):
            with open(path, errors="replace") as file:
                texts.append(f"{os.path.basename(path)}:\n{file.read()}")
            os.remove(path)
        return "\n".join(texts)

    def close(self):
        text = self.take()
        os.rmdir(self.folder)
        return text

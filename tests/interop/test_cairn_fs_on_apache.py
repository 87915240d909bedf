"""`cairn fs` against Hadoop's own shell: the same command on the same Apache cluster must print the same, end with
the same code and leave the same files, here and there. A failure shows a unified diff, Java's side first.

One case: pytest tests/interop/test_cairn_fs_on_apache.py -k 'rmdir and nope'."""
import difflib
import gzip
import os
import re
import shlex
import shutil

import pytest

from interop.fs_battery import CHANGING, READ_ONLY, READ_ONLY_TREE
from lib import data
from lib.cluster import run_cairn

MASKS = [
    (r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d(,\d{3})?)?", "DATE"),
    (r"\b1[6-9]\d{11}\b", "MILLIS"),
    (r"\b2\d{11}\b", "CHECKPOINT"),  # a folder of the trash, named after the minute
    (r"(hadoop|cairn) fs", "hadoop fs"),  # in a usage line each calls itself by its own name
    (r"blk_\d+_\d+", "BLOCK"),
]

# Explanations are each program's own prose; and of the trash Hadoop logs some steps that mean nothing to a user.
OWN_WORDS = re.compile(r"-(conf|D|fs|jt|files|libjars|archives) <|DATE INFO fs\.TrashPolicyDefault: TrashPolicyDefault#")


def masked(text, more=""):
    for pattern, word in MASKS + ([(more, "#")] if more else []):
        text = re.sub(pattern, word, text)
    return re.sub(r"  +", "  ", text) if more else text  # masked numbers change the width of columns


class Side:
    """Hadoop's shell or ours, on one Apache cluster."""

    def __init__(self, name, execute):
        self.name, self._execute = name, execute

    def lines(self, script, local):
        """Runs lines like those of fs_battery; yields one CompletedProcess for each."""
        for line in filter(None, map(str.strip, script.replace("{local}", str(local)).splitlines())):
            text, piped, command = line.partition(" > ")
            stdin = text.encode().decode("unicode_escape").encode() if piped else b""
            yield self._execute(shlex.split(command if piped else line), stdin)


@pytest.fixture(scope="module")
def java(apache_server):
    return Side("hadoop fs", lambda args, stdin: apache_server.java(*args, stdin=stdin, check=False))


@pytest.fixture(scope="module")
def cairn(apache_server):
    return Side("cairn fs", lambda args, stdin: run_cairn("fs", "-fs", apache_server.fs, *args, stdin=stdin))


def transcript(side, case, local):
    """What a user sees of the command, as lines."""
    shown = []
    for done in side.lines(case.run, local):
        out, err = (masked(stream.decode(errors="backslashreplace"), case.mask) for stream in (done.stdout, done.stderr))
        out, err = ([line for line in text.splitlines() if not OWN_WORDS.match(line)] for text in (out, err))
        if case.stdout == "first":
            out = out[:1]
        if case.stderr != "all":
            err = err[:1] if case.stderr == "first" else []
        shown += out
        shown += [f"stderr: {line}" for line in err] + [f"exit code: {done.returncode}"]
    return shown


def left_behind(server, local):
    """What the command left in the file system and in the local folder, as lines."""
    listing = server.java("-ls", "-R", "/w", "/user", check=False).stdout.decode().splitlines()
    files = [line.split(maxsplit=7)[-1] for line in listing if line.startswith("-")]
    sums = server.java("-checksum", *files).decode().splitlines() if files else []
    here = [
        f"local {os.path.relpath(path, local)} {os.stat(path).st_mode:o} {data.sha256_file(path)}"
        for where, _, names in sorted(os.walk(local))
        for path in sorted(os.path.join(where, name) for name in names)
    ]
    return [masked(line) for line in listing + sums + here]


def must_be_equal(case, theirs, ours):
    diff = list(difflib.unified_diff(theirs, ours, "hadoop fs", "cairn fs", lineterm="", n=50))
    if diff:
        pytest.fail(f"{case.run}\n" + "\n".join(diff), pytrace=False)


@pytest.fixture(scope="module")
def read_only_tree(java, apache_server, tmp_path_factory):
    local = tmp_path_factory.mktemp("tree")
    (local / "lines").write_text("".join(f"line {number}\n" for number in range(500)))
    (local / "gz.gz").write_bytes(gzip.compress(b"inside a gzip\n" * 3, mtime=0))
    data.write_file(str(local / "large"), 3 * data.MIB + 100)
    apache_server.java("-rm", "-r", "-f", "-skipTrash", "/w", "/user")
    for done in java.lines(READ_ONLY_TREE, local):
        assert done.returncode == 0, f"{done.args}: {done.stderr.decode()}"
    return local, left_behind(apache_server, local)


@pytest.mark.parametrize("case", READ_ONLY, ids=str)
def test_reading(case, read_only_tree, java, cairn):
    local, _ = read_only_tree
    must_be_equal(case, transcript(java, case, local), transcript(cairn, case, local))


def test_reading_has_changed_nothing(read_only_tree, apache_server):
    local, before = read_only_tree
    assert left_behind(apache_server, local) == before


@pytest.mark.parametrize("case", CHANGING, ids=str)
def test_changing(case, java, cairn, apache_server, tmp_path):
    results = []
    local = tmp_path / "local"
    for side in java, cairn:
        apache_server.java("-rm", "-r", "-f", "-skipTrash", "/w", "/user")
        shutil.rmtree(local, ignore_errors=True)
        local.mkdir()
        apache_server.java("-mkdir", "/w")
        for name, content in case.files.items():
            (local / name).parent.mkdir(parents=True, exist_ok=True)
            (local / name).write_text(content)
        for done in java.lines(case.given, local):
            assert done.returncode == 0, f"{done.args}: {done.stderr.decode()}"
        results.append(transcript(side, case, local) + left_behind(apache_server, local))
    must_be_equal(case, *results)

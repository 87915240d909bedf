"""Programs that people run, on each file system."""
import os
import pty
import pwd
import re
import select
import shutil
import signal
import subprocess
import sys
import time

import pytest

from lib.many_files import make_tree, round_trip
from lib.needs import missing

PACKAGE, VERSION = "attrs", "23.2.0"
DEADLINE_S = 600


def run(*command, cwd, env=None, **more):
    """What it printed; with its error if it fails."""
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=DEADLINE_S, **more
    )
    assert done.returncode == 0, f"{command}: {done.returncode}\n{(done.stdout + done.stderr)[-3000:]}"
    return done.stdout


# ---- git ----
def _git(cwd, *args):
    identity = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    for role in "AUTHOR", "COMMITTER":
        identity |= {f"GIT_{role}_NAME": "A", f"GIT_{role}_EMAIL": "a@example.org"}
    return run("git", *args, cwd=cwd, env=identity)


def test_git(place, tmp_path, need_tool):
    need_tool("git", "git")
    make_tree(tmp_path / "work", 300)
    _git(tmp_path / "work", "init", "-q", "-b", "main")
    for i in range(10):
        (tmp_path / "work" / "d0" / "e0" / f"f{i}").write_text(f"version {i}\n" * 100)
        _git(tmp_path / "work", "add", ".")
        _git(tmp_path / "work", "commit", "-q", "-m", f"commit {i}")
    _git(tmp_path, "clone", "-q", "--bare", "work", "bare.git")
    _git(place, "clone", "-q", "--no-hardlinks", tmp_path / "bare.git", "clone")
    clone = f"{place}/clone"
    assert _git(clone, "status", "--porcelain") == ""
    _git(clone, "gc", "-q", "--aggressive", "--prune=now")
    _git(clone, "fsck", "--full", "--strict")
    with open(f"{clone}/d0/e0/f0", "a") as file:
        file.write("changed here\n")
    assert _git(clone, "status", "--porcelain") == " M d0/e0/f0\n"
    _git(clone, "checkout", "-q", "-b", "branch")
    _git(clone, "commit", "-q", "-a", "-m", "here")
    _git(clone, "checkout", "-q", "main")
    _git(clone, "merge", "-q", "--no-ff", "-m", "merged", "branch")
    _git(clone, "push", "-q", "origin", "main")
    assert _git(tmp_path / "bare.git", "log", "--format=%s", "-1", "main") == "merged\n"
    _git(clone, "worktree", "add", "-q", "../second")
    assert _git(f"{place}/second", "status", "--porcelain") == ""
    _git(clone, "fsck", "--full", "--strict")


# ---- sqlite ----
@pytest.mark.parametrize("journal", ["delete", "truncate", "persist", "wal"])
def test_sqlite(place, journal, need_tool):
    """Three writers at once, one transaction in four rolled back."""
    sqlite = [need_tool("sqlite3", "sqlite3"), "-bail", "-cmd", ".timeout 60000", f"{place}/db"]
    assert run(*sqlite, f"PRAGMA journal_mode={journal}; CREATE TABLE t(writer, i, bytes);", cwd=place) == journal + "\n"
    writers = []
    for writer in range(3):
        script = "".join(
            f"BEGIN IMMEDIATE; INSERT INTO t VALUES({writer}, {i}, randomblob({i * 37 % 5000})); {'ROLLBACK' if i % 4 == 3 else 'COMMIT'};\n"
            for i in range(40)
        )
        process = subprocess.Popen(sqlite, cwd=place, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        process.stdin.write(script)
        process.stdin.close()
        writers.append(process)
    for process in writers:
        assert process.wait(DEADLINE_S) == 0, process.stdout.read()
    assert run(*sqlite, "PRAGMA integrity_check; SELECT count(*), sum(i % 4 = 3) FROM t;", cwd=place) == "ok\n90|0\n"
    run(*sqlite, "DELETE FROM t WHERE writer = 1; VACUUM;", cwd=place)
    assert run(*sqlite, "PRAGMA integrity_check; SELECT count(*) FROM t;", cwd=place) == "ok\n60\n"


def test_sqlite_recovers_from_a_killed_writer(place, need_tool):
    need_tool("sqlite3", "sqlite3")
    script = (
        "import sqlite3, sys, os\ndb = sqlite3.connect('db', isolation_level=None)\ndb.execute('PRAGMA cache_size=5')\n"
        "db.execute('CREATE TABLE t(i, bytes)')\ndb.execute('INSERT INTO t VALUES(0, 1)')\ndb.execute('BEGIN')\n"
        "for i in range(1000):\n db.execute('INSERT INTO t VALUES(?, randomblob(3000))', (i,))\n"
        "print('spilled', flush=True)\nsys.stdin.read()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], cwd=place, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "spilled\n"
    assert os.path.getsize(f"{place}/db") > 100_000 and os.path.exists(f"{place}/db-journal")
    process.kill()
    process.wait()
    assert run("sqlite3", "db", "PRAGMA integrity_check; SELECT count(*) FROM t;", cwd=place) == "ok\n1\n"


# ---- compilers ----
def test_make(place, need_tool):
    need_tool("make", "make")
    need_tool("gcc", "gcc")
    parts = range(15)
    for i in parts:
        with open(f"{place}/part{i}.c", "w") as file:
            file.write(f'#include "all.h"\nint part{i}(void) {{ return {i}; }}\n')
    with open(f"{place}/all.h", "w") as file:
        file.write("".join(f"int part{i}(void);\n" for i in parts))
    with open(f"{place}/main.c", "w") as file:
        file.write(f'#include <stdio.h>\n#include "all.h"\nint main(void) {{ printf("%d\\n", {" + ".join(f"part{i}()" for i in parts)}); }}\n')
    with open(f"{place}/Makefile", "w") as file:
        file.write("O = $(patsubst %.c,%.o,$(wildcard *.c))\nprogram: lib.a main.o\n\tgcc -o $@ main.o lib.a\n"
                   "lib.a: $(filter-out main.o,$O)\n\tar rcs $@ $?\n%.o: %.c all.h\n\tgcc -g -O1 -c -o $@ $<\n")
    alone = {"MAKEFLAGS": "", "MAKELEVEL": ""}
    run("make", "-j2", cwd=place, env=alone)
    assert run("./program", cwd=place) == f"{sum(parts)}\n"
    assert "up to date" in run("make", cwd=place, env=alone)
    os.utime(f"{place}/part3.c")
    assert len(re.findall(r"-c -o", run("make", cwd=place, env=alone))) == 1
    assert run("./program", cwd=place) == f"{sum(parts)}\n"


# ---- copies ----
def _tree_of_everything(path):
    make_tree(f"{path}", 200)
    os.link(f"{path}/d0/e0/f1", f"{path}/hard")
    os.symlink("d0/e0/f2", f"{path}/soft")
    os.mkfifo(f"{path}/fifo")
    os.setxattr(f"{path}/hard", "user.colour", b"red")
    os.chmod(f"{path}/d0/e0/f3", 0o4711)
    os.chown(f"{path}/d0/e0/f4", 70001, 70002)
    os.utime(f"{path}/d0/e0/f5", ns=(1234567890123456789, 987654321987654321))
    run("setfacl", "-m", "u:70001:rw,g:70002:r", f"{path}/d0/e0/f6", cwd=path)
    run("setfacl", "-d", "-m", "u:70001:rwx", f"{path}/d0", cwd=path)
    with open(f"{path}/sparse", "wb") as file:
        file.truncate(5_000_000)
        file.seek(3_000_000)
        file.write(b"data")


def test_rsync(place, tmp_path, need_tool):
    for tool, package in ("rsync", "rsync"), ("setfacl", "acl"):
        need_tool(tool, package)
    _tree_of_everything(tmp_path / "tree")
    there = ["rsync", "-aHAXi", "--numeric-ids", f"{tmp_path}/tree/", f"{place}/copy/"]
    assert len(run(*there, cwd=place).splitlines()) > 200
    assert run(*there, cwd=place) == "", "the second time moves nothing"
    assert run(*there, "--checksum", "--delete", "-n", cwd=place) == ""
    back = ["rsync", "-aHAXiS", "--numeric-ids", f"{place}/copy/", f"{tmp_path}/back/"]
    run(*back, cwd=place)
    assert run(*back, "--checksum", "--delete", "-n", cwd=place) == ""
    both = ["rsync", "-aHAXin", "--checksum", "--delete", "--numeric-ids", f"{tmp_path}/tree/", f"{tmp_path}/back/"]
    assert run(*both, cwd=place) == "", "what came back is what went"


def test_tar(place, tmp_path):
    round_trip(place, tmp_path, 1000)


# ---- editors ----
@pytest.mark.parametrize("way", ["backupcopy=yes", "backupcopy=no", "nowritebackup", "backup"])
def test_vim(place, way, need_tool):
    path = f"{place}/document"
    with open(path, "w") as file:
        file.write("one\n" * 1000)
    os.chmod(path, 0o640)
    for i in range(3):
        settings = ["-c", "set swapfile directory=. updatecount=1 fsync backupskip=", "-c", f"set {way}"]
        edit = ["-c", f"%s/$/ {i}/", "-c", "preserve", "-c", "wq"]
        run(need_tool("vim", "vim"), "-u", "NONE", "-i", "NONE", "-N", "-es", *settings, *edit, path, cwd=place)
    with open(path) as file:
        assert file.read() == "one 0 1 2\n" * 1000
    assert os.stat(path).st_mode & 0o7777 == 0o640
    assert sorted(os.listdir(place)) == ["document"] + (["document~"] if way == "backup" else [])


def _type_into(command, cwd, steps):
    """Runs it in a terminal; each step is what must be seen on it and what is typed then."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.environ.update(TERM="xterm", LINES="24", COLUMNS="80")
        os.execvp(command[0], command)
    seen, end = b"", time.monotonic() + 60
    steps = [*steps, (None, None)]
    while time.monotonic() < end:
        if steps[0][0] is not None and steps[0][0] in seen:
            os.write(terminal, steps.pop(0)[1])
            seen = b""
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                seen += os.read(terminal, 65536)
            except OSError:  # it ended
                break
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(terminal)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status == 0 and steps == [(None, None)], f"{command} ended with {status}, {steps[0][0]} was not seen; {seen[-500:]}"


@pytest.mark.parametrize("options", [[], ["--backup"]])
def test_nano(place, options, need_tool):
    path = f"{place}/document"
    with open(path, "w") as file:
        file.write("first\n")
    command = [need_tool("nano", "nano"), "--ignorercfiles", "--locking", *options, path]
    _type_into(command, place, [(b"Exit", b"typed \x0f"), (b"File Name to Write", b"\r"), (b"Wrote", b"\x18")])
    with open(path) as file:
        assert file.read() == "typed first\n"
    assert sorted(os.listdir(place)) == ["document"] + (["document~"] if options else [])


# ---- Python ----
def test_pip_and_python(place, need_tool):
    run("/usr/bin/python3", "-m", "venv", f"{place}/venv", cwd=place)
    python = f"{place}/venv/bin/python"
    install = [python, "-m", "pip", "install", "-q", "--no-cache-dir", "--disable-pip-version-check", f"{PACKAGE}=={VERSION}"]
    done = subprocess.run(install, cwd=place, capture_output=True, text=True, timeout=DEADLINE_S)
    if done.returncode and "No matching distribution" in done.stderr:
        missing(f"{PACKAGE} cannot be had: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr
    version, where = run(python, "-c", "import attr; print(attr.__version__, attr.__file__)", cwd="/").split()
    assert version == VERSION and where.startswith(f"{place}/venv/")
    run(python, "-m", "compileall", "-q", "-f", "-j2", os.path.dirname(where), cwd=place)
    run(python, "-m", "pip", "check", cwd=place)
    run(python, "-m", "pip", "uninstall", "-q", "-y", PACKAGE, cwd=place)


# ---- PostgreSQL ----
class Postgres:
    """A server whose data is below `folder`; it listens on a socket in a folder of its own."""

    def __init__(self, programs, folder, sockets):
        self.programs, self.data, self.log, self.sockets = programs, f"{folder}/data", f"{folder}/log", str(sockets)
        self.folder = folder

    def run(self, program, *args):
        user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        return run(*user, f"{self.programs}/{program}", *args, cwd=self.folder)

    def start(self):
        options = f"-c listen_addresses= -c unix_socket_directories={self.sockets} -c shared_buffers=16MB -c max_connections=20"
        self.run("pg_ctl", "-D", self.data, "-l", self.log, "-w", "-o", options, "start")

    def stop(self, mode):
        self.run("pg_ctl", "-D", self.data, "-w", "-m", mode, "stop")

    def query(self, text):
        return self.run("psql", "-h", self.sockets, "-AtX", "-c", text, "postgres").strip()

    def pgbench(self, *args):
        return self.run("pgbench", "-h", self.sockets, *args, "postgres")


BALANCES = ("SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history), "
            "(SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(tbalance) FROM pgbench_tellers), "
            "(SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(delta) FROM pgbench_history)")


@pytest.fixture
def postgres(place, tmp_path_factory):
    root = "/usr/lib/postgresql"
    versions = sorted(os.listdir(root), key=float) if os.path.isdir(root) else []
    programs = f"{root}/{versions[-1]}/bin" if versions else ""
    if not os.access(f"{programs}/pgbench", os.X_OK):
        missing("PostgreSQL is not installed (Debian package postgresql); run tools/deps posix")
    user = pwd.getpwnam("postgres")
    sockets = f"/tmp/cairn-postgres-{os.getpid()}"
    for folder in sockets, f"{place}/postgres":
        os.mkdir(folder)
        os.chown(folder, user.pw_uid, user.pw_gid)
    server = Postgres(programs, f"{place}/postgres", sockets)
    yield server
    if os.path.exists(f"{server.data}/postmaster.pid"):
        server.stop("immediate")
    shutil.rmtree(sockets)


def test_postgres(postgres):
    postgres.run("initdb", "-D", postgres.data, "--data-checksums", "-A", "trust", "-E", "UTF8", "--locale=C")
    postgres.start()
    postgres.pgbench("-i", "-q", "-s", "1")
    postgres.pgbench("-n", "-c", "4", "-j", "2", "-t", "50")
    assert postgres.query("SELECT count(*) FROM pgbench_history") == "200"
    assert postgres.query(BALANCES) == "t|t|t"
    postgres.stop("immediate")  # as a crash: the log is replayed
    postgres.start()
    assert postgres.query("SELECT count(*) FROM pgbench_history") == "200"
    assert postgres.query(BALANCES) == "t|t|t"
    postgres.query("VACUUM FULL")
    postgres.stop("fast")
    postgres.run("pg_checksums", "--check", "-D", postgres.data)

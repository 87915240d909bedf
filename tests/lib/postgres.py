"""A PostgreSQL server of its own for a test."""
import glob
import os
import pwd
import shutil
import socket
import subprocess
import tempfile

from lib.process import Daemon
from lib.waiting import wait_for

BIN = max(glob.glob("/usr/lib/postgresql/*/bin"), default="")


def is_there():
    return os.path.exists(f"{BIN}/postgres")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Postgres:
    """postgresql://postgres@127.0.0.1:PORT/postgres; it does not run as root, so then as the user postgres."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="cairn-pg-")
        self.port = free_port()
        self.as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        if self.as_user:
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        subprocess.run([*self.as_user, f"{BIN}/initdb", "-D", f"{self.folder}/data", "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"],
                       check=True, capture_output=True, cwd=self.folder)
        self.start()
        return self

    def start(self):
        self.server = Daemon("postgres", [*self.as_user, f"{BIN}/postgres", "-D", f"{self.folder}/data", "-h", "127.0.0.1", "-p", str(self.port),
                                          "-k", self.folder], f"{self.folder}.log")
        wait_for(lambda: self.sql("SELECT 1") == "1", 30, "the database")

    def __exit__(self, *_):
        self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        os.unlink(f"{self.folder}.log")

    def uri_of(self, database):
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    @property
    def uri(self):
        return self.uri_of("postgres")

    def rows(self, table, database):
        """As lists of texts; what is NULL is empty."""
        return [row.split("|") for row in self.sql(f"SELECT * FROM {table}", database).split("\n")]

    def sql(self, text, database="postgres"):
        done = subprocess.run(["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", text, self.uri_of(database)], capture_output=True, text=True)
        assert done.returncode == 0 or "Connection refused" in done.stderr or "starting up" in done.stderr, done.stderr
        return done.stdout.strip() if done.returncode == 0 else None

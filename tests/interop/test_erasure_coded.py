"""Directories of Apache's namenode in which files are erasure coded, which our client cannot write."""
import contextlib

from lib.cluster import run_cairn

POLICY = "XOR-2-1-1024k"


@contextlib.contextmanager
def _enabled(ec, policy):
    """For other tests that share the namenode no policy is."""
    assert ec("-enablePolicy", "-policy", policy).returncode == 0
    try:
        yield
    finally:
        assert ec("-disablePolicy", "-policy", policy).returncode == 0


def test_a_file_that_cannot_be_written_is_not_left_behind(apache_server):
    where = apache_server.generic_options()

    def ec(*command):
        return apache_server.java_shell.run("ec", *where, *command)

    apache_server.java("-mkdir", "-p", "/coded")
    with _enabled(ec, POLICY):
        assert ec("-setPolicy", "-path", "/coded", "-policy", POLICY).returncode == 0
        refused = run_cairn("fs", *where, "-put", "-d", "-", "/coded/f", stdin=b"x")
        assert refused.returncode == 1 and b"erasure coded" in refused.stderr, refused.stderr
        assert apache_server.java("-ls", "-C", "/coded") == b""
        assert b"/coded" not in run_cairn("dfsadmin", *where, "-listOpenFiles").stdout
    apache_server.java("-rm", "-r", "-skipTrash", "/coded")

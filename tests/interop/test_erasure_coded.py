"""Directories of Apache's namenode in which files are erasure coded, which our client cannot write."""
from lib.cluster import run_cairn

POLICY = "XOR-2-1-1024k"


def test_a_file_that_cannot_be_written_is_not_left_behind(apache_server):
    where = apache_server.generic_options()
    apache_server.java("-mkdir", "-p", "/coded")
    for command in ("-enablePolicy", "-policy", POLICY), ("-setPolicy", "-path", "/coded", "-policy", POLICY):
        done = apache_server.java_shell.run("ec", *where, *command)
        assert done.returncode == 0, done.stderr
    refused = run_cairn("fs", *where, "-put", "-d", "-", "/coded/f", stdin=b"x")
    assert refused.returncode == 1 and b"erasure coded" in refused.stderr, refused.stderr
    assert apache_server.java("-ls", "-C", "/coded") == b""
    assert b"/coded" not in run_cairn("dfsadmin", *where, "-listOpenFiles").stdout
    apache_server.java("-rm", "-r", "-skipTrash", "/coded")

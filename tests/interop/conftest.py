"""The two kinds of server that every foreign client is tried against, with the same tests."""
import pytest

from lib.cluster import Cluster

# What makes waiting short and small blocks possible; the same names on both servers.
QUICK = {"dfs.heartbeat.interval": 1, "dfs.namenode.redundancy.interval.seconds": 1}


class Server:
    """One running file system: where it listens, and Hadoop's own tools pointed at it."""

    def __init__(self, name, cluster, java_shell):
        self.name, self.cluster = name, cluster
        self.fs, self.namenode, self.namenode_http = cluster.uri, cluster.namenode, cluster.namenode_http
        self._shell = java_shell

    def _java(self, tool, args, check, **options):
        generic = ["-D", f"fs.defaultFS={self.fs}", "-D", f"dfs.namenode.http-address={self.namenode_http}"]
        done = self._shell.run(tool, *generic, *args, **options)
        if check:
            assert done.returncode == 0, f"java {tool} {args}: exit {done.returncode}: {done.stderr.decode()[-2000:]}"
        return done

    def java(self, *args, check=True, **options):
        """`hadoop fs ARGS`: stdout as bytes; with check=False the CompletedProcess."""
        done = self._java("fs", args, check, **options)
        return done.stdout if check else done

    def dfsadmin(self, *args, check=True):
        return self._java("dfsadmin", args, check).stdout.decode()

    def fsck(self, *args, check=True):
        return self._java("fsck", args, check).stdout.decode()

    def log_tails(self):
        return self.cluster.log_tails()


@pytest.fixture(scope="session")
def cairn_server(java_shell, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cairn") / "cluster"
    with Cluster(folder, properties=QUICK | {"dfs.namenode.fs-limits.min-block-size": 512}) as cluster:
        yield Server("cairn", cluster, java_shell)


@pytest.fixture(scope="session")
def apache_server(apache, java_shell):
    return Server("apache", apache, java_shell)


@pytest.fixture(scope="session", params=["apache", "cairn"])
def server(request):
    return request.getfixturevalue(f"{request.param}_server")


@pytest.fixture
def where(request, server):
    """A fresh folder in the file system under test, named after the test."""
    name = request.node.originalname.removeprefix("test_").replace("_", "-")
    path = f"/{request.node.module.__name__.rsplit('.')[-1].removeprefix('test_')}/{name}"
    server.java("-rm", "-r", "-f", "-skipTrash", path)
    server.java("-mkdir", "-p", path)
    return path

"""The two kinds of server that every foreign client is tried against with the same tests, and the two shells."""
import pytest

from lib.cluster import Cluster, run_cairn

# What makes waiting short and small blocks possible; the same names on both servers.
QUICK = {"dfs.heartbeat.interval": 1, "dfs.namenode.redundancy.interval.seconds": 1}


class Server:
    """One running file system: where it listens, and Hadoop's own shell pointed at it to prepare and inspect."""

    def __init__(self, name, cluster, java_shell):
        self.name, self.cluster, self.java_shell = name, cluster, java_shell
        self.fs, self.namenode, self.namenode_http = cluster.uri, cluster.namenode, cluster.namenode_http
        self.java = JavaClient(self).fs

    def generic_options(self):
        return ["-D", f"fs.defaultFS={self.fs}", "-D", f"dfs.namenode.http-address={self.namenode_http}"]

    def log_tails(self):
        return self.cluster.log_tails()


class Client:
    """`hadoop fs`, `hdfs dfsadmin` and `hdfs fsck`, or what takes their place."""

    def __init__(self, server):
        self.server = server

    def _run(self, tool, args, stdin, user):
        raise NotImplementedError

    def _checked(self, tool, args, check=True, stdin=b"", user=""):
        done = self._run(tool, [*self.server.generic_options(), *args], stdin, user)
        if check:
            assert done.returncode == 0, (
                f"{type(self).__name__} {tool} {args}: exit {done.returncode}: {done.stderr.decode()[-2000:]}"
            )
        return done

    def fs(self, *args, check=True, **options):
        """stdout as bytes; with check=False the CompletedProcess."""
        done = self._checked("fs", args, check, **options)
        return done.stdout if check else done

    def dfsadmin(self, *args):
        return self._checked("dfsadmin", args).stdout.decode()

    def fsck(self, *args):
        return self._checked("fsck", args).stdout.decode()

    def log_tails(self):
        return self.server.log_tails()


class JavaClient(Client):
    def _run(self, tool, args, stdin, user):
        return self.server.java_shell.run(tool, *args, stdin=stdin, user=user)


class CairnClient(Client):
    def _run(self, tool, args, stdin, user):
        return run_cairn(tool, *args, stdin=stdin, env={"HADOOP_USER_NAME": user} if user else {})


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


@pytest.fixture(scope="session", params=["java-on-apache", "java-on-cairn", "cairn-on-apache", "cairn-on-cairn"])
def shell(request):
    """Each command line client on each kind of server."""
    client, _, server = request.param.partition("-on-")
    return {"java": JavaClient, "cairn": CairnClient}[client](request.getfixturevalue(f"{server}_server"))


@pytest.fixture
def where(request):
    """A fresh folder, named after the test, in the file system that the test's `shell` or `server` stands for."""
    with_shell = "shell" in request.fixturenames
    server = request.getfixturevalue("shell").server if with_shell else request.getfixturevalue("server")
    name = request.node.originalname.removeprefix("test_").replace("_", "-")
    path = f"/{request.node.module.__name__.rsplit('.')[-1].removeprefix('test_')}/{name}"
    server.java("-rm", "-r", "-f", "-skipTrash", path)
    server.java("-mkdir", "-p", path)
    return path

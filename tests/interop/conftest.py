"""The two kinds of server that every foreign client is tried against with the same tests, and the two shells."""
import pytest

from interop.servers import CairnClient, JavaClient, Server
from lib.cluster import Cluster

# What makes waiting short and small blocks possible; the same names on both servers.
QUICK = {"dfs.heartbeat.interval": 1, "dfs.namenode.redundancy.interval.seconds": 1}


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

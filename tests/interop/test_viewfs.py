"""viewfs:// mount tables over two clusters: our shell as Hadoop's own, libhdfs and the mount."""
import errno
import os
import subprocess

import pytest

from lib.apache import JavaShell, write_site
from lib.cluster import Cluster, cairn_path, client_env, run_cairn
from lib.libhdfs import Hdfs, HdfsError
from lib.waiting import wait_for


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    with Cluster(folder / "a", nodes=1) as a, Cluster(folder / "b", nodes=1) as b:
        a.fs("-mkdir", "-p", "/data/in", "/base/user/root", check=True)
        b.fs("-mkdir", "-p", "/logs", "/rest", "/user/root", check=True)
        for cluster, path, text in (a, "/data/in/file", b"one\n"), (b, "/logs/file", b"two\n"), (b, "/rest/file", b"three\n"):
            cluster.fs("-put", "-", path, stdin=text, check=True)
        yield a, b


@pytest.fixture(scope="module")
def table(two, tmp_path_factory):
    a, b = two
    prefix = "fs.viewfs.mounttable.town"
    return {
        "fs.defaultFS": "viewfs://town",
        f"{prefix}.link./data": f"{a.uri}/data",
        f"{prefix}.link./deep/er/logs": f"{b.uri}/logs",
        f"{prefix}.link./rest": f"{b.uri}/rest",
        f"{prefix}.link./user": f"{b.uri}/user",
        "dfs.replication": 1,
    }


@pytest.fixture(scope="module")
def conf(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("conf")
    write_site(folder / "core-site.xml", table)
    return folder


@pytest.fixture(scope="module")
def java_view(hadoop, table, tmp_path_factory):
    shell = JavaShell(tmp_path_factory.mktemp("java-view"), table)
    yield lambda *args: shell.run("fs", *args)
    shell.stop()


def fs(conf, *args, **options):
    return run_cairn("fs", *args, env={"HADOOP_CONF_DIR": str(conf)}, **options)


COMMANDS = [
    ["-ls", "-C", "/"],
    ["-ls", "-C", "viewfs://town/deep"],
    ["-ls", "-C", "/deep/er/logs"],
    ["-cat", "/data/in/file", "/deep/er/logs/file"],
    ["-cat", "viewfs://town/rest/f*"],
    ["-test", "-d", "/deep/er"],
    ["-test", "-e", "/nothing"],
    ["-cat", "/nothing/here"],
    ["-stat", "%n %F %a", "/deep"],
    ["-count", "/data"],
    ["-mv", "/data/in/file", "/rest/moved"],
    ["-rm", "/deep"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands_do_as_hadoops_shell(conf, java_view, command):
    ours, theirs = fs(conf, *command), java_view(*command)
    assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout), (ours.stderr, theirs.stderr)
    if ours.returncode:
        assert bool(ours.stderr) == bool(theirs.stderr), (ours.stderr, theirs.stderr)


def test_what_hadoops_shell_does_otherwise(conf):
    """It does not go into links when it lists all, and ends with an internal error where there is no link."""
    names = fs(conf, "-ls", "-C", "-R", "/", check=True).stdout.decode().split()
    assert names == "/data /data/in /data/in/file /deep /deep/er /deep/er/logs /deep/er/logs/file /rest /rest/file /user /user/root".split()
    refused = fs(conf, "-touchz", "/deep/file")
    assert refused.returncode == 1 and b"touchz: " in refused.stderr, refused.stderr


def test_what_is_written_lands_behind_the_link(conf, two):
    a, b = two
    fs(conf, "-put", "-", "/data/new", stdin=b"new", check=True)
    assert a.fs("-cat", "/data/new", check=True).stdout == b"new"
    fs(conf, "-appendToFile", "-", "/data/new", stdin=b"er", check=True)
    fs(conf, "-mv", "/data/new", "/data/newer", check=True)
    assert a.fs("-cat", "/data/newer", check=True).stdout == b"newer"
    fs(conf, "-cp", "/data/newer", "/deep/er/logs/copy", check=True)
    assert b.fs("-cat", "/logs/copy", check=True).stdout == b"newer"
    fs(conf, "-put", "-", "relative", stdin=b"home", check=True)
    assert b.fs("-cat", "/user/root/relative", check=True).stdout == b"home"
    fs(conf, "-rm", "-r", "-skipTrash", "/data/newer", "/deep/er/logs/copy", "relative", check=True)


def test_fallback_merge_and_home(two, tmp_path):
    a, b = two
    links = {
        "fs.viewfs.mounttable.f.link./data": f"{a.uri}/data",
        "fs.viewfs.mounttable.f.linkFallback": f"{b.uri}/",
        "fs.viewfs.mounttable.m.linkMergeSlash": f"{a.uri}/base",
        "fs.viewfs.mounttable.m.homedir": "/user",
    }
    write_site(tmp_path / "core-site.xml", links | {"fs.defaultFS": "viewfs://f", "dfs.replication": 1})
    names = fs(tmp_path, "-ls", "-C", "/", check=True).stdout.decode().split()
    assert names == ["/data", "/logs", "/rest", "/user"]
    assert fs(tmp_path, "-cat", "/rest/file", check=True).stdout == b"three\n"
    fs(tmp_path, "-put", "-", "viewfs://m/user/root/x", stdin=b"merged", check=True)
    assert a.fs("-cat", "/base/user/root/x", check=True).stdout == b"merged"
    done = fs(tmp_path, "-ls", "viewfs://none/")
    assert done.returncode == 1 and b"no mount table" in done.stderr


def test_a_link_is_not_removed_renamed_or_replaced(two, tmp_path):
    """Its name is the table's: as Hadoop's view, ours leaves what is behind it alone."""
    a, b = two
    b.fs("-mkdir", "-p", "/kept/below", check=True)
    b.fs("-put", "-", "/one-file", stdin=b"old", check=True)
    links = {
        "fs.defaultFS": "viewfs://k",
        "fs.viewfs.mounttable.k.link./kept": f"{b.uri}/kept",
        "fs.viewfs.mounttable.k.link./file": f"{b.uri}/one-file",
        "fs.viewfs.mounttable.k.link./else": f"{b.uri}/",
        "dfs.replication": 1,
    }
    write_site(tmp_path / "core-site.xml", links)
    for command in ("-rm", "-r", "/kept"), ("-mv", "/kept", "/else/moved"), ("-rm", "/file"), ("-put", "-f", "-d", "-", "/file"):
        done = fs(tmp_path, *command, stdin=b"new")
        assert done.returncode == 1 and b"readonly" in done.stderr, (command, done.stderr)
        assert b.fs("-cat", "/one-file", check=True).stdout == b"old"
        b.fs("-test", "-d", "/kept/below", check=True)
    fs(tmp_path, "-appendToFile", "-", "/file", stdin=b"er", check=True)
    fs(tmp_path, "-rm", "-r", "/kept/below", check=True)
    assert b.fs("-cat", "/one-file", check=True).stdout == b"older"
    b.fs("-rm", "-r", "/kept", "/one-file", check=True)


def test_the_doctor_says_what_it_looks_at(conf, two):
    told = run_cairn("doctor", env={"HADOOP_CONF_DIR": str(conf)})
    assert told.returncode == 0 and b"of the file systems behind viewfs://town only the one at" in told.stdout, told


def test_libhdfs(conf, two, monkeypatch):
    monkeypatch.setenv("HADOOP_CONF_DIR", str(conf))
    view = Hdfs("viewfs://town")
    assert view.get("/data/in/file") == b"one\n"
    view.put("/deep/er/logs/lib", b"by libhdfs")
    assert two[1].fs("-cat", "/logs/lib", check=True).stdout == b"by libhdfs"
    with pytest.raises(HdfsError):
        view.put("/deep/no", b"")
    view.disconnect()
    two[1].fs("-rm", "-skipTrash", "/logs/lib", check=True)


def test_the_mount(conf, tmp_path):
    folder = tmp_path / "mount"
    folder.mkdir()
    mount = subprocess.Popen([cairn_path(), "mount", "-f", "viewfs://town/", folder], env=client_env() | {"HADOOP_CONF_DIR": str(conf)})
    try:
        wait_for(lambda: os.path.ismount(folder), 30, "the mount")
        assert sorted(os.listdir(folder)) == ["data", "deep", "rest", "user"]
        assert os.listdir(folder / "deep" / "er") == ["logs"]
        assert (folder / "data" / "in" / "file").read_bytes() == b"one\n"
        assert (folder / "deep" / "er" / "logs" / "file").read_bytes() == b"two\n"
        (folder / "rest" / "written").write_bytes(b"through the mount")
        assert (folder / "rest" / "written").read_bytes() == b"through the mount"
        (folder / "rest" / "written").unlink()
        numbers = [os.stat(folder / path).st_ino for path in ("data/in/file", "deep/er/logs/file", "rest/file")]
        assert len(set(numbers)) == 3
        with pytest.raises(PermissionError):
            (folder / "deep" / "no").write_bytes(b"")
        (folder / "data" / "goes").write_bytes(b"to the other cluster")
        with pytest.raises(OSError) as refused:
            os.rename(folder / "data" / "goes", folder / "rest" / "goes")
        assert refused.value.errno == errno.EXDEV
        subprocess.run(["mv", folder / "data" / "goes", folder / "rest" / "goes"], check=True)  # which copies
        assert (folder / "rest" / "goes").read_bytes() == b"to the other cluster"
        (folder / "rest" / "goes").unlink()
    finally:
        subprocess.run(["umount", folder], check=False)
        mount.wait(30)

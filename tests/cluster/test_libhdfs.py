"""libhdfs.so as programs load it, on our cluster and on Apache's: the same calls, the same outcome."""
import errno
import hashlib
import os
import random
import re
import signal
import subprocess
import threading

import pytest

from lib import sanitizer
from lib.cluster import ROOT, Cluster, cairn_path
from lib.libhdfs import Hdfs, HdfsError
from lib.waiting import wait_for

MIB = 1 << 20
DATA = random.Random(7).randbytes(5 * MIB + 12345)


# Every function of Hadoop 3.4's hdfs.h.
FUNCTIONS = """
hadoopReadZero hadoopRzBufferFree hadoopRzBufferGet hadoopRzBufferLength hadoopRzOptionsAlloc hadoopRzOptionsFree
hadoopRzOptionsSetByteBufferPool hadoopRzOptionsSetSkipChecksum hdfsAvailable hdfsBuilderConfSetStr hdfsBuilderConnect
hdfsBuilderSetForceNewInstance hdfsBuilderSetKerbTicketCachePath hdfsBuilderSetNameNode hdfsBuilderSetNameNodePort
hdfsBuilderSetUserName hdfsChmod hdfsChown hdfsCloseFile hdfsConfGetInt hdfsConfGetStr hdfsConfStrFree hdfsConnect
hdfsConnectAsUser hdfsConnectAsUserNewInstance hdfsConnectNewInstance hdfsCopy hdfsCreateDirectory hdfsDelete
hdfsDisconnect hdfsExists hdfsFileClearReadStatistics hdfsFileFreeReadStatistics hdfsFileGetReadStatistics
hdfsFileIsEncrypted hdfsFileIsOpenForRead hdfsFileIsOpenForWrite hdfsFlush hdfsFreeBuilder hdfsFreeFileInfo
hdfsFreeHedgedReadMetrics hdfsFreeHosts hdfsGetCapacity hdfsGetDefaultBlockSize hdfsGetDefaultBlockSizeAtPath
hdfsGetHedgedReadMetrics hdfsGetHosts hdfsGetLastExceptionRootCause hdfsGetLastExceptionStackTrace hdfsGetPathInfo
hdfsGetUsed hdfsGetWorkingDirectory hdfsHFlush hdfsHSync hdfsListDirectory hdfsMove hdfsNewBuilder hdfsOpenFile
hdfsOpenFileBuilderAlloc hdfsOpenFileBuilderBuild hdfsOpenFileBuilderFree hdfsOpenFileBuilderMust
hdfsOpenFileBuilderOpt hdfsOpenFileFutureCancel hdfsOpenFileFutureFree hdfsOpenFileFutureGet
hdfsOpenFileFutureGetWithTimeout hdfsPread hdfsPreadFully hdfsRead hdfsReadStatisticsGetRemoteBytesRead hdfsRename
hdfsSeek hdfsSetReplication hdfsSetWorkingDirectory hdfsStreamBuilderAlloc hdfsStreamBuilderBuild
hdfsStreamBuilderFree hdfsStreamBuilderSetBufferSize hdfsStreamBuilderSetDefaultBlockSize
hdfsStreamBuilderSetReplication hdfsTell hdfsTruncateFile hdfsUnbufferFile hdfsUtime hdfsWrite
""".split()


def test_every_function_of_hadoops_library_is_there_and_nothing_else():
    library = os.path.join(os.path.dirname(cairn_path()), "libhdfs.so.0.0.0")
    listed = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    ours = {line.split()[-1] for line in listed.splitlines() if line.split()[-2] == "T"}
    assert ours == set(FUNCTIONS)
    dynamic = subprocess.run(["objdump", "-p", library], capture_output=True, text=True, check=True).stdout
    assert re.search(r"SONAME\s+libhdfs\.so\.0\.0\.0", dynamic)


C_PROGRAM = r"""
#include "hdfs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* As Hadoop's header lays them out: programs compiled with that one run with ours. */
_Static_assert(sizeof(tSize) == 4 && sizeof(tTime) == sizeof(time_t) && sizeof(tOffset) == 8 && sizeof(tPort) == 2, "");
_Static_assert(kObjectKindFile == 'F' && kObjectKindDirectory == 'D' && EINTERNAL == 255, "");
_Static_assert(jNanoseconds == 0 && jMilliseconds == 2 && jDays == 6, "");
_Static_assert(offsetof(hdfsFileInfo, mName) == 8 && offsetof(hdfsFileInfo, mLastMod) == 16 &&
               offsetof(hdfsFileInfo, mSize) == 24 && offsetof(hdfsFileInfo, mReplication) == 32 &&
               offsetof(hdfsFileInfo, mBlockSize) == 40 && offsetof(hdfsFileInfo, mOwner) == 48 &&
               offsetof(hdfsFileInfo, mGroup) == 56 && offsetof(hdfsFileInfo, mPermissions) == 64 &&
               offsetof(hdfsFileInfo, mLastAccess) == 72 && sizeof(hdfsFileInfo) == 80, "");
_Static_assert(sizeof(struct hdfsReadStatistics) == 32 && sizeof(struct hdfsHedgedReadMetrics) == 24, "");
#define MUST(x) do { if (!(x)) { fprintf(stderr, "%d: %s: %s\n", __LINE__, #x, hdfsGetLastExceptionRootCause()); exit(1); } } while (0)
#define FAILS(x, e) do { errno = 0; MUST(x); MUST(errno == (e)); MUST(hdfsGetLastExceptionStackTrace()); } while (0)
int main(int argc, char **argv)
{
    char buffer[64];
    struct hdfsBuilder *b = hdfsNewBuilder();
    hdfsBuilderSetNameNode(b, argv[1]);
    hdfsBuilderSetForceNewInstance(b);
    hdfsBuilderSetUserName(b, "root");
    MUST(hdfsBuilderConfSetStr(b, "dfs.replication", "1") == 0);
    hdfsFS fs = hdfsBuilderConnect(b);
    MUST(fs);
    struct hdfsStreamBuilder *s = hdfsStreamBuilderAlloc(fs, "/libhdfs/c", O_WRONLY);
    MUST(hdfsStreamBuilderSetBufferSize(s, 4096) == 0 && hdfsStreamBuilderSetReplication(s, 2) == 0);
    MUST(hdfsStreamBuilderSetDefaultBlockSize(s, 2097152) == 0);
    hdfsFile f = hdfsStreamBuilderBuild(s);
    MUST(f && hdfsFileIsOpenForWrite(f) == 1 && hdfsFileIsOpenForRead(f) == 0);
    MUST(hdfsWrite(fs, f, "0123456789", 10) == 10 && hdfsTell(fs, f) == 10);
    MUST(hdfsFlush(fs, f) == 0 && hdfsHFlush(fs, f) == 0 && hdfsHSync(fs, f) == 0);
    FAILS(hdfsRead(fs, f, buffer, 1) == -1, EINVAL);
    FAILS(hdfsUnbufferFile(f) == -1, ENOTSUP);
    MUST(hdfsCloseFile(fs, f) == 0);
    hdfsFileInfo *info = hdfsGetPathInfo(fs, "/libhdfs/c");
    MUST(info && info->mReplication == 2 && info->mBlockSize == 2097152 && info->mSize == 10 && !hdfsFileIsEncrypted(info));
    MUST(!strcmp(info->mOwner, "root") && info->mKind == kObjectKindFile && strstr(info->mName, "/libhdfs/c"));
    hdfsFreeFileInfo(info, 1);
    hdfsOpenFileBuilder *o = hdfsOpenFileBuilderAlloc(fs, "/libhdfs/c");
    MUST(hdfsOpenFileBuilderOpt(o, "fs.option.openfile.no.such", "1") == o);
    hdfsOpenFileFuture *future = hdfsOpenFileBuilderBuild(o);
    hdfsOpenFileBuilderFree(o);
    f = hdfsOpenFileFutureGetWithTimeout(future, 10, jSeconds);
    hdfsOpenFileFutureFree(future);
    MUST(f && hdfsFileIsOpenForRead(f) == 1 && hdfsAvailable(fs, f) == 10);
    MUST(hdfsPreadFully(fs, f, 3, buffer, 7) == 0 && !memcmp(buffer, "3456789", 7));
    MUST(hdfsPreadFully(fs, f, 4, buffer, 7) == -1);
    MUST(hdfsPread(fs, f, 10, buffer, 7) == 0 && hdfsTell(fs, f) == 0);
    MUST(hdfsSeek(fs, f, 8) == 0 && hdfsRead(fs, f, buffer, 64) == 2 && hdfsRead(fs, f, buffer, 64) == 0);
    MUST(hdfsUnbufferFile(f) == 0 && hdfsSeek(fs, f, 0) == 0 && hdfsRead(fs, f, buffer, 4) == 4);
    struct hdfsReadStatistics *stats;
    MUST(hdfsFileGetReadStatistics(f, &stats) == 0 && stats->totalBytesRead >= 13);
    MUST(hdfsReadStatisticsGetRemoteBytesRead(stats) == (int64_t)(stats->totalBytesRead - stats->totalLocalBytesRead));
    hdfsFileFreeReadStatistics(stats);
    MUST(hdfsFileClearReadStatistics(f) == 0 && hdfsFileGetReadStatistics(f, &stats) == 0 && stats->totalBytesRead == 0);
    hdfsFileFreeReadStatistics(stats);
    MUST(hdfsCloseFile(fs, f) == 0);
    o = hdfsOpenFileBuilderAlloc(fs, "/libhdfs/none");
    future = hdfsOpenFileBuilderBuild(o);
    FAILS(hdfsOpenFileFutureGet(future) == NULL, ENOENT);
    MUST(!strncmp(hdfsGetLastExceptionRootCause(), "java.io.FileNotFoundException", 29) ||
         !strncmp(hdfsGetLastExceptionRootCause(), "FileNotFoundException", 21));
    hdfsOpenFileFutureFree(future);
    hdfsOpenFileBuilderFree(o);
    int count = -1;
    MUST(hdfsCreateDirectory(fs, "/libhdfs/empty") == 0);
    errno = 7;
    MUST(hdfsListDirectory(fs, "/libhdfs/empty", &count) == NULL && count == 0 && errno == 0);
    FAILS(hdfsListDirectory(fs, "/libhdfs/none", &count) == NULL, ENOENT);
    FAILS(hdfsOpenFile(fs, "/libhdfs/c", O_RDWR, 0, 0, 0) == NULL, ENOTSUP);
    FAILS(hdfsDelete(fs, "/libhdfs", 0) == -1, ENOTEMPTY);
    MUST(hdfsTruncateFile(fs, "/libhdfs/c", 10) == 1);
    MUST(hdfsGetDefaultBlockSizeAtPath(fs, "/libhdfs/c") > 0 && hdfsGetCapacity(fs) > 0 && hdfsGetUsed(fs) >= 0);
    struct hdfsHedgedReadMetrics *hedged;
    MUST(hdfsGetHedgedReadMetrics(fs, &hedged) == 0 && hedged->hedgedReadOps == 0);
    hdfsFreeHedgedReadMetrics(hedged);
    MUST(hdfsDisconnect(fs) == 0);
    return 0;
}
"""


@pytest.mark.parametrize("compiler", [["gcc", "-std=c11"], ["g++", "-x", "c++", "-D_Static_assert=static_assert"]])
def test_a_program_in_c(fs, request, tmp_path, compiler):
    uri = request.getfixturevalue(request.node.callspec.params["fs"]).uri
    folder = os.path.dirname(cairn_path())
    (tmp_path / "p.c").write_text(C_PROGRAM)
    sanitize = [f"-fsanitize={sanitizer.kind()}"] if sanitizer.kind() else []
    command = [*compiler, *sanitize, "-Wall", "-Werror", f"-I{ROOT}/client/include", str(tmp_path / "p.c"), "-o", str(tmp_path / "p")]
    subprocess.run([*command, f"-L{folder}", "-lhdfs", f"-Wl,-rpath,{folder}"], check=True)
    done = subprocess.run([tmp_path / "p", uri], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("libhdfs") / "cluster") as running:
        yield running


@pytest.fixture(params=["ours", "apache"])
def fs(request):
    cluster = request.getfixturevalue(request.param)
    connection = Hdfs(cluster.uri, settings={"dfs.blocksize": MIB, "dfs.client.use.datanode.hostname": "false"})
    connection.call("hdfsCreateDirectory", "/libhdfs")
    yield connection
    connection.call("hdfsDelete", "/libhdfs", 1)
    connection.disconnect()


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, MIB - 1, MIB, MIB + 1, len(DATA)])
def test_what_is_written_is_read(fs, size):
    fs.put("/libhdfs/f", DATA[:size])
    assert fs.get("/libhdfs/f") == DATA[:size]
    assert fs.info("/libhdfs/f")["size"] == size


def test_seek_tell_pread_and_available(fs):
    fs.put("/libhdfs/f", DATA)
    with fs.open("/libhdfs/f") as file:
        choose = random.Random(1)
        for _ in range(100):
            at, length = choose.randrange(len(DATA) + 1), choose.randrange(100000)
            assert file.pread(at, length) == DATA[at : at + length]
            file.call("hdfsSeek", at)
            got = file.read(length)
            assert got == DATA[at : at + length]
            assert file.call("hdfsTell") == at + len(got)
            assert file.call("hdfsAvailable") == len(DATA) - at - len(got)
        with pytest.raises(HdfsError) as error:
            file.call("hdfsSeek", len(DATA) + 1)
        assert error.value.errno == errno.EINVAL


def test_many_threads_read_one_file(fs):
    fs.put("/libhdfs/f", DATA)
    wrong = []
    with fs.open("/libhdfs/f") as file:

        def work(seed):
            choose = random.Random(seed)
            for _ in range(50):
                at, length = choose.randrange(len(DATA)), choose.randrange(70000)
                if file.pread(at, length) != DATA[at : at + length]:
                    wrong.append((at, length))

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        assert file.statistics()["total"] > 0


def test_flushed_bytes_are_seen_by_new_readers(fs):
    with fs.open("/libhdfs/f", os.O_WRONLY) as writer:
        at = 0
        for round_, step in enumerate([1, 511, 512, 70000, 3, MIB, 100000, 511]):
            writer.write(DATA[at : at + step])
            at += step
            writer.call("hdfsHSync" if round_ % 2 else "hdfsHFlush")
            assert writer.call("hdfsTell") == at
            assert fs.get("/libhdfs/f") == DATA[:at]
    assert fs.get("/libhdfs/f") == DATA[:at]


def test_append_goes_on_at_the_end(fs):
    fs.put("/libhdfs/f", b"", replication=1)
    at = 0
    for step in [1, 10, 500, 513, 100000, MIB, 1, 512, 2 * MIB]:
        with fs.open("/libhdfs/f", os.O_WRONLY | os.O_APPEND) as file:
            file.write(DATA[at : at + step])
        at += step
        assert fs.get("/libhdfs/f") == DATA[:at]


def test_directories_and_attributes(fs):
    fs.call("hdfsCreateDirectory", "/libhdfs/d/e")
    fs.put("/libhdfs/d/f", b"x", replication=1)
    assert [info["name"].decode().rsplit("/", 1)[1] for info in fs.ls("/libhdfs/d")] == ["e", "f"]
    assert fs.ls("/libhdfs/d/e") == []
    assert [chr(info["kind"]) for info in fs.ls("/libhdfs/d")] == ["D", "F"]
    fs.call("hdfsChmod", "/libhdfs/d/f", 0o640)
    fs.call("hdfsChown", "/libhdfs/d/f", "ada", "lace")
    fs.call("hdfsUtime", "/libhdfs/d/f", 1000000000, -1)
    info = fs.info("/libhdfs/d/f")
    assert (info["permissions"], info["owner"], info["group"], info["mtime"]) == (0o640, b"ada", b"lace", 1000000000)
    assert (info["replication"], info["block_size"], info["size"]) == (1, MIB, 1)
    fs.call("hdfsSetReplication", "/libhdfs/d/f", 2)
    assert fs.info("/libhdfs/d/f")["replication"] == 2
    fs.call("hdfsRename", "/libhdfs/d", "/libhdfs/g")
    assert fs.get("/libhdfs/g/f") == b"x"
    fs.call("hdfsCopy", "/libhdfs/g", fs.fs, "/libhdfs/h")
    fs.call("hdfsMove", "/libhdfs/g/f", fs.fs, "/libhdfs/h/moved")
    assert fs.get("/libhdfs/h/moved") == b"x"
    assert [info["name"].decode().rsplit("/", 1)[1] for info in fs.ls("/libhdfs/h")] == ["e", "f", "moved"]


def test_paths_relative_to_the_working_directory(fs):
    fs.call("hdfsSetWorkingDirectory", "/libhdfs")
    fs.put("w", b"here")
    assert fs.get("/libhdfs/w") == b"here"
    fs.call("hdfsSetWorkingDirectory", "..")
    assert fs.get("libhdfs/w") == b"here"


def test_a_path_relative_to_a_deep_working_directory_may_go_up_further_than_home(fs):
    fs.put("/libhdfs/w", b"here")
    fs.call("hdfsSetWorkingDirectory", "/libhdfs/a/b/c")
    assert fs.get("../../../w") == b"here"


def test_a_path_with_a_scheme_only_is_of_this_file_system(ours):
    fs = Hdfs(ours.uri)
    fs.put("/schemes", b"x")
    assert [fs.get(path) for path in ("hdfs:/schemes", "hdfs:///schemes", f"{ours.uri}/schemes")] == [b"x"] * 3
    with pytest.raises(HdfsError) as error:
        fs.get("viewfs:///schemes")
    assert error.value.errno == errno.EINVAL
    fs.call("hdfsDelete", "/schemes", 0)
    fs.disconnect()


def test_the_default_mount_table(ours):
    """viewfs:/// has no name; what a listing calls its files can be opened."""
    table = "fs.viewfs.mounttable.default."
    view = Hdfs("viewfs:///", user="ann", settings={
        f"{table}link./data": f"{ours.uri}/libhdfs-view", f"{table}link./home": f"{ours.uri}/libhdfs-view", f"{table}homedir": "/home"})
    fs = Hdfs(ours.uri)
    fs.call("hdfsCreateDirectory", "/libhdfs-view/ann")
    fs.call("hdfsChmod", "/libhdfs-view/ann", 0o777)
    view.put("relative", b"at home")
    assert fs.get("/libhdfs-view/ann/relative") == b"at home"
    assert [info["name"] for info in view.ls("/data/ann")] == [b"viewfs:///data/ann/relative"]
    assert view.get("viewfs:///data/ann/relative") == view.get("viewfs:/data/ann/relative") == b"at home"
    fs.call("hdfsDelete", "/libhdfs-view", 1)
    view.disconnect()
    fs.disconnect()


@pytest.mark.parametrize("mask, mode", [("027", 0o640), ("u=rwx,g=r-x,o=", 0o640), ("u=rwx,go=rx", 0o644), ("077", 0o600)])
def test_the_umask_is_octal_or_symbolic(ours, mask, mode):
    fs = Hdfs(ours.uri, settings={"fs.permissions.umask-mode": mask})
    fs.call("hdfsCreateDirectory", "/masked")
    fs.put("/masked/f", b"x")
    assert (fs.info("/masked/f")["permissions"], fs.info("/masked")["permissions"]) == (mode, mode | mode >> 2 & 0o111)
    fs.call("hdfsDelete", "/masked", 1)
    fs.disconnect()


def test_hosts_capacity_and_sizes(fs):
    fs.put("/libhdfs/f", DATA, replication=2)

    def all_are_reported():  # one replica is enough for the file to be closed
        hosts = fs.hosts("/libhdfs/f", 0, len(DATA))
        return len(hosts) == -(-len(DATA) // MIB) and all(len(names) == 2 for names in hosts)

    wait_for(all_are_reported, 10, "two hosts for each block")
    assert fs.call("hdfsGetCapacity") > fs.call("hdfsGetUsed") >= 0
    assert fs.call("hdfsGetDefaultBlockSize") == MIB


def test_truncate(fs):
    fs.put("/libhdfs/f", DATA)
    assert fs.call("hdfsTruncateFile", "/libhdfs/f", 2 * MIB) == 1
    assert fs.get("/libhdfs/f") == DATA[: 2 * MIB]


@pytest.mark.parametrize(
    "want, action",
    [
        (errno.ENOENT, lambda fs: fs.open("/libhdfs/none")),
        (errno.ENOENT, lambda fs: fs.info("/libhdfs/none")),
        (errno.ENOENT, lambda fs: fs.ls("/libhdfs/none")),
        (errno.ENOENT, lambda fs: fs.call("hdfsExists", "/libhdfs/none")),
        (errno.ENOENT, lambda fs: fs.call("hdfsDelete", "/libhdfs/none", 0)),
        (errno.ENOENT, lambda fs: fs.open("/libhdfs/none", os.O_WRONLY | os.O_APPEND)),
        (errno.ENOTEMPTY, lambda fs: fs.call("hdfsDelete", "/libhdfs", 0)),
        (errno.EEXIST, lambda fs: fs.open("/libhdfs/f", os.O_WRONLY | os.O_EXCL)),
        (errno.EINVAL, lambda fs: fs.open("hdfs://elsewhere:1/f")),
        (errno.ENOTSUP, lambda fs: fs.open("/libhdfs/f", os.O_RDWR)),
        (errno.EBUSY, lambda fs: [fs.open("/libhdfs/busy", os.O_WRONLY), fs.open("/libhdfs/busy", os.O_WRONLY | os.O_APPEND)]),
    ],
)
def test_errors_have_the_errno_that_fits(fs, want, action):
    fs.put("/libhdfs/f", b"x")
    with pytest.raises(HdfsError) as error:
        action(fs)
    assert error.value.errno == want, str(error.value)
    assert "libhdfs" in str(error.value) or "elsewhere" in str(error.value)


def test_the_example_builds_and_prints_a_file(fs, tmp_path):
    fs.put("/libhdfs/f", DATA)
    source, folder = f"{ROOT}/examples/read_file.c", os.path.dirname(cairn_path())
    build = ["cc", *([f"-fsanitize={sanitizer.kind()}"] if sanitizer.kind() else []), f"-I{ROOT}/client/include", source, f"-L{folder}", "-lhdfs", f"-Wl,-rpath,{folder}", "-o", f"{tmp_path}/x"]
    subprocess.run(build, check=True)
    uri = fs.info("/libhdfs/f")["name"].decode().removesuffix("/libhdfs/f")
    assert subprocess.run([f"{tmp_path}/x", uri, "/libhdfs/f"], capture_output=True).stdout == DATA
    gone = subprocess.run([f"{tmp_path}/x", uri, "/libhdfs/none"], capture_output=True)
    assert gone.returncode == 1 and b"/libhdfs/none" in gone.stderr


def test_a_namenode_that_is_not_there(tmp_path):
    connection = Hdfs("hdfs://127.0.0.1:1")
    with pytest.raises(HdfsError) as error:
        connection.call("hdfsExists", "/")
    assert error.value.errno == errno.ECONNREFUSED and "127.0.0.1:1" in str(error.value)
    connection.disconnect()


@pytest.mark.parametrize("victim", ["datanode-1", "datanode-2", "datanode-3"])
@pytest.mark.parametrize("flush", [False, True])
def test_a_datanode_is_killed_while_a_file_is_written_and_while_it_is_read(tmp_path, victim, flush):
    with Cluster(tmp_path / "cluster") as cluster:
        fs = Hdfs(cluster.uri, settings={"dfs.blocksize": 2 * MIB})
        with fs.open("/f", os.O_WRONLY) as writer:
            for at in range(0, len(DATA), 100000):
                writer.write(DATA[at : at + 100000])
                if flush and at % 300000 == 0:
                    writer.call("hdfsHFlush")
                if at == 1000000:
                    cluster.kill(victim)
        assert hashlib.sha256(fs.get("/f")).digest() == hashlib.sha256(DATA).digest()
        fs.disconnect()


def test_a_datanode_is_killed_under_an_open_reader(tmp_path):
    with Cluster(tmp_path / "cluster") as cluster:
        fs = Hdfs(cluster.uri, settings={"dfs.blocksize": 2 * MIB})
        fs.put("/f", DATA)
        for victim in "datanode-1", "datanode-2":
            with fs.open("/f") as reader:
                first = reader.read(MIB)
                cluster.kill(victim)
                assert first + reader.read_all() == DATA
                assert reader.pread(3 * MIB, 1000) == DATA[3 * MIB : 3 * MIB + 1000]
        fs.disconnect()


def test_a_client_that_may_wait_survives_a_stop_of_the_namenode(tmp_path):
    with Cluster(tmp_path / "cluster") as cluster:
        fs = Hdfs(cluster.uri, settings={"dfs.blocksize": MIB, "cairn.client.retry-for": "60s"})
        with fs.open("/f", os.O_WRONLY) as writer:
            writer.write(DATA[:1500000])
            cluster.kill("namenode", signal.SIGKILL)
            back = threading.Timer(1, cluster.start_again, ["namenode"])
            back.start()
            writer.write(DATA[1500000:])
        back.join()
        assert fs.get("/f") == DATA
        fs.disconnect()

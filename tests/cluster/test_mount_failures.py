"""A mount while daemons die under it, disks are full, and what cannot be saved."""
import contextlib
import errno
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from lib.cluster import cairn_path, client_env, run_cairn
from lib.data import MIB
from lib.posix_mounts import BLOCK, cluster, hdfs_bytes, here, mount_on, path_in_dfs
from lib.waiting import wait_for


# ---- what cannot be saved ----


def test_what_cannot_be_saved_at_a_close_is_saved_later(cluster, here):
    with open(here + "/f", "wb") as f:
        f.write(bytes(MIB))
    cluster.dfsadmin("-setSpaceQuota", "1m", path_in_dfs(cluster, here), check=True)
    f = os.open(here + "/f", os.O_RDWR)
    os.pwrite(f, b"late", 1000)
    os.pwrite(f, bytes(MIB), MIB)
    with pytest.raises(OSError) as said:
        os.close(f)
    assert said.value.errno == errno.EDQUOT
    said = b"serving; 1 files that were closed are not saved yet"
    wait_for(lambda: said in run_cairn("mount", "--status", cluster.mount).stdout, 10, "the mount to say so")
    assert run_cairn("mount", "--status", cluster.mount).returncode == 1
    with open(here + "/f", "rb") as f:
        assert f.read()[1000:1004] == b"late"
    assert hdfs_bytes(cluster, here + "/f") == bytes(MIB), "nobody else sees it"
    cluster.dfsadmin("-clrSpaceQuota", path_in_dfs(cluster, here), check=True)
    wait_for(lambda: hdfs_bytes(cluster, here + "/f")[1000:1004] == b"late", 60, "the late save")
    wait_for(lambda: run_cairn("mount", "--status", cluster.mount).returncode == 0, 10, "nothing to be left")


def test_a_full_staging_disk_is_emptied_by_saving(cluster, here, tmp_path):
    target, disk = tmp_path / "mnt", tmp_path / "disk"
    os.mkdir(disk)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", disk], check=True)
    daemon = mount_on(cluster, target, tmp_path / "log", "-o", f"staging={disk}")
    folder, rng = str(target) + path_in_dfs(cluster, here), random.Random(2)
    models = [bytearray(rng.randbytes(4 * MIB)) for _ in range(3)]
    with contextlib.ExitStack() as open_files:
        files = [open_files.enter_context(open(f"{folder}/f{i}", "w+b", buffering=0)) for i in range(3)]
        for file, model in zip(files, models):
            for at in range(0, len(model), 256 * 1024):
                assert file.write(model[at:at + 256 * 1024]) == 256 * 1024
        for i in range(150):
            file, model = files[i % 3], models[i % 3]
            offset, part = rng.randrange(len(model) - 70000), rng.randbytes(70000)
            assert os.pwrite(file.fileno(), part, offset) == len(part)
            model[offset:offset + len(part)] = part
    daemon.stop()
    subprocess.run(["umount", disk], check=True)
    for i, model in enumerate(models):
        assert hdfs_bytes(cluster, f"{here}/f{i}") == model


def test_a_truncation_that_failed_is_not_done_later(cluster, here):
    """A file that an HDFS client writes cannot be cut off; whoever closes it later does not do it either."""
    open(here + "/f", "w").write("first ")
    command = [cairn_path(), "fs", "-fs", cluster.uri, "-appendToFile", "-", path_in_dfs(cluster, here) + "/f"]
    writer = subprocess.Popen(command, stdin=subprocess.PIPE, env=client_env())
    writer.stdin.write(b"second")
    writer.stdin.flush()
    wait_for(lambda: b"OPENFORWRITE" in cluster.fsck(path_in_dfs(cluster, here), "-openforwrite", "-files").stdout, 20, "a writer")
    with open(here + "/f", "rb"):
        with pytest.raises(OSError):
            os.truncate(here + "/f", 0)
        writer.stdin.close()
        assert writer.wait(20) == 0
    wait_for(lambda: hdfs_bytes(cluster, here + "/f") == b"first second", 5, "all bytes")


def _calls(cluster, method):
    beans = json.loads(cluster.http_get("/jmx"))["beans"]
    return next(b["CallsByProtocol"]["org.cairn.PosixProtocol"][method] for b in beans if "CallsByProtocol" in b)


def test_a_save_that_waits_for_another_writer_uploads_once(cluster, here):
    open(here + "/f", "wb").write(bytes(MIB))
    command = [cairn_path(), "fs", "-fs", cluster.uri, "-appendToFile", "-", path_in_dfs(cluster, here) + "/f"]
    writer = subprocess.Popen(command, stdin=subprocess.PIPE, env=client_env())
    writer.stdin.write(b"appended")
    writer.stdin.flush()
    wait_for(lambda: b"OPENFORWRITE" in cluster.fsck(path_in_dfs(cluster, here), "-openforwrite", "-files").stdout, 20, "a writer")
    edits, blocks = _calls(cluster, "edit"), _calls(cluster, "newBlocks")

    def save():
        with open(here + "/f", "r+b", buffering=0) as f:
            os.pwrite(f.fileno(), b"edited", 1000)

    saving = threading.Thread(target=save)
    saving.start()
    try:
        wait_for(lambda: _calls(cluster, "edit") >= edits + 4, 25, "the save to be tried a few times")
        assert _calls(cluster, "newBlocks") == blocks + 1
    finally:
        writer.stdin.close()
        assert writer.wait(20) == 0
        saving.join(40)
    data = hdfs_bytes(cluster, here + "/f")
    assert data[1000:1006] == b"edited" and data[MIB:] == b"appended"


# ---- daemons that die ----


def test_what_was_written_before_a_stream_failed_is_there(cluster, here):
    """Whoever asks first when it has failed; and the file may be written again."""
    cluster.dfsadmin("-setSpaceQuota", str(13 * MIB), path_in_dfs(cluster, here), check=True)
    f = os.open(here + "/f", os.O_WRONLY | os.O_CREAT, 0o644)
    data = b""
    with pytest.raises(OSError) as said:
        while len(data) < 2 * BLOCK:
            part = os.urandom(MIB)
            os.write(f, part)
            data += part
    assert said.value.errno == errno.EDQUOT and len(data) == BLOCK
    os.utime(here + "/f")
    os.fsync(f)
    os.close(f)
    assert hdfs_bytes(cluster, here + "/f") == data
    cluster.dfsadmin("-clrSpaceQuota", path_in_dfs(cluster, here), check=True)
    with open(here + "/f", "ab") as again:
        again.write(b"more")
    assert hdfs_bytes(cluster, here + "/f") == data + b"more"


def test_a_stream_survives_that_all_datanodes_are_started_again(cluster, here):
    data = os.urandom(3 * MIB)
    with open(here + "/f", "wb", buffering=0) as f:
        f.write(data[:MIB])
        for i in 1, 2, 3:
            cluster.kill(f"datanode-{i}")
        for i in 1, 2, 3:
            cluster.start_again(f"datanode-{i}")
        f.write(data[MIB:])
    assert hdfs_bytes(cluster, here + "/f") == data


def test_a_stream_is_read_after_all_its_datanodes_were_started_again(cluster, here):
    """Nothing is written meanwhile that would notice."""
    with subprocess.Popen([sys.executable, "-c", STREAM, here + "/f"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as stream:
        data = bytes.fromhex(stream.stdout.readline())

        def reads_well():
            began = time.monotonic()
            stream.stdin.write("\n")
            stream.stdin.flush()
            assert stream.stdout.readline() == "True\n"
            return time.monotonic() - began < 20  # one that waits for them is given up after 60

        assert reads_well()
        for i in 1, 2, 3:
            cluster.kill(f"datanode-{i}")
        for i in 1, 2, 3:
            cluster.start_again(f"datanode-{i}")
        assert reads_well()
        stream.stdin.close()
        assert stream.wait(60) == 0
    assert hdfs_bytes(cluster, here + "/f") == data * 2


def test_small_files_are_made_while_datanodes_die_and_come_back(cluster, here):
    """Connections are kept from one block to the next: one that is gone is no reason to fail."""
    made = []

    def make(count):
        for _ in range(count):
            made.append(f"{here}/{len(made)}")
            open(made[-1], "wb").write(made[-1].encode() * 100)

    for number in 1, 2, 3:
        make(10)
        cluster.kill(f"datanode-{number}")
        make(10)
        cluster.start_again(f"datanode-{number}")
        make(10)
    cluster.wait_for_datanodes()
    for path in made:
        assert open(path, "rb").read() == path.encode() * 100
    assert cluster.fs("-cat", path_in_dfs(cluster, here) + "/0", check=True).stdout == made[0].encode() * 100


# A process of its own, since one that starts a daemon closes its copies of open files in the child, and so saves them.
STREAM = """
import mmap, os, sys
page, data = mmap.mmap(-1, 1 << 20), os.urandom(1 << 20)
f = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(f, data)
r = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
print(data.hex(), flush=True)
for line in sys.stdin:
    page[:] = bytes(len(page))
    print(os.preadv(r, [page], 0) == len(data) and page[:] == data, flush=True)
os.write(f, data)
"""


def test_what_was_synced_survives_the_namenode(cluster, here):
    with open(here + "/f", "wb") as f:
        f.write(bytes(2 * MIB))
    with open(here + "/f", "r+b", buffering=0) as f:
        os.pwrite(f.fileno(), b"synced", MIB)
        os.fsync(f.fileno())
        os.pwrite(f.fileno(), b"staged", 0)
        cluster.kill("namenode")
        cluster.start_again("namenode")
        assert os.pread(f.fileno(), 6, MIB) == b"synced"
        os.pwrite(f.fileno(), b"later", 100)
    data = hdfs_bytes(cluster, here + "/f")
    assert data[:6] == b"staged" and data[100:105] == b"later" and data[MIB:MIB + 6] == b"synced" and len(data) == 2 * MIB


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGSTOP], ids=["dead", "silent"])
def test_a_mount_that_has_nothing_to_save_ends_without_the_namenode(cluster, here, tmp_path, sig):
    """However long its programs would have waited for it."""
    with mount_on(cluster, tmp_path / "mnt", tmp_path / "log", "-o", "hard") as daemon:
        with open(str(tmp_path / "mnt") + path_in_dfs(cluster, here) + "/f", "wb") as f:
            f.write(b"saved")
        cluster.kill("namenode", sig)
        try:
            daemon.kill(signal.SIGTERM)
            wait_for(lambda: not daemon.is_alive(), 60, "the mount to end")
            assert daemon.returncode == 0
        finally:
            if sig == signal.SIGKILL:
                cluster.start_again("namenode")
            else:
                cluster.kill("namenode", signal.SIGCONT)
    wait_for(lambda: cluster.fs("-cat", path_in_dfs(cluster, here + "/f")).stdout == b"saved", 30, "what was saved")


def test_a_datanode_dies_under_edits(cluster, here):
    rng, model = random.Random(3), bytearray(3 * MIB)
    with open(here + "/f", "wb") as f:
        f.write(model)
    with open(here + "/f", "r+b", buffering=0) as f:
        for i in range(12):
            if i == 4:
                killed = cluster.kill("datanode-2")["name"]
            offset = rng.randrange(len(model) - 1000)
            part = rng.randbytes(1000)
            os.pwrite(f.fileno(), part, offset)
            model[offset:offset + 1000] = part
            os.fsync(f.fileno())
    cluster.start_again(killed)
    assert open(here + "/f", "rb").read() == model
    wait_for(lambda: b"Live datanodes (3)" in cluster.dfsadmin("-report").stdout, 30, "all three datanodes")

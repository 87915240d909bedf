"""copy_file_range on the mount, and so cp: blocks are shared by datanodes, no byte moves, and the copies are as good as
any other files."""
import errno
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from lib.data import MIB
from lib.posix_mounts import BLOCK, beside, cluster, hdfs_bytes, here, keeper_of, other, path_in_dfs, serving_of
from lib.process import is_alive
from lib.waiting import wait_for

SIZE = 5 * BLOCK + 12345


def http_address(daemon):
    setting = "dfs.datanode.http.address="
    return next(word.removeprefix(setting) for word in daemon["command"] if word.startswith(setting))


def counter(cluster, name):
    """The sum of all datanodes that run."""
    total = 0
    for daemon in cluster.daemons_named("datanode-"):
        if is_alive(daemon["pid"]):
            page = cluster.http_get("/metrics", http_address(daemon)).decode()
            total += int(re.search(rf"^cairn_datanode_{name}_total (\d+)", page, re.M).group(1))
    return total


def moved(cluster):
    return counter(cluster, "bytes_written")


def on_disk(cluster):
    folders = [os.path.join(cluster.folder, daemon["name"]) for daemon in cluster.daemons_named("datanode-")]
    assert all(map(os.path.isdir, folders)), folders
    return int(subprocess.run(["du", "-sc", "--block-size=1", *folders], capture_output=True, check=True).stdout.split()[-2])


def make(path, size=SIZE, seed=1):
    data = random.Random(seed).randbytes(size)
    with open(path, "wb") as f:
        f.write(data)
    return data


def cp(source, target):
    subprocess.run(["cp", "--sparse=auto", source, target], check=True, timeout=60)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def copy_range(source, source_at, target, target_at, length):
    """As cp does it: until all is copied, however short each answer."""
    done = 0
    while done < length:
        n = os.copy_file_range(source, target, length - done, source_at + done, target_at + done)
        if n == 0:
            break
        done += n
    return done


def test_cp_moves_no_byte(cluster, here):
    data = make(here + "/original")
    before, cloned, room = moved(cluster), counter(cluster, "blocks_cloned"), on_disk(cluster)
    cp(here + "/original", here + "/copy")
    assert moved(cluster) == before
    assert counter(cluster, "blocks_cloned") == cloned + 3 * 6
    assert on_disk(cluster) - room < MIB
    assert read(here + "/copy") == data
    assert hdfs_bytes(cluster, here + "/copy") == data
    attributes = os.stat(here + "/copy")
    assert (attributes.st_size, attributes.st_blocks * 512) == (SIZE, os.stat(here + "/original").st_blocks * 512)
    wait_for(lambda: b"HEALTHY" in cluster.fsck(path_in_dfs(cluster, here)).stdout, 30, "all replicas to be known")
    checksums = [cluster.fs("-checksum", path_in_dfs(cluster, here) + name, check=True).stdout.split()[-1] for name in ("/original", "/copy")]
    assert checksums[0] == checksums[1]


def test_each_copy_is_edited_alone(cluster, here):
    data = make(here + "/original")
    cp(here + "/original", here + "/copy")
    cp(here + "/copy", here + "/second")
    models = {name: bytearray(data) for name in ("original", "copy", "second")}
    for i, (name, model) in enumerate(models.items()):
        with open(f"{here}/{name}", "r+b") as f:
            for at in (1000 * i, 2 * BLOCK - 50, SIZE - 10):
                part = b"%s at %d" % (name.encode(), at)
                f.seek(at)
                f.write(part)
                model[at:at + len(part)] = part
    os.truncate(here + "/second", 3 * BLOCK + 7)
    del models["second"][3 * BLOCK + 7:]
    for name, model in models.items():
        assert read(f"{here}/{name}") == model, name
        assert hdfs_bytes(cluster, f"{here}/{name}") == model, name


def test_clients_of_hdfs_append_to_and_truncate_a_copy(cluster, here, tmp_path):
    data = make(here + "/original", 2 * BLOCK + 1000000)
    cp(here + "/original", here + "/appended")
    cp(here + "/original", here + "/truncated")
    (tmp_path / "more").write_bytes(b"more" * 1000)
    cluster.fs("-appendToFile", tmp_path / "more", path_in_dfs(cluster, here) + "/appended", check=True)
    cluster.fs("-truncate", "-w", 2 * BLOCK + 500001, path_in_dfs(cluster, here) + "/truncated", check=True)
    assert hdfs_bytes(cluster, here + "/appended") == data + b"more" * 1000
    assert hdfs_bytes(cluster, here + "/truncated") == data[:2 * BLOCK + 500001]
    assert hdfs_bytes(cluster, here + "/original") == data
    cluster.fs("-appendToFile", tmp_path / "more", path_in_dfs(cluster, here) + "/original", check=True)
    assert hdfs_bytes(cluster, here + "/original") == data + b"more" * 1000
    assert hdfs_bytes(cluster, here + "/appended") == data + b"more" * 1000
    wait_for(lambda: read(here + "/truncated") == data[:2 * BLOCK + 500001], 10, "the mount to hear of it")


def test_copies_outlive_the_original_and_their_datanodes(cluster, here):
    data = make(here + "/original")
    cp(here + "/original", here + "/copy")
    cp(here + "/original", here + "/second")
    for name in ("datanode-1", "datanode-2", "datanode-3"):
        cluster.restart_daemon(name)
    cluster.fs("-rm", "-skipTrash", path_in_dfs(cluster, here) + "/original", check=True)
    wait_for(lambda: not os.path.exists(here + "/original"), 10, "it to be gone")
    with open(here + "/second", "r+b") as f:
        f.write(b"changed")
    removed = counter(cluster, "blocks_removed")
    os.unlink(here + "/second")
    wait_for(lambda: counter(cluster, "blocks_removed") >= removed + 3 * 6, 60, "datanodes to remove the others")
    assert hdfs_bytes(cluster, here + "/copy") == data
    make(here + "/new", seed=2)  # not into files that are still somebody's
    assert hdfs_bytes(cluster, here + "/copy") == data
    for name in ("datanode-1", "datanode-2", "datanode-3"):
        cluster.restart_daemon(name)
    assert hdfs_bytes(cluster, here + "/copy") == data
    wait_for(lambda: b"HEALTHY" in cluster.fsck(path_in_dfs(cluster, here)).stdout, 60, "all replicas to be good")


def test_a_snapshot_keeps_what_was_copied(cluster, here):
    path = path_in_dfs(cluster, here)
    data = make(here + "/original")
    cluster.dfsadmin("-allowSnapshot", path, check=True)
    cluster.fs("-createSnapshot", path, "s", check=True)
    cp(here + "/original", here + "/copy")
    with open(here + "/copy", "r+b") as f:
        f.write(b"copy")
    with open(here + "/original", "r+b") as f:
        f.write(b"original")
    os.unlink(here + "/original")
    assert cluster.fs("-cat", path + "/.snapshot/s/original", check=True).stdout == data
    assert hdfs_bytes(cluster, here + "/copy") == b"copy" + data[4:]
    cluster.fs("-deleteSnapshot", path, "s", check=True)
    assert hdfs_bytes(cluster, here + "/copy") == b"copy" + data[4:]


def test_the_other_mount_sees_the_copy_and_shares_again(cluster, here, other):
    data = make(here + "/original")
    with open(here + "/copy", "wb") as f:
        f.write(b"old")
    there = beside(cluster, other, here)
    wait_for(lambda: read(there + "/copy") == b"old", 10, "the old bytes")
    cp(here + "/original", here + "/copy")
    assert read(there + "/copy") == data
    before = moved(cluster)
    cp(there + "/copy", there + "/third")
    assert moved(cluster) == before
    assert read(here + "/third") == data
    with open(there + "/original", "r+b") as f:
        f.write(b"from the other side")
    cp(here + "/original", here + "/fourth")
    assert read(here + "/fourth") == b"from the other side" + data[19:]


def test_holes_stay_holes(cluster, here):
    part = make(here + "/original", 2 * MIB)
    os.truncate(here + "/original", 100 * MIB)
    with open(here + "/original", "r+b") as f:
        f.seek(50 * MIB)
        f.write(part)
    before = moved(cluster)
    with open(here + "/original", "rb") as source, open(here + "/copy", "wb") as target:
        assert copy_range(source.fileno(), 0, target.fileno(), 0, 100 * MIB) == 100 * MIB
    assert moved(cluster) == before
    cp(here + "/original", here + "/second")  # which may read and write what is no hole
    for name in ("copy", "second"):
        assert read(f"{here}/{name}") == part + bytes(48 * MIB) + part + bytes(48 * MIB)
        assert os.stat(f"{here}/{name}").st_blocks == os.stat(here + "/original").st_blocks
        with open(f"{here}/{name}", "rb") as f:
            assert os.lseek(f.fileno(), 0, os.SEEK_HOLE) == 2 * MIB
            assert os.lseek(f.fileno(), 2 * MIB, os.SEEK_DATA) == 50 * MIB


def test_any_range_to_any_place(cluster, here):
    """Held against plain bytes: whatever is shared, cut, covered or left to the kernel."""
    rng = random.Random(5)
    models = [bytearray(make(f"{here}/f{i}", rng.randrange(3 * BLOCK), seed=i)) for i in range(3)]
    files = [os.open(f"{here}/f{i}", os.O_RDWR) for i in range(3)]
    cloned = counter(cluster, "blocks_cloned")
    for step in range(60):
        a, b = rng.randrange(3), rng.randrange(3)
        if rng.random() < 0.4:
            part, at = rng.randbytes(rng.randrange(1, 2 * MIB)), rng.randrange(len(models[a]) + BLOCK)
            assert os.pwrite(files[a], part, at) == len(part)
            models[a].extend(bytes(max(0, at + len(part) - len(models[a]))))
            models[a][at:at + len(part)] = part
            continue
        source_at = rng.choice([0, 0, 256 * 1024 * rng.randrange(20), rng.randrange(len(models[a]) + 1)])
        target_at = rng.choice([0, len(models[b]), rng.randrange(len(models[b]) + BLOCK)])
        length = min(rng.choice([MIB, BLOCK, 2 * BLOCK, 3 * BLOCK + 5]), max(0, len(models[a]) - source_at))
        if a == b and abs(source_at - target_at) < length:
            with pytest.raises(OSError) as said:
                os.copy_file_range(files[a], files[b], length, source_at, target_at)
            assert said.value.errno == errno.EINVAL
            continue
        assert copy_range(files[a], source_at, files[b], target_at, length) == length
        part = models[a][source_at:source_at + length]
        models[b].extend(bytes(max(0, target_at + length - len(models[b])) if length else 0))
        models[b][target_at:target_at + length] = part
        assert os.fstat(files[b]).st_size == len(models[b]), step
        assert os.pread(files[b], length + 200, max(0, target_at - 100)) == models[b][max(0, target_at - 100):][:length + 200], step
    for i, file in enumerate(files):
        os.close(file)
        assert hdfs_bytes(cluster, f"{here}/f{i}") == models[i], i
    assert counter(cluster, "blocks_cloned") > cloned + 30


def test_what_is_not_saved_yet_is_copied_too(cluster, here):
    data = make(here + "/original")
    with open(here + "/original", "r+b", buffering=0) as source, open(here + "/copy", "w+b", buffering=0) as target:
        source.write(b"new")
        source.seek(0, os.SEEK_END)
        source.write(b"and longer")
        target.write(b"nothing of this stays")
        length = SIZE + len(b"and longer")
        assert copy_range(source.fileno(), 0, target.fileno(), 0, length) == length
        target.seek(0)
        assert target.read() == b"new" + data[3:] + b"and longer"


def test_times_set_id_bits_and_limits_are_as_with_writes(cluster, here):
    make(here + "/original")
    open(here + "/copy", "w").close()
    os.chown(here + "/copy", 65534, 65534)
    os.chmod(here + "/original", 0o644)
    os.chmod(here + "/copy", 0o6755)
    for name in ("original", "copy"):
        os.utime(f"{here}/{name}", (1000, 1000))
    began, cloned = time.time() - 1, counter(cluster, "blocks_cloned")
    script = """if True:
        import os, resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        os.setgroups([]), os.setgid(65534), os.setuid(65534)
        source, target = os.open("original", os.O_RDONLY), os.open("copy", os.O_WRONLY)
        resource.setrlimit(resource.RLIMIT_FSIZE, (%d, %d))
        print(os.copy_file_range(source, target, %d, 0, 0), os.fstat(target).st_size)
        try:
            os.copy_file_range(source, target, 2 ** 20, 0, %d)
        except OSError as error:
            print(error.errno)
    """ % (2 * BLOCK + 100, 2 * BLOCK + 100, SIZE, 2 * BLOCK + 100)
    said = subprocess.run([sys.executable, "-c", script], cwd=here, capture_output=True, text=True, timeout=60)
    assert said.stdout.split() == [str(2 * BLOCK), str(2 * BLOCK), str(errno.EFBIG)], said
    assert counter(cluster, "blocks_cloned") == cloned + 3 * 2
    source, target = os.stat(here + "/original"), os.stat(here + "/copy")
    assert target.st_mode & 0o7777 == 0o755
    assert min(target.st_mtime, target.st_ctime, source.st_atime) >= began
    assert (source.st_mtime, target.st_size) == (1000, 2 * BLOCK)


def test_a_quota_is_kept(cluster, here):
    make(here + "/original")
    cluster.dfsadmin("-setSpaceQuota", 5 * SIZE, path_in_dfs(cluster, here), check=True)
    with open(here + "/original", "rb") as source, open(here + "/copy", "wb") as target:
        with pytest.raises(OSError) as said:
            os.copy_file_range(source.fileno(), target.fileno(), SIZE)
        assert said.value.errno == errno.EDQUOT
    assert os.stat(here + "/copy").st_size == 0
    cluster.dfsadmin("-clrSpaceQuota", path_in_dfs(cluster, here), check=True)
    cp(here + "/original", here + "/copy")


def test_one_of_three_datanodes_is_down(cluster, here):
    data = make(here + "/original")
    wait_for(lambda: b"HEALTHY" in cluster.fsck(path_in_dfs(cluster, here)).stdout, 30, "all replicas to be known")
    cluster.kill("datanode-2")
    before, cloned = moved(cluster), counter(cluster, "blocks_cloned")
    cp(here + "/original", here + "/copy")
    assert moved(cluster) == before
    assert counter(cluster, "blocks_cloned") == cloned + 2 * 6
    assert read(here + "/copy") == data
    cluster.start_again("datanode-2")
    cluster.wait_for_datanodes()
    assert hdfs_bytes(cluster, here + "/copy") == data

    def all_there():
        health = cluster.fsck(path_in_dfs(cluster, here)).stdout
        return b"HEALTHY" in health and re.search(rb"Under-replicated blocks:\s+0 ", health)
    wait_for(all_there, 90, "the third replicas")


def test_the_mount_is_killed_meanwhile(cluster, here):
    """A request that is sent again is done again, whatever became of it."""
    data, keeper, ended = make(here + "/original"), keeper_of(cluster), threading.Event()

    def kill():
        while not ended.wait(0.3):
            killed = serving_of(keeper)
            os.kill(killed, signal.SIGKILL)
            wait_for(lambda: serving_of(keeper) != killed, 20, "the next process")

    killing = threading.Thread(target=kill)
    killing.start()
    try:
        for i in range(30):
            cp(here + "/original", f"{here}/copy{i % 3}")
            assert read(f"{here}/copy{i % 3}") == data, i
    finally:
        ended.set()
        killing.join()
    assert hdfs_bytes(cluster, here + "/copy0") == data


def test_datanodes_are_killed_meanwhile(cluster, here):
    data, ended = make(here + "/original"), threading.Event()

    def kill():
        for i in range(6):
            if ended.is_set():
                break
            cluster.restart_daemon(f"datanode-{i % 3 + 1}")

    killing = threading.Thread(target=kill)
    killing.start()
    try:
        while killing.is_alive():
            cp(here + "/original", here + "/copy")
            assert read(here + "/copy") == data
    finally:
        ended.set()
        killing.join()
    assert hdfs_bytes(cluster, here + "/copy") == data

"""The rarer ops of block transfer, byte by byte, and what a datanode does about its disks by itself."""
import glob
import hashlib
import os
import re
import struct

import pytest

from lib import xfer
from lib.cluster import Cluster
from lib.data import MIB
from lib.libhdfs import Hdfs
from lib.waiting import wait_for

DATA = bytes(range(256)) * 40
STAMP = 1001


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    properties = {
        "dfs.replication": 1,
        "dfs.datanode.balance.max.concurrent.moves": 1,
        "dfs.heartbeat.interval": 600,  # with which the namenode would have blocks deleted that it does not know
    }
    with Cluster(tmp_path_factory.mktemp("ops") / "cluster", nodes=2, properties=properties) as running:
        yield running


def address(cluster, name):
    host, port = cluster.daemon(name)["address"].split(":")
    return host, int(port)


def log_of(cluster, name):
    with open(cluster.daemon(name)["log"]) as file:
        return file.read()


@pytest.fixture(scope="module")
def node(cluster):
    return address(cluster, "datanode-1")


@pytest.fixture(scope="module")
def other(cluster):
    return address(cluster, "datanode-2")


@pytest.fixture(scope="module")
def pool(cluster):
    return re.search(r"store: pool=(\S+)", log_of(cluster, "datanode-1")).group(1)


@pytest.fixture
def target(pool, next_id=[1 << 41]):
    next_id[0] += 1
    return xfer.block(pool, next_id[0], STAMP)


def status(answer):
    return answer[1][0]


def finalize(node, target, data=DATA, **how):
    with xfer.Connection(node) as writer:
        assert status(writer.write_block(target, **how)) == xfer.SUCCESS
        writer.packet(0, 0, data, b"" if how.get("checksum_type") == 0 else xfer.checksums(data, how.get("chunk", 512)))
        assert writer.answer()[2] == [xfer.SUCCESS]
        writer.packet(1, len(data), b"", b"", last=True)
        assert writer.answer()[2] == [xfer.SUCCESS]


def packets(reader):
    """[(offset, checksums, data)] up to the empty last packet."""
    found = []
    while True:
        total, head = struct.unpack(">ih", reader.read_exactly(6))
        fields = xfer.parse(reader.read_exactly(head))
        size = int.from_bytes(fields[4][0], "little")
        sums, data = reader.read_exactly(total - 4 - size), reader.read_exactly(size)
        if fields[3][0]:
            return found
        found.append((int.from_bytes(fields[1][0], "little"), sums, data))


def datanode_proto(address, uuid="somebody"):
    return xfer.message((1, xfer.message((1, address[0]), (2, address[0]), (3, uuid), (4, address[1]), (5, 0), (6, 0))))


# ---- reading ----


@pytest.mark.parametrize("offset, length", [(0, len(DATA)), (1, 1), (511, 2), (512, 512), (5000, 0), (len(DATA), 0), (700, 9540)])
@pytest.mark.parametrize("with_checksums", [True, False])
def test_any_range_with_and_without_checksums(node, target, offset, length, with_checksums):
    finalize(node, target)
    with xfer.Connection(node) as reader:
        for caching in (None, xfer.message((1, True), (2, 65536))):
            header = xfer.message((1, xfer.message((1, target))), (2, "test"))
            reader.op(xfer.READ_BLOCK, xfer.message((1, header), (2, offset), (3, length), (4, with_checksums), (5, caching)))
            answer = reader.answer()
            assert status(answer) == xfer.SUCCESS
            info = xfer.parse(answer[4][0])
            kind = xfer.parse(info[1][0])
            assert (kind[1][0], kind[2][0]) == ((2, 512) if with_checksums else (0, 512))
            first = info[2][0]
            assert offset - 512 < first <= offset
            got = packets(reader)
            data = b"".join(part for _, _, part in got)
            assert data[offset - first : offset - first + length] == DATA[offset : offset + length]
            assert b"".join(sums for _, sums, _ in got) == (xfer.checksums(DATA[first : first + len(data)]) if with_checksums else b"")
            reader.send(bytes([2, 8, xfer.CHECKSUM_OK]))


# ---- clones ----


def clone_op(pool, *clones):
    """Each: id, stamp and length of what is there, id and stamp of what shall be."""
    return xfer.message((1, pool), (2, "test"), *((3, xfer.message(*enumerate(clone, 1))) for clone in clones))


def test_clones_of_what_is_there_and_nothing_else(node, pool, target):
    finalize(node, target)
    source = xfer.parse(target)[2][0]
    first, second = source << 1, source << 1 | 1
    good = (source, STAMP, len(DATA), first, 2000)
    bad = [(source + (1 << 50), STAMP, len(DATA), second, 2000), (source, STAMP + 1, len(DATA), second, 2000),
           (source, STAMP, len(DATA) - 1, second, 2000), (source, STAMP, 2 ** 64 - 1, second, 2000),
           (source, STAMP, len(DATA), source, 2000), (source, STAMP, len(DATA), first, 3000),
           (source, STAMP, len(DATA), ZEROS, ZEROS_STAMP), (ZEROS, ZEROS_STAMP, 1000, second, 2000)]
    with xfer.Connection(node) as client:
        client.op(xfer.CLONE_BLOCKS, clone_op(pool, bad[0], good, *bad[1:]))
        answer = client.answer()
        assert status(answer) == xfer.SUCCESS
        assert answer[20002] == [0, *range(2, len(bad) + 1)]
        assert b"Replica not found" in answer[5][0]
        client.op(xfer.CLONE_BLOCKS, clone_op(pool, (first, 2000, len(DATA), second, 2001)))  # the connection stays
        answer = client.answer()
        assert (status(answer), answer.get(20002)) == (xfer.SUCCESS, None)
    for made, stamp in (first, 2000), (second, 2001):
        with xfer.Connection(node) as reader:
            assert status(reader.read_block(xfer.block(pool, made, stamp), 0, len(DATA))) == xfer.SUCCESS
            assert b"".join(part for _, _, part in packets(reader)) == DATA


def test_what_is_being_written_is_not_cloned(node, pool, target):
    source = xfer.parse(target)[2][0]
    with xfer.Connection(node) as writer:
        assert status(writer.write_block(target)) == xfer.SUCCESS
        writer.packet(0, 0, DATA, xfer.checksums(DATA))
        assert writer.answer()[2] == [xfer.SUCCESS]
        with xfer.Connection(node) as client:
            client.op(xfer.CLONE_BLOCKS, clone_op(pool, (source, STAMP, len(DATA), source << 1, 2000)))
            answer = client.answer()
            assert answer[20002] == [0] and b"being changed" in answer[5][0]


@pytest.mark.parametrize("count", [0, 257])
def test_no_clones_or_too_many_are_refused(node, pool, count):
    with xfer.Connection(node) as client:
        client.op(xfer.CLONE_BLOCKS, clone_op(pool, *[(1, 1, 1, 2, 2)] * count))
        answer = client.answer()
        assert status(answer) == xfer.ERROR and b"1 to 256" in answer[5][0]


def test_clones_of_another_pool_are_refused(node):
    with xfer.Connection(node) as client:
        client.op(xfer.CLONE_BLOCKS, clone_op("BP-1-127.0.0.1-1", (1, 1, 1, 2, 2)))
        answer = client.answer()
        assert status(answer) == xfer.ERROR and b"is not on this datanode" in answer[5][0]


# ---- holes of files ----

ZEROS, ZEROS_STAMP = 1 << 30, 1000


@pytest.mark.parametrize("offset, length", [(0, 0), (0, 1), (511, 2), (700, 300_000), (2 ** 62 + 100, 10_000)])
@pytest.mark.parametrize("with_checksums", [True, False])
def test_the_block_of_zeros(node, pool, offset, length, with_checksums):
    target = xfer.block(pool, ZEROS, ZEROS_STAMP, 2 ** 62 + 10 ** 6)
    with xfer.Connection(node) as reader:
        for _ in range(2):
            header = xfer.message((1, xfer.message((1, target))), (2, "test"))
            reader.op(xfer.READ_BLOCK, xfer.message((1, header), (2, offset), (3, length), (4, with_checksums)))
            answer = reader.answer()
            assert status(answer) == xfer.SUCCESS
            info = xfer.parse(answer[4][0])
            kind = xfer.parse(info[1][0])
            assert (kind[1][0], kind[2][0]) == ((2, 512) if with_checksums else (0, 512))
            first, got = info[2][0], packets(reader)
            data = b"".join(part for _, _, part in got)
            assert offset - 512 < first <= offset and data == bytes(offset - first + length)
            assert all(at == first + sum(len(part) for _, _, part in got[:i]) for i, (at, _, _) in enumerate(got))
            assert b"".join(sums for _, sums, _ in got) == (xfer.checksums(data) if with_checksums else b"")
            reader.send(bytes([2, 8, xfer.CHECKSUM_OK]))


def test_the_block_of_zeros_has_checksums_and_no_replica(cluster, node, pool):
    zeros = bytes(700_001)
    target = xfer.block(pool, ZEROS, ZEROS_STAMP, len(zeros))
    assert ask_checksum(node, target)[1][3][0] == hashlib.md5(xfer.checksums(zeros)).digest()
    assert ask_checksum(node, target, 2)[1][3][0] == struct.pack(">I", xfer.crc32c(zeros))
    for how in ({}, {"stage": xfer.STAGE_APPEND, "new_stamp": 2000, "min_bytes": len(zeros)}):
        with xfer.Connection(node) as writer:
            assert status(writer.write_block(target, **how)) == xfer.ERROR
    for offset, length in ((2 ** 63, 1), (2 ** 63 - 1, 1), (1, 2 ** 64 - 1)):
        with xfer.Connection(node) as reader:
            assert status(reader.read_block(target, offset, length)) == xfer.ERROR
    assert status_of_other_pool(node) == xfer.ERROR
    assert not glob.glob(f"{cluster.folder}/**/blk_{ZEROS}*", recursive=True)


def status_of_other_pool(node):
    with xfer.Connection(node) as reader:
        return status(reader.read_block(xfer.block("BP-of-others", ZEROS, ZEROS_STAMP, 10), 0, 10))


@pytest.mark.parametrize("chunk", [1, 100, 512, 4096, 65536])
def test_chunks_of_any_size(node, target, chunk):
    finalize(node, target, chunk=chunk)
    with xfer.Connection(node) as reader:
        answer = reader.read_block(target, 0, len(DATA))
        kind = xfer.parse(xfer.parse(answer[4][0])[1][0])
        assert kind[2][0] == chunk
        got = packets(reader)
        assert b"".join(part for _, _, part in got) == DATA
        assert b"".join(sums for _, sums, _ in got) == xfer.checksums(DATA, chunk)


def test_a_writer_without_checksums(node, target):
    finalize(node, target, checksum_type=0)
    with xfer.Connection(node) as reader:
        assert status(reader.read_block(target, 0, len(DATA))) == xfer.SUCCESS
        assert b"".join(part for _, _, part in packets(reader)) == DATA


# ---- writing ----


def test_heartbeats_are_acknowledged_along_the_pipeline(cluster, node, other, target):
    with xfer.Connection(node) as writer:
        answer = writer.write_block(target, targets=[datanode_proto(other)])
        assert status(answer) == xfer.SUCCESS, answer
        writer.packet(-1, 0, b"", b"")
        ack = writer.answer()
        assert (ack[1][0], ack[2]) == (1, [xfer.SUCCESS] * 2)  # -1 as a zigzag number
        writer.packet(0, 0, DATA, xfer.checksums(DATA))
        ack = writer.answer()
        assert ack[2] == [xfer.SUCCESS] * 2
        assert ack[4] == [b"\0\0"]  # a flag for each
        writer.packet(-1, 0, b"", b"")
        assert writer.answer()[1][0] == 1


def test_an_error_reaches_a_writer_that_sends_on(node, target):
    """Megabytes are under way when the second packet turns out to be wrong: its acknowledgement must not be lost."""
    with xfer.Connection(node) as writer:
        assert status(writer.write_block(target)) == xfer.SUCCESS
        writer.packet(0, 0, DATA, bytes(len(xfer.checksums(DATA))))
        for seqno in range(1, 100):
            writer.packet(seqno, seqno * len(DATA), DATA, xfer.checksums(DATA))
        assert writer.answer()[2] == [xfer.ERROR_CHECKSUM]


def test_a_refused_op_says_why_whatever_follows_it(node, pool):
    with xfer.Connection(node) as reader:
        header = xfer.message((1, xfer.message((1, xfer.block(pool, 5, STAMP)))), (2, "test"))
        reader.op(xfer.READ_BLOCK, xfer.message((1, header), (2, 0), (3, 10)))
        reader.send(bytes(100000))
        answer = reader.answer()
        assert status(answer) == xfer.ERROR and b"ReplicaNotFoundException" in answer[5][0]


def test_a_sasl_handshake_is_refused_in_its_own_words(node):
    with xfer.Connection(node) as client:
        client.send(b"\xde\xad\xbe\xef" + bytes([2, 8, 0]))
        answer = client.answer()
        assert status(answer) == 2 and b"dfs.data.transfer.protection" in answer[3][0]  # DataTransferEncryptorMessage ERROR
        assert client.is_closed()


def test_a_client_has_its_replica_copied(node, other, target):
    with xfer.Connection(node) as writer:
        assert status(writer.write_block(target)) == xfer.SUCCESS
        writer.packet(0, 0, DATA, xfer.checksums(DATA))
        writer.answer()
        with xfer.Connection(node) as client:
            header = xfer.message((1, xfer.message((1, target))), (2, "test"))
            client.op(xfer.TRANSFER_BLOCK, xfer.message((1, header), (2, datanode_proto(other)), (3, 1), (4, "")))
            assert status(client.answer()) == xfer.SUCCESS
    with xfer.Connection(other) as reader:  # still being written there too
        assert status(reader.read_block(target, 0, len(DATA))) == xfer.SUCCESS
        assert b"".join(part for _, _, part in packets(reader)) == DATA


# ---- checksums ----


def ask_checksum(node, target, kind=None, stripe=None):
    with xfer.Connection(node) as client:
        options = None if kind is None else xfer.message((1, kind), (2, stripe))
        client.op(xfer.BLOCK_CHECKSUM, xfer.message((1, xfer.message((1, target))), (2, options)))
        answer = client.answer()
        return status(answer), xfer.parse(answer[3][0]) if 3 in answer else None


def test_block_checksums(node, target):
    finalize(node, target)
    code, sums = ask_checksum(node, target)
    assert (code, sums[1][0], sums[2][0]) == (xfer.SUCCESS, 512, 20)
    assert sums[3][0] == hashlib.md5(xfer.checksums(DATA)).digest()
    code, sums = ask_checksum(node, target, 2)
    assert (code, sums[3][0]) == (xfer.SUCCESS, struct.pack(">I", xfer.crc32c(DATA)))
    assert ask_checksum(node, target, 2, 4096)[0] == xfer.ERROR
    shorter = xfer.message((1, xfer.parse(target)[1][0]), (2, xfer.parse(target)[2][0]), (3, STAMP), (4, 1000))
    assert ask_checksum(node, shorter)[1][3][0] == hashlib.md5(xfer.checksums(DATA[:1000])).digest()


def test_a_block_group_is_refused(node, target):
    schema = xfer.message((1, "rs"), (2, 3), (3, 2))
    policy = xfer.message((1, "RS-3-2"), (2, schema), (3, 4096), (4, 1))
    with xfer.Connection(node) as client:
        client.op(xfer.BLOCK_GROUP_CHECKSUM, xfer.message((1, xfer.message((1, target))), (2, b""), (4, policy), (6, 10)))
        answer = client.answer()
        assert status(answer) == xfer.ERROR_UNSUPPORTED and b"erasure" in answer[5][0]


# ---- moves ----


def test_moves_at_once_are_limited(node, target):
    finalize(node, target, DATA * 400)  # more than fits the sockets
    ask = xfer.message((1, xfer.message((1, target))))
    with xfer.Connection(node) as first:
        first.op(xfer.COPY_BLOCK, ask)
        assert status(first.answer()) == xfer.SUCCESS
        with xfer.Connection(node) as second:
            second.op(xfer.COPY_BLOCK, ask)
            answer = second.answer()
            assert status(answer) == xfer.ERROR and b"threads quota=1 is exceeded" in answer[5][0]
        assert b"".join(part for _, _, part in packets(first)) == DATA * 400
        assert first.read_exactly(2) == b"\0d"


def test_a_mover_moves_between_the_storages_of_one_node(tmp_path):
    properties = {"dfs.replication": 1, "cairn.datanode.small.replica.bytes": 0}
    with Cluster(tmp_path / "cluster", nodes=1, properties=properties) as cluster:
        entry = cluster.daemon("datanode-1")
        cluster.kill("datanode-1")
        archive = tmp_path / "archive"
        first = f"{cluster.folder}/datanode-1/data"
        entry["command"] += ["-D", f"dfs.datanode.data.dir={first},[ARCHIVE]{archive}"]
        cluster.start_again("datanode-1")
        fs = Hdfs(cluster.uri)
        wait_for(lambda: log_of(cluster, "datanode-1").count("full block report:") >= 2, 30, "the node to be back")
        fs.put("/file", DATA)
        (path,) = glob.glob(f"{first}/**/finalized/**/blk_*[0-9]", recursive=True)
        (meta,) = glob.glob(f"{path}_*.meta")
        pool, uuid = re.search(r"registered .*uuid=(\S+) .*pool=(\S+)", log_of(cluster, "datanode-1")).groups()[::-1]
        block = xfer.block(pool, int(path.rsplit("_", 1)[1]), int(re.search(r"_(\d+)\.meta", meta).group(1)), len(DATA))
        node = address(cluster, "datanode-1")
        for expected in (xfer.SUCCESS, xfer.ERROR):  # the second time it is there already
            with xfer.Connection(node) as mover:
                source = datanode_proto(node, uuid)
                mover.op(xfer.REPLACE_BLOCK, xfer.message((1, xfer.message((1, block))), (2, uuid), (3, source), (4, 3)))
                assert [status(mover.answer()), status(mover.answer())] == [xfer.IN_PROGRESS, expected]
        moved = path.replace(first, str(archive))
        assert os.path.exists(moved) and not os.path.exists(path) and not os.path.exists(meta)
        assert fs.get("/file") == DATA
        fs.disconnect()


# ---- disks ----


def stored(cluster, name):
    files = glob.glob(f"{cluster.folder}/{name}/data/current/*/current/finalized/**/blk_*", recursive=True)
    return sorted(path for path in files if not path.endswith(".meta"))


@pytest.fixture
def scanned(tmp_path):
    properties = {"dfs.datanode.directoryscan.interval": "1s", "dfs.heartbeat.interval": 1, "dfs.namenode.redundancy.interval.seconds": 1}
    properties["cairn.datanode.small.replica.bytes"] = 0  # it is files that come and go
    properties["dfs.datanode.scan.period.hours"] = -1  # nobody else looks
    with Cluster(tmp_path / "cluster", nodes=2, properties=properties) as running:
        yield running


def test_the_directory_scanner_forgets_what_is_gone_and_takes_in_what_came(scanned):
    cluster = scanned
    fs = Hdfs(cluster.uri)
    before = {name: set(stored(cluster, name)) for name in ("datanode-1", "datanode-2")}
    fs.put("/scanned", DATA, replication=2)
    name = wait_for(lambda: next((n for n in before if set(stored(cluster, n)) - before[n]), None), 10, "the replica")
    (path,) = set(stored(cluster, name)) - before[name]
    (meta,) = glob.glob(path + "_*.meta")
    aside = f"{cluster.folder}/aside"
    for file in (path, meta):
        os.rename(file, aside + os.path.basename(file))
    block_id = path.rsplit("_", 1)[1]
    wait_for(lambda: re.search(rf"block={block_id}_\d+ .*forgotten", log_of(cluster, name)), 30, "the loss to be noticed")
    # The namenode has it copied again from the other node, or what was put aside is taken in: either way it is whole.
    for file in (path, meta):
        if not os.path.exists(file):
            os.rename(aside + os.path.basename(file), file)
    wait_for(lambda: os.path.exists(path) and len(fs.hosts("/scanned", 0, 1)[0]) == 2, 60, "both replicas")
    assert fs.get("/scanned") == DATA
    fs.disconnect()


def test_the_directory_scanner_sees_that_a_meta_file_is_gone(scanned):
    cluster = scanned
    fs = Hdfs(cluster.uri)
    fs.put("/scanned", DATA, replication=2)
    (path,) = wait_for(lambda: stored(cluster, "datanode-2"), 10, "the replica")
    (meta,) = glob.glob(path + "_*.meta")
    os.unlink(meta)
    wait_for(lambda: os.path.exists(meta) and len(fs.hosts("/scanned", 0, 1)[0]) == 2, 60, "a whole replica in its place")
    fs.disconnect()


def test_new_replicas_go_where_there_is_room(tmp_path):
    disks = [tmp_path / "small", tmp_path / "large"]
    with Cluster(tmp_path / "cluster", nodes=1, properties={"dfs.replication": 1}) as cluster:
        for disk, size in zip(disks, (40, 200)):
            disk.mkdir()
            assert os.system(f"mount -t tmpfs -o size={size}m tmpfs {disk}") == 0
        try:
            entry = cluster.daemon("datanode-1")
            cluster.kill("datanode-1")
            policy = "dfs.datanode.available-space-volume-choosing-policy.balanced-space"
            for setting in (
                f"dfs.datanode.data.dir={disks[0]},{disks[1]}",
                "dfs.datanode.fsdataset.volume.choosing.policy=org.apache.hadoop.hdfs.server.datanode.fsdataset.AvailableSpaceVolumeChoosingPolicy",
                f"{policy}-threshold=10m",
                f"{policy}-preference-fraction=1.0",
            ):
                entry["command"] += ["-D", setting]
            cluster.start_again("datanode-1")
            wait_for(lambda: log_of(cluster, "datanode-1").count("full block report:") >= 2, 30, "the node to be back")
            fs = Hdfs(cluster.uri, settings={"dfs.blocksize": MIB})
            fs.put("/many", bytes(20 * MIB))
            fs.disconnect()
            counts = [len(glob.glob(f"{disk}/**/finalized/**/blk_*.meta", recursive=True)) for disk in disks]
            assert counts == [0, 20]
        finally:
            cluster.kill("datanode-1")
            for disk in disks:
                os.system(f"umount -l {disk}")


@pytest.mark.parametrize("becomes", ["a file", "nothing"])
def test_a_volume_whose_folder_is_replaced(tmp_path, becomes):
    """It is taken out, the other one serves on, and what was on it is copied again."""
    properties = {
        "dfs.replication": 2,
        "dfs.datanode.data.dir": "one,two",
        "dfs.datanode.failed.volumes.tolerated": 1,
        "dfs.datanode.directoryscan.interval": "1s",
        "dfs.heartbeat.interval": 1,
        "dfs.namenode.redundancy.interval.seconds": 1,
    }
    with Cluster(tmp_path / "cluster", nodes=2, properties=properties) as cluster:
        fs = Hdfs(cluster.uri, settings={"dfs.blocksize": MIB})
        fs.put("/file", DATA * 500)
        volume = f"{cluster.folder}/datanode-1/one"
        assert glob.glob(f"{volume}/**/finalized/**/blk_*.meta", recursive=True)
        os.rename(volume, volume + ".away")
        if becomes == "a file":
            open(volume, "w").close()
        wait_for(lambda: "failed and is taken out" in log_of(cluster, "datanode-1"), 30, "the failure to be noticed")
        fs.put("/more", DATA * 500)
        assert fs.get("/file") == DATA * 500 == fs.get("/more")
        wait_for(lambda: all(len(hosts) == 2 for hosts in fs.hosts("/file", 0, len(DATA) * 500)), 60, "two replicas of each")
        fs.disconnect()

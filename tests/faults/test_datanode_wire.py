"""A datanode and what comes over its transfer port, said byte by byte: what no client would send, and what only some do."""
import contextlib
import os
import re
import socket
import struct
import threading

import pytest

from lib import xfer
from lib.cluster import Cluster
from lib.data import MIB
from lib.libhdfs import Hdfs
from lib.waiting import wait_for

DATA = bytes(range(256)) * 40  # 10240 bytes
STAMP = 1001


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wire")
    # Short: a UNIX socket's name has 107 bytes.
    socket_path = f"/tmp/cairn-{os.getpid()}-_PORT.sock"
    # A heartbeat would bring the order to delete blocks that the namenode does not know.
    properties = {"dfs.replication": 1, "dfs.domain.socket.path": socket_path, "dfs.heartbeat.interval": 600}
    with Cluster(folder / "cluster", nodes=2, properties=properties) as running:
        running.socket_path = socket_path
        yield running


@pytest.fixture(scope="module")
def nodes(cluster):
    """(host, port) of the one that has the UNIX socket (both have the same settings and port), then of the other."""
    def has_socket(name):
        return "short_circuit: listening" in open(cluster.daemon(name)["log"]).read()

    names = sorted(["datanode-1", "datanode-2"], key=has_socket, reverse=True)
    assert has_socket(names[0]) and not has_socket(names[1])
    addresses = [cluster.daemon(name)["address"].split(":") for name in names]
    return [(host, int(port)) for host, port in addresses]


@pytest.fixture(scope="module")
def node(nodes):
    return nodes[0]


@pytest.fixture(scope="module")
def pool(cluster):
    return re.search(r"store: pool=(\S+)", open(cluster.daemon("datanode-1")["log"]).read()).group(1)


@pytest.fixture
def target(pool, next_id=[1 << 40]):
    """A block that the namenode does not know: it is left alone until the next full report."""
    next_id[0] += 1
    return xfer.block(pool, next_id[0], STAMP)


def status(answer):
    return answer[1][0]


def visible(node, target, length):
    """What a reader gets of the first length bytes, checksums verified."""
    with xfer.Connection(node) as reader:
        answer = reader.read_block(target, 0, length)
        assert status(answer) == xfer.SUCCESS, answer
        got = b""
        while True:
            total, head = struct.unpack(">ih", reader.read_exactly(6))
            fields = xfer.parse(reader.read_exactly(head))
            size = int.from_bytes(fields[4][0], "little")
            sums = reader.read_exactly(total - 4 - size)
            data = reader.read_exactly(size)
            if fields[3][0]:
                return got
            assert sums == xfer.checksums(data)
            got += data


def send(writer, seqno, offset, data, **options):
    """A packet with right checksums, and its acknowledgement."""
    writer.packet(seqno, offset, data, xfer.checksums(data), **options)
    ack = writer.answer()
    assert ack[1][0] == (seqno << 1), ack
    return ack[2]


def test_a_block_by_hand(node, target):
    with xfer.Connection(node) as writer:
        assert status(writer.write_block(target)) == xfer.SUCCESS
        assert send(writer, 1, 0, DATA[:700]) == [xfer.SUCCESS]  # some begin at 1
        assert visible(node, target, 700) == DATA[:700]
        assert send(writer, 2, 512, DATA[512:1600], sync=True) == [xfer.SUCCESS]
        assert send(writer, 3, 1600, DATA[1600:2048]) == [xfer.SUCCESS]  # begins in a chunk, ends with it
        assert send(writer, 4, 2048, DATA[2048:]) == [xfer.SUCCESS]
        assert send(writer, 5, len(DATA), b"", last=True) == [xfer.SUCCESS]
        assert visible(node, target, len(DATA)) == DATA
        assert visible(node, target, 100)[:100] == DATA[:100]
        # The connection stays usable.
        answer = writer.read_block(target, 0, 1)
        assert status(answer) == xfer.SUCCESS


def test_wrong_checksums_are_told(node, target):
    with xfer.Connection(node) as writer:
        assert status(writer.write_block(target)) == xfer.SUCCESS
        send(writer, 0, 0, DATA[:1024])
        writer.packet(1, 1024, DATA[1024:2048], xfer.checksums(DATA[1:1025]))
        ack = writer.answer()
        assert ack[2] == [xfer.ERROR_CHECKSUM]
        assert writer.is_closed()
    assert visible(node, target, 1024) == DATA[:1024]


def test_packets_that_come_together_have_each_its_answer(node, target):
    """In their order, and those of the good ones in front of a bad one are not lost."""
    with xfer.Connection(node) as writer:
        assert status(writer.write_block(target)) == xfer.SUCCESS
        burst, send_now = [], writer.send
        writer.send = burst.append
        for seqno in range(3):
            piece = DATA[seqno * 512 : seqno * 512 + 512]
            writer.packet(seqno, seqno * 512, piece, xfer.checksums(piece))
        writer.packet(3, 1536, DATA[1536:2048], xfer.checksums(DATA[1537:2049]))
        send_now(b"".join(burst))
        for seqno in range(3):
            ack = writer.answer()
            assert (ack[1][0], ack[2]) == (seqno << 1, [xfer.SUCCESS])
        assert writer.answer()[2] == [xfer.ERROR_CHECKSUM]
        assert writer.is_closed()
    assert visible(node, target, 1536) == DATA[:1536]


def test_a_stream_is_taken_over(node, target):
    """The first writer is stopped; what it had not been told of is cut off."""
    with xfer.Connection(node) as first, xfer.Connection(node) as second:
        assert status(first.write_block(target)) == xfer.SUCCESS
        send(first, 0, 0, DATA[:3000])
        answer = second.write_block(target, xfer.STAGE_STREAMING_RECOVERY, STAMP + 1, 3000, 5000)
        assert status(answer) == xfer.SUCCESS, answer
        assert first.is_closed()
        send(second, 7, 2560, DATA[2560:])
        send(second, 8, len(DATA), b"", last=True)
    assert visible(node, target, len(DATA)) == DATA


@pytest.mark.parametrize(
    "offset, data",
    [(700, DATA[:100]), (512, DATA[:1024]), (1 << 62, DATA[:10]), (-1, DATA[:10])],
    ids=["hole", "beyond", "far", "negative"],
)
def test_packets_in_the_wrong_place(node, target, offset, data):
    with xfer.Connection(node) as writer:
        writer.write_block(target)
        send(writer, 0, 0, DATA[:511])
        writer.packet(1, offset, data, xfer.checksums(data))
        assert writer.answer()[2] == [xfer.ERROR]
        assert writer.is_closed()
    assert visible(node, target, 511) == DATA[:511]


@pytest.mark.parametrize(
    "stage, stamp, low, high",
    [
        (xfer.STAGE_APPEND, STAMP + 1, 0, 0),
        (xfer.STAGE_STREAMING_RECOVERY, STAMP + 1, 0, 0),
        (xfer.STAGE_CREATE, 0, 0, 0),
        (2, 0, 0, 0),
    ],
)
def test_set_ups_that_cannot_be(node, pool, target, stage, stamp, low, high):
    elsewhere = xfer.block("BP-other", 5, STAMP)
    for what in [elsewhere] + ([target] if stage != xfer.STAGE_CREATE else []):
        with xfer.Connection(node) as writer:
            answer = writer.write_block(what, stage, stamp, low, high)
            assert status(answer) == xfer.ERROR and answer[5][0], answer
            assert writer.is_closed()


def test_the_node_that_cannot_be_reached_is_named(node, target):
    """By ip:port, exactly: that is how Java finds out which one to leave out."""
    with xfer.Connection(node) as writer:
        answer = writer.write_block(target, targets=[named(("127.0.0.1", 1))])
        assert status(answer) == xfer.ERROR
        assert answer[2] == [b"127.0.0.1:1"]
        assert writer.is_closed()


def named(address, uuid="uuid"):
    """A node as the writer's op names it."""
    host, port = address
    return xfer.message((1, xfer.message((1, host), (2, host), (3, uuid), (4, port), (5, 0), (6, 0))))


KEEPS = 20001  # in the answer to the set-up: another op may follow on the connection


def write_at_once(writer, target, data, **how):
    """Op and packets, without waiting for anything in between."""
    writer.begin_write(target, **how)
    writer.packet(0, 0, data, xfer.checksums(data))
    writer.packet(1, len(data), b"", b"", last=True)
    return writer.answer()


def test_packets_come_right_behind_the_op(nodes, node, pool, target, next_id=[1 << 41]):
    with xfer.Connection(node) as writer:
        for _ in range(3):  # the nodes keep their connection, too
            next_id[0] += 1
            target = xfer.block(pool, next_id[0], STAMP)
            answer = write_at_once(writer, target, DATA, targets=[named(nodes[1])])
            assert (status(answer), answer[KEEPS]) == (xfer.SUCCESS, [1])
            for seqno in range(2):
                ack = writer.answer()
                assert (ack[1][0], ack[2]) == (seqno << 1, [xfer.SUCCESS, xfer.SUCCESS])
            for each in nodes:
                assert visible(each, target, len(DATA)) == DATA


def test_the_answer_is_heard_over_packets_that_came_for_nothing(node, target):
    with xfer.Connection(node) as writer:
        writer.begin_write(target, targets=[named(("127.0.0.1", 1))])
        with contextlib.suppress(OSError):
            for seqno in range(100):
                writer.packet(seqno, seqno * len(DATA), DATA, xfer.checksums(DATA))
        answer = writer.answer()
        assert (status(answer), answer[2]) == (xfer.ERROR, [b"127.0.0.1:1"])


class NodeOfOthers:
    """The last node of a pipeline, as others make it: one block to a connection. `blocks`: the bytes of each. It goes away
    without an answer, or after so many packets."""

    def __init__(self, blocks, fails=False, packets=None):
        self.listener, self.blocks, self.fails, self.packets = socket.create_server(("127.0.0.1", 0)), blocks, fails, packets
        self.address = self.listener.getsockname()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                with self.listener.accept()[0] as connection:
                    connection.settimeout(20)
                    self.serve(connection)

    def serve(self, connection):
        def read(length):
            return connection.recv(length, socket.MSG_WAITALL)

        def say(*fields):
            body = xfer.message(*fields)
            connection.sendall(xfer.varint(len(body)) + body)

        assert read(3) == struct.pack(">HB", 28, xfer.WRITE_BLOCK)
        length = shift = 0
        while (byte := read(1)[0]) > 0x7F:
            length |= (byte & 0x7F) << shift
            shift += 7
        read(length | byte << shift)
        if self.fails:
            return
        say((1, xfer.SUCCESS))
        data = b""
        while True:
            total, head = struct.unpack(">ih", read(6))
            _, _, _, seqno, _, last, _, size = struct.unpack("<BqBqBBBi", read(head)[:25])
            data += read(total - 4)[total - 4 - size :]
            if last:
                self.blocks.append(data)
            say((1, seqno << 1), (2, xfer.SUCCESS))
            if last or seqno + 1 == self.packets:
                return


def test_a_next_node_that_keeps_no_connection(node, pool, next_id=[1 << 42]):
    blocks = []
    with NodeOfOthers(blocks) as other, xfer.Connection(node) as writer:
        for _ in range(2):
            next_id[0] += 1
            answer = write_at_once(writer, xfer.block(pool, next_id[0], STAMP), DATA, targets=[named(other.address)])
            assert status(answer) == xfer.SUCCESS
            assert [writer.answer()[2] for _ in range(2)] == [[xfer.SUCCESS, xfer.SUCCESS]] * 2
    assert blocks == [DATA, DATA]


def test_a_next_node_that_goes_is_told_with_a_packet_that_waits(node, target):
    """A node before this one, which has sent the next packet already, would take another number for this one's fault."""
    with NodeOfOthers([], packets=1) as other, xfer.Connection(node) as writer:
        assert status(writer.write_block(target, targets=[named(other.address)])) == xfer.SUCCESS
        assert send(writer, 0, 0, DATA[:512]) == [xfer.SUCCESS, xfer.SUCCESS]
        assert not writer.has_answer(within_s=0.5)
        assert send(writer, 1, 512, DATA[512:1024]) == [xfer.SUCCESS, xfer.ERROR]
        assert writer.is_closed()
    assert visible(node, target, 1024) == DATA[:1024]


def test_a_next_node_that_goes_before_it_answers_is_named(node, target):
    with NodeOfOthers([], fails=True) as other, xfer.Connection(node) as writer:
        answer = write_at_once(writer, target, DATA, targets=[named(other.address)])
        assert (status(answer), answer[2]) == (xfer.ERROR, [b"127.0.0.1:%d" % other.address[1]])


def test_wrong_checksums_before_the_pipeline_stands(nodes, node, target):
    with xfer.Connection(node) as writer:
        writer.begin_write(target, targets=[named(nodes[1])])
        writer.packet(0, 0, DATA[:512], xfer.checksums(DATA[1:513]))
        answer = writer.answer()
        if status(answer) == xfer.SUCCESS:  # the next node was faster
            assert xfer.ERROR_CHECKSUM in writer.answer()[2]
        assert writer.is_closed()


@pytest.mark.parametrize("chunk", [0, 1 << 30])
def test_impossible_chunk_sizes(node, target, chunk):
    with xfer.Connection(node) as writer:
        answer = writer.write_block(target, chunk=chunk)
        assert status(answer) == xfer.ERROR
        assert b"bytes per checksum" in answer[5][0]


@pytest.mark.parametrize(
    "offset, length", [(0, 5000), (4000, 1), (1 << 63, 1), ((1 << 64) - 1, (1 << 64) - 1), (0, (1 << 64) - 1)]
)
def test_reads_past_the_end(node, target, offset, length):
    with xfer.Connection(node) as writer:
        writer.write_block(target)
        send(writer, 0, 0, DATA[:3000])
        send(writer, 1, 3000, b"", last=True)
    with xfer.Connection(node) as reader:
        answer = reader.read_block(target, offset, length)
        assert status(answer) == xfer.ERROR
        assert reader.is_closed()


HOSTILE = {
    "nothing": b"",
    "another version": struct.pack(">HB", 27, 81),
    "sasl": b"\xde\xad\xbe\xef\x04\x08\x00\x12\x00",
    "unknown op": struct.pack(">HB", 28, 200) + b"\x00",
    "length without end": struct.pack(">HB", 28, 81) + b"\xff" * 20,
    "a terabyte": struct.pack(">HB", 28, 81) + xfer.varint(1 << 40) + b"x" * 100,
    "not a message": struct.pack(">HB", 28, 80) + b"\x05\xff\xff\xff\xff\xff",
    "http": b"GET / HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_openings(cluster, node, name):
    with xfer.Connection(node) as peer:
        peer.send(HOSTILE[name])
        with contextlib.suppress(OSError):  # it may have been closed already
            peer.socket.shutdown(1)
        assert peer.is_closed()
    with Hdfs(cluster.uri).open("/alive", os.O_WRONLY) as file:
        file.write(b"yes")


@pytest.mark.parametrize(
    "header",
    [
        struct.pack(">ih", 0x7FFFFFFF, 25),
        struct.pack(">ih", -1, 25),
        struct.pack(">ih", 3, 25),
        struct.pack(">ih", 1000, -5),
        struct.pack(">ih", 1000, 0) + bytes(2000),
        struct.pack(">ih", 1000, 25) + bytes(25),
    ],
)
def test_hostile_packets(cluster, node, target, header):
    with xfer.Connection(node) as writer:
        writer.write_block(target)
        writer.send(header + bytes(31))
        ack = writer.answer()
        assert ack[2] == [xfer.ERROR]
        assert writer.is_closed()


def test_a_huge_packet_takes_no_memory_before_it_comes(cluster, node, target):
    before = cluster.resident_mib("datanode-1")
    writers = [xfer.Connection(node) for _ in range(20)]
    for index, writer in enumerate(writers):
        writer.write_block(xfer.block(re.search(rb"BP-[-0-9.]+", target).group(0).decode(), (2 << 40) + index, STAMP))
        data_bytes = 15 * MIB
        head = struct.pack("<BqBqBBBi", 0x09, 0, 0x11, 0, 0x18, 0, 0x25, data_bytes)
        writer.send(struct.pack(">ih", 4 + data_bytes // 128 + data_bytes, len(head)) + head + bytes(1000))
    assert cluster.resident_mib("datanode-1") < before + 16
    for writer in writers:
        writer.socket.close()


def test_files_are_passed_over_the_unix_socket(cluster, node, pool, target):
    path = cluster.socket_path.replace("_PORT", str(node[1]))
    with xfer.Connection(node) as writer:
        writer.write_block(target)
        send(writer, 0, 0, DATA)
        with xfer.Connection(path) as local:
            answer, _, _ = local.request_fds(target)
            assert status(answer) == xfer.ERROR_UNSUPPORTED  # still being written
        send(writer, 1, len(DATA), b"", last=True)
    assert visible(path, target, len(DATA)) == DATA  # the other ops work there too
    with xfer.Connection(path) as local:
        for _ in range(2):
            answer, byte, fds = local.request_fds(target)
            assert (status(answer), byte, len(fds)) == (xfer.SUCCESS, 0, 2)
            with os.fdopen(fds[0], "rb") as data, os.fdopen(fds[1], "rb") as meta:
                assert data.read() == DATA
                assert meta.read()[7:].startswith(xfer.checksums(DATA))
    with xfer.Connection(path) as local:
        assert status(local.request_fds(xfer.block(pool, 77, STAMP))[0]) == xfer.ERROR
    with xfer.Connection(path) as local:
        assert status(local.request_fds(target, version=0)[0]) == xfer.ERROR_UNSUPPORTED
    with xfer.Connection(node) as remote:
        assert status(remote.request_fds(target)[0]) == xfer.ERROR
    with xfer.Connection(path) as local:  # a hole has no files; named with our version, for this block only
        answer = local.request_fds(xfer.block(pool, 1 << 30, 1000, 10))[0]
        assert (status(answer), answer[6]) == (xfer.ERROR_UNSUPPORTED, [1])
        answer, _, fds = local.request_fds(target)  # the connection goes on
        assert status(answer) == xfer.SUCCESS
        for fd in fds:
            os.close(fd)


@pytest.fixture
def local_path(cluster, node):
    return cluster.socket_path.replace("_PORT", str(node[1]))


def finalize(node, target, data=DATA):
    with xfer.Connection(node) as writer:
        assert status(writer.write_block(target)) == xfer.SUCCESS
        send(writer, 0, 0, data)
        send(writer, 1, len(data), b"", last=True)


def test_a_slot_tells_when_its_replica_is_appended_to(node, local_path, target):
    finalize(node, target, DATA[:5000])
    with xfer.Connection(local_path) as shm_connection, xfer.Connection(local_path) as local:
        shm = xfer.SharedMemory(shm_connection)
        shm.mark_valid(3)
        answer, byte, fds = local.request_fds(target, slot=(shm.id, 3), verify=True)
        assert (status(answer), byte) == (xfer.SUCCESS, 1)
        local.send(b"\0")  # they have come
        assert shm.is_valid(3)
        with xfer.Connection(node) as writer:
            appending = writer.write_block(target, xfer.STAGE_APPEND, new_stamp=STAMP + 1, min_bytes=5000, max_bytes=5000)
            assert status(appending) == xfer.SUCCESS
            assert not shm.is_valid(3)
        for fd in fds:
            os.close(fd)
        assert status(local.release_fds(shm.id, 3)) == xfer.SUCCESS
        assert status(local.release_fds(shm.id, 3)) == xfer.ERROR_INVALID


def test_slots_that_cannot_be(node, local_path, target):
    finalize(node, target)
    with xfer.Connection(local_path) as shm_connection, xfer.Connection(local_path) as local:
        shm = xfer.SharedMemory(shm_connection)
        nowhere = xfer.message((1, xfer.message((1, 5), (2, 7))))

        def ask(slot):
            answer, _, fds = local.request_fds(target, slot=slot)
            for fd in fds:
                os.close(fd)
            return status(answer), answer.get(5, [b""])[0].decode()

        assert ask((shm.id, 0))[0] == xfer.ERROR  # not marked valid
        for index in (-1, shm.slots, 1 << 20):
            assert ask((shm.id, index))[0] == xfer.ERROR
        assert "no shared memory segment" in ask((nowhere[2:], 0))[1]
        shm.mark_valid(0)
        assert ask((shm.id, 0))[0] == xfer.SUCCESS
        assert ask((shm.id, 0))[0] == xfer.ERROR  # taken
        assert status(local.release_fds(shm.id, 0)) == xfer.SUCCESS
        assert not shm.is_valid(0)
        assert ask((shm.id, 0))[0] == xfer.ERROR
        with pytest.raises(OSError):
            os.ftruncate(shm.fd, 0)  # which would end the datanode
        shm_connection.socket.close()
        wait_for(lambda: "no shared memory segment" in ask((shm.id, 1))[1], 10, "end of the segment")
    with xfer.Connection(node) as remote:
        assert status(remote.request_shm()) == xfer.ERROR_INVALID


def test_the_unix_socket_has_a_name_made_of_the_uuid(cluster, nodes, pool, target):
    """The second node has no path of its own, and is found all the same."""
    log = open(cluster.daemon("datanode-2")["log"]).read()
    uuid = re.search(r"registered .*uuid=(\S+)", log).group(1)
    host = re.search(r"transfer=([\d.]+):", log).group(1)
    node = next(address for address in nodes if address[0] == host)
    finalize(node, target)
    with xfer.Connection("\0cairn-datanode-" + uuid) as local:
        answer, _, fds = local.request_fds(target)
        assert status(answer) == xfer.SUCCESS
        for fd in fds:
            os.close(fd)


def test_a_balancer_moves_a_replica(nodes, node, target):
    """The target fetches it from the node that has it, and says so when it is there."""
    with xfer.Connection(node) as writer:
        writer.write_block(target)
        send(writer, 0, 0, DATA)
        send(writer, 1, len(DATA), b"", last=True)
    source = xfer.message(
        (1, xfer.message((1, node[0]), (2, node[0]), (3, "uuid"), (4, node[1]), (5, 0), (6, 0)))
    )
    with xfer.Connection(nodes[1]) as balancer:
        balancer.op(xfer.REPLACE_BLOCK, xfer.message((1, xfer.message((1, target))), (2, "uuid"), (3, source)))
        answers = [status(balancer.answer()), status(balancer.answer())]
        assert answers == [xfer.IN_PROGRESS, xfer.SUCCESS]
    assert visible(nodes[1], target, len(DATA)) == DATA


def test_it_is_still_well(cluster, node):
    wait_for(lambda: "BlocksRead" in cluster.http_get("/jmx", http_address(cluster)).decode(), 10, "its pages")
    assert cluster.resident_mib("datanode-1") < 64


def http_address(cluster):
    entry = cluster.daemon("datanode-1")
    port = re.search(r" http=(\d+) ", open(entry["log"]).read()).group(1)
    return f"{entry['address'].split(':')[0]}:{port}"

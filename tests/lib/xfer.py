"""Block transfer (DataTransferProtocol) by hand, for what no client would send: just enough protobuf to say it."""
import array
import mmap
import os
import select
import socket
import struct

WRITE_BLOCK, READ_BLOCK, REPLACE_BLOCK, COPY_BLOCK, BLOCK_CHECKSUM, TRANSFER_BLOCK = 80, 81, 83, 84, 85, 86
REQUEST_FDS, RELEASE_FDS, REQUEST_SHM, BLOCK_GROUP_CHECKSUM = 87, 88, 89, 90
CLONE_BLOCKS = 200
SUCCESS, ERROR, ERROR_CHECKSUM, ERROR_INVALID, CHECKSUM_OK, ERROR_UNSUPPORTED, IN_PROGRESS = 0, 1, 2, 3, 6, 7, 12
STAGE_APPEND, STAGE_STREAMING_RECOVERY, STAGE_CREATE = 0, 3, 6


def varint(value):
    out = b""
    value &= (1 << 64) - 1
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def message(*fields):
    """Fields as (number, int) or (number, bytes or str), None left out."""
    out = b""
    for number, value in fields:
        if value is None:
            continue
        if isinstance(value, int):  # True and False too
            out += varint(number << 3) + varint(value)
        else:
            value = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def parse(data):
    """{number: [values]}; ints, and bytes for everything with a length."""
    found, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = number()
        if tag & 7 == 0:
            value = number()
        elif tag & 7 == 2:
            length = number()
            value = data[at : at + length]
            at += length
        else:
            length = 8 if tag & 7 == 1 else 4
            value = data[at : at + length]
            at += length
        found.setdefault(tag >> 3, []).append(value)
    return found


def block(pool, block_id, stamp, length=None):
    return message((1, pool), (2, block_id), (3, stamp), (4, length))


class Connection:
    """One connection to a datanode: TCP if address is (host, port), UNIX if it is a path."""

    def __init__(self, address):
        kind = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(kind)
        self.socket.settimeout(20)
        self.socket.connect(address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def op(self, code, body, version=28):
        self.send(struct.pack(">HB", version, code) + varint(len(body)) + body)

    def read_exactly(self, length):
        out = b""
        while len(out) < length:
            part = self.socket.recv(length - len(out))
            if not part:
                raise EOFError(f"closed after {len(out)} of {length} bytes")
            out += part
        return out

    def answer(self):
        """One delimited message, parsed."""
        length = shift = 0
        while True:
            byte = self.read_exactly(1)[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return parse(self.read_exactly(length))

    def has_answer(self, within_s):
        return bool(select.select([self.socket], [], [], within_s)[0])

    def is_closed(self):
        """Waits for the other side to close; whatever else comes is dropped."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return True

    def write_block(self, target, *stage, **how):
        self.begin_write(target, *stage, **how)
        return self.answer()

    def begin_write(self, target, stage=STAGE_CREATE, new_stamp=0, min_bytes=0, max_bytes=0, client="test", chunk=512, targets=(), checksum_type=2):
        header = message((1, message((1, target))), (2, client))
        checksum = message((1, checksum_type), (2, chunk))
        self.op(
            WRITE_BLOCK,
            message((1, header), *[(2, node) for node in targets], (4, stage), (5, 1), (6, min_bytes), (7, max_bytes), (8, new_stamp), (9, checksum)),
        )

    def packet(self, seqno, offset, data, checksums, last=False, sync=False):
        head = struct.pack("<BqBqBBBi", 0x09, offset, 0x11, seqno, 0x18, last, 0x25, len(data))
        if sync:
            head += b"\x28\x01"
        self.send(struct.pack(">ih", 4 + len(checksums) + len(data), len(head)) + head + checksums + data)

    def read_block(self, target, offset, length):
        header = message((1, message((1, target))), (2, "test"))
        self.op(READ_BLOCK, message((1, header), (2, offset), (3, length)))
        return self.answer()

    def receive_fds(self, count):
        """(byte, [fds])"""
        fds = array.array("i")
        byte, ancillary, _, _ = self.socket.recvmsg(1, socket.CMSG_SPACE(count * fds.itemsize))
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(data)
        return byte[0], list(fds)

    def request_fds(self, target, version=1, slot=None, verify=None):
        """(answer, byte, [fds]); slot is (id of the shared memory, index)."""
        named = slot and message((1, slot[0]), (2, slot[1]))
        self.op(REQUEST_FDS, message((1, message((1, target))), (2, version), (3, named), (4, verify)))
        answer = self.answer()
        if answer[1][0] != SUCCESS:
            return answer, None, []
        return answer, *self.receive_fds(2)

    def release_fds(self, shm_id, index):
        self.op(RELEASE_FDS, message((1, message((1, shm_id), (2, index)))))
        return self.answer()

    def request_shm(self):
        self.op(REQUEST_SHM, message((1, "test")))
        return self.answer()


class SharedMemory:
    """A segment of slots that the datanode made for us; it lives as long as the connection."""

    slots = 128

    def __init__(self, connection):
        answer = connection.request_shm()
        assert answer[1][0] == SUCCESS, answer
        self.id = answer[3][0]
        byte, (self.fd,) = connection.receive_fds(1)
        assert byte == 0
        self.memory = mmap.mmap(self.fd, 64 * self.slots)

    def __del__(self):
        os.close(self.fd)

    def mark_valid(self, index):
        self.memory[64 * index : 64 * index + 8] = struct.pack("=Q", 1 << 63)

    def is_valid(self, index):
        return bool(struct.unpack_from("=Q", self.memory, 64 * index)[0] >> 63)


def crc32c(data, table=[]):
    if not table:
        for byte in range(256):
            for _ in range(8):
                byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
            table.append(byte)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def checksums(data, chunk=512):
    return b"".join(struct.pack(">I", crc32c(data[at : at + chunk])) for at in range(0, len(data), chunk))

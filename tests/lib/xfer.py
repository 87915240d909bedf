"""Block transfer (DataTransferProtocol) by hand, for what no client would send: just enough protobuf to say it."""
import array
import socket
import struct

WRITE_BLOCK, READ_BLOCK, REPLACE_BLOCK, REQUEST_FDS = 80, 81, 83, 87
SUCCESS, ERROR, ERROR_CHECKSUM, ERROR_UNSUPPORTED, IN_PROGRESS = 0, 1, 2, 7, 12
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
        if isinstance(value, int):
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

    def is_closed(self):
        """Waits for the other side to close; whatever else comes is dropped."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return True

    def write_block(self, target, stage=STAGE_CREATE, new_stamp=0, min_bytes=0, max_bytes=0, client="test", chunk=512, targets=()):
        header = message((1, message((1, target))), (2, client))
        checksum = message((1, 2), (2, chunk))
        self.op(
            WRITE_BLOCK,
            message((1, header), *[(2, node) for node in targets], (4, stage), (5, 1), (6, min_bytes), (7, max_bytes), (8, new_stamp), (9, checksum)),
        )
        return self.answer()

    def packet(self, seqno, offset, data, checksums, last=False, sync=False):
        head = struct.pack("<BqBqBBBi", 0x09, offset, 0x11, seqno, 0x18, last, 0x25, len(data))
        if sync:
            head += b"\x28\x01"
        self.send(struct.pack(">ih", 4 + len(checksums) + len(data), len(head)) + head + checksums + data)

    def read_block(self, target, offset, length):
        header = message((1, message((1, target))), (2, "test"))
        self.op(READ_BLOCK, message((1, header), (2, offset), (3, length)))
        return self.answer()

    def request_fds(self, target, version=1):
        """(answer, byte, [fds])"""
        self.op(REQUEST_FDS, message((1, message((1, target))), (2, version)))
        answer = self.answer()
        if answer[1][0] != SUCCESS:
            return answer, None, []
        fds = array.array("i")
        byte, ancillary, _, _ = self.socket.recvmsg(1, socket.CMSG_SPACE(2 * fds.itemsize))
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(data)
        return answer, byte[0], list(fds)


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

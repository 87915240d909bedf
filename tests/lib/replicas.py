"""The replicas in datanodes' folders, as they are on the disk: files of their own, or records in the log of small ones
(docs/on_disk_datanode.md)."""
import glob
import os
import re
import struct
from dataclasses import dataclass, field

HEADER = struct.Struct(">8sQQQIIII")
ALIGN = 64


@dataclass(order=True, frozen=True)
class Replica:
    path: str  # of the file that its data is in
    offset: int  # there
    length: int
    block: int
    gen_stamp: int = field(compare=False)
    is_small: bool = field(compare=False, default=False)

    def read(self):
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            return file.read(self.length)

    def write(self, at, data):
        """Over what is there: the replica is damaged."""
        assert 0 <= at and at + len(data) <= self.length
        with open(self.path, "r+b") as file:
            file.seek(self.offset + at)
            file.write(data)

    def flip(self, at):
        self.write(at, bytes([self.read()[at] ^ 0x40]))


def small_replicas(segment):
    """The finalized replicas of one segment."""
    with open(segment, "rb") as file:
        content = file.read()
    at = 0
    while at + HEADER.size <= len(content):
        mark, block, gen_stamp, _, meta_bytes, data_bytes, _, _ = HEADER.unpack_from(content, at)
        if mark not in (b"CAIRNopn", b"CAIRNsml", b"CAIRNded"):
            at += ALIGN
            continue
        data = at + HEADER.size + meta_bytes
        if mark == b"CAIRNsml":
            yield Replica(segment, data, data_bytes, block, gen_stamp, True)
        at = -(-(data + data_bytes) // ALIGN) * ALIGN


def replicas(folder, node="datanode-*", block=None):
    """The finalized replicas of the datanodes whose folders in a cluster's match, sorted."""
    found = []
    for path in glob.glob(f"{folder}/{node}/**/finalized/**/blk_*", recursive=True):
        name = re.fullmatch(r"blk_(\d+)", os.path.basename(path))
        metas = name and glob.glob(f"{path}_*.meta")
        if metas and os.path.exists(path):
            gen_stamp = int(re.search(r"_(\d+)\.meta$", metas[0]).group(1))
            found.append(Replica(path, 0, os.path.getsize(path), int(name.group(1)), gen_stamp))
    for segment in glob.glob(f"{folder}/{node}/**/current/small/*.log", recursive=True):
        found += small_replicas(segment)
    return sorted(one for one in found if block is None or one.block == int(block))


def replicas_synced(cluster):
    """How many replicas three datanodes have put onto their disks because they were asked to."""
    total = 0
    for node in range(1, 4):
        daemon = cluster.daemon(f"datanode-{node}")
        port = re.search(r" http=(\d+) ", open(daemon["log"]).read()).group(1)
        text = cluster.http_get("/metrics", f"{daemon['address'].split(':')[0]}:{port}").decode()
        total += int(re.search(r"^cairn_datanode_replicas_synced_total (\d+)$", text, re.M).group(1))
    return total

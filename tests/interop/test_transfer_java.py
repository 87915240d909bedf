"""Hadoop's client and both servers: the kinds of checksums, and settings of protection."""
import random

import pytest

DATA = random.Random(31).randbytes(700_001)


@pytest.fixture
def local(tmp_path):
    (tmp_path / "f").write_bytes(DATA)
    return str(tmp_path / "f")


@pytest.mark.parametrize("kind", ["CRC32C", "CRC32", "NULL"])
@pytest.mark.parametrize("chunk", [512, 1000])
def test_checksum_types(server, where, local, kind, chunk):
    size = chunk * 300  # a block is whole chunks
    how = ["-D", f"dfs.checksum.type={kind}", "-D", f"dfs.bytes-per-checksum={chunk}", "-D", f"dfs.blocksize={size}"]
    how += ["-D", "dfs.replication=1"]  # Apache's servers refuse an append before every replica is reported
    server.java(*how, "-put", local, f"{where}/f")
    assert server.java("-cat", f"{where}/f") == DATA
    server.java(*how, "-appendToFile", local, f"{where}/f")
    assert server.java("-cat", f"{where}/f") == DATA + DATA
    assert server.java("-tail", f"{where}/f") == DATA[-1024:]


@pytest.mark.parametrize("mode", ["MD5MD5CRC", "COMPOSITE_CRC"])
def test_file_checksums_are_the_same_on_both(apache_server, cairn_server, local, mode):
    seen = set()
    for server in (apache_server, cairn_server):
        server.java("-mkdir", "-p", "/transfer_java")
        server.java("-D", "dfs.blocksize=65536", "-put", "-f", local, "/transfer_java/sums")
        seen.add(server.java("-D", f"dfs.checksum.combine.mode={mode}", "-checksum", "/transfer_java/sums"))
    assert len(seen) == 1, seen


def test_a_client_that_knows_of_protection_goes_without(server, where, local):
    """Without security nobody begins a handshake, whatever the client's settings say of protection."""
    server.java("-D", "dfs.data.transfer.protection=authentication", "-put", local, f"{where}/f")
    assert server.java("-D", "dfs.data.transfer.protection=privacy", "-cat", f"{where}/f") == DATA

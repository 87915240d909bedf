"""Blocks of free TCP ports on loopback, so that clusters that run at the same time keep apart.

A block belongs to this process until it is given back or the process ends: a locked file per block keeps two test runs from taking the same one.
$CAIRN_TEST_PORTS ("first-last") says where blocks are cut from. The default lies below the kernel's ephemeral range,
so that no outgoing connection takes a port of ours in between."""
import fcntl
import os
import socket
import tempfile

BLOCK = 50
_held = {}  # first port -> open lock file, closed and so released at the latest when this process ends


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def port_block():
    """The first port of BLOCK free ones."""
    first, last = map(int, os.environ.get("CAIRN_TEST_PORTS", "25000-32000").split("-"))
    folder = os.path.join(tempfile.gettempdir(), f"cairn-test-ports-{os.getuid()}")
    os.makedirs(folder, exist_ok=True)
    for base in range(first, last - BLOCK + 2, BLOCK):
        lock = open(os.path.join(folder, str(base)), "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        if all(_is_free(port) for port in range(base, base + BLOCK)):
            _held[base] = lock
            return base
        lock.close()
    raise RuntimeError(f"no {BLOCK} free ports in {first}-{last}; set CAIRN_TEST_PORTS=first-last to look elsewhere")


def release_port_block(base):
    """Gives a block of port_block() back; for any other port nothing happens."""
    if lock := _held.pop(base, None):
        lock.close()

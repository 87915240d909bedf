"""Deterministic test data, and the hashes that tests compare."""
import hashlib
import os
import random

MIB = 1 << 20


def sha256_bytes(data):
    return hashlib.sha256(data).hexdigest()


def sha256_file(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(MIB):
            digest.update(chunk)
    return digest.hexdigest()


def write_file(path, size_bytes, seed=1):
    """Writes size_bytes that look random but are the same for the same seed; returns their SHA-256.
    Every MiB differs from the others by its number, so that blocks in a wrong order are noticed."""
    noise = random.Random(seed).randbytes(min(size_bytes, MIB))
    digest = hashlib.sha256()
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as file:
        for number in range((size_bytes + MIB - 1) // MIB):
            chunk = (number.to_bytes(8, "big") + noise[8:])[: min(MIB, size_bytes - number * MIB)]
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def tree_hashes(folder):
    """{path below folder: SHA-256} of every file."""
    return {
        os.path.relpath(os.path.join(where, name), folder): sha256_file(os.path.join(where, name))
        for where, _, names in os.walk(folder)
        for name in names
    }

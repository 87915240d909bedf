"""A mount's memory has a bound, whatever is walked, read or written. CAIRN_FILES: so many files are walked."""
import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib import sanitizer
from lib.cluster import Cluster
from lib.data import MIB
from lib.mounts import Mount

FILES = int(os.environ.get("CAIRN_FILES", 1000))
RESIDENT_MAX_MIB = 48


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("memory") / "cluster", nodes=3) as running:
        yield running


class Watched(Mount):
    """A mount whose most memory is looked at again and again."""

    most_mib = 0

    def _watch(self):
        while not self._left.wait(0.1):
            self.most_mib = max(self.most_mib, self.resident_mib())

    def __enter__(self):
        self._left = threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()
        return super().__enter__()

    def __exit__(self, *error):
        self._left.set()
        self._watcher.join()
        super().__exit__(*error)
        assert 0 < self.most_mib < RESIDENT_MAX_MIB * sanitizer.memory_factor()
        print(f"at most {self.most_mib:.1f} MiB")


@pytest.fixture
def mount(cluster, tmp_path):
    with Watched(cluster, tmp_path / "mnt", tmp_path / "log") as mounted:
        yield mounted


def test_many_files_are_made_and_walked(mount):
    def make(folder):
        path = f"{mount.path}/d{folder}"
        os.mkdir(path)
        for i in range(1000):
            os.mknod(f"{path}/a file with a name of some length {i}")
            if i % 10 == 0:
                os.setxattr(f"{path}/a file with a name of some length {i}", "user.a", b"b" * 100)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(FILES // 1000)))
    for _ in range(2):
        seen = 0
        for where, _, names in os.walk(mount.path):
            for name in names:
                os.stat(f"{where}/{name}")
                os.listxattr(f"{where}/{name}")
                seen += 1
        assert seen == FILES // 1000 * 1000


def test_blocks_all_over_large_files_are_written(mount):
    """Sparse and full ones at once, more of them than are saved at a time."""
    def write(number):
        rng, page = random.Random(number), os.urandom(4096)
        file = os.open(f"{mount.path}/f{number}", os.O_RDWR | os.O_CREAT)
        if number % 2:
            for _ in range(32):
                os.write(file, page * 256)
        for i in range(FILES // 4):
            offset = rng.randrange((1 << 30) if number % 2 == 0 else 32 * MIB)
            os.pwrite(file, page, offset)
            assert os.pread(file, 4096, offset) == page
        os.close(file)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))


def test_large_files_are_written_and_read_at_once(mount):
    def copy(number):
        part = os.urandom(MIB)
        with open(f"{mount.path}/f{number}", "w+b", buffering=0) as file:
            for _ in range(min(FILES // 40, 200)):
                file.write(part)
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            file.seek(0)
            while data := file.read(MIB):
                assert data == part

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(copy, range(6)))


def test_many_streams_are_open_at_once(mount):
    """Some packets of each may be on their way."""
    files = [open(f"{mount.path}/f{i}", "wb", buffering=0) for i in range(40)]
    try:
        for _ in range(6):
            for file in files:
                file.write(bytes(MIB))
    finally:
        for file in files:
            file.close()


def test_many_files_are_open_at_once(mount):
    files = []
    try:
        for i in range(min(FILES // 10, 400)):
            files.append(open(f"{mount.path}/f{i}", "w+b", buffering=0))
            files[-1].write(b"a" * 100_000)
            os.pwrite(files[-1].fileno(), b"b", 5)
            assert os.pread(files[-1].fileno(), 10, 0) == b"aaaaabaaaa"
    finally:
        for file in files:
            file.close()

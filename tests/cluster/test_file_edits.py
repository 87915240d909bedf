"""Files edited in place: what readers see, what datanodes keep, holes that nobody keeps."""
import errno
import os
import random
import threading
import urllib.request

import pytest

from lib.cluster import Cluster
from lib.data import MIB
from lib.libhdfs import Hdfs
from lib.posix_edit import Editor, block_of, hole, length_of
from lib.posix_tool import PosixError
from lib.replicas import replicas
from lib.waiting import wait_for

PROPERTIES = {"dfs.heartbeat.interval": 1, "dfs.blocksize": MIB, "cairn.namenode.edit.grace": 3,
              "dfs.namenode.fs-limits.min-block-size": 1024}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("edits") / "cluster", properties=PROPERTIES) as running:
        yield running


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    path = tmp_path_factory.mktemp("edits") / "bytes"
    path.write_bytes(random.Random(7).randbytes(4 * MIB))
    return path


def put(cluster, path, data):
    cluster.fs("-put", "-", path, stdin=data, check=True)


def cat(cluster, path, *options):
    return cluster.fs(*options, "-cat", path, check=True).stdout


def replicas_on_disk(cluster, block):
    return len(replicas(cluster.folder, block=block))


def test_an_edit_in_the_middle_is_what_readers_see(cluster, local):
    data, fresh = os.urandom(3 * MIB + 500), local.read_bytes()
    put(cluster, "/middle", data)
    with Editor(cluster) as editor:
        file = editor.id("/middle")
        old = editor.pieces(file)
        assert [length_of(p) for p in old] == [MIB, MIB, MIB, 500]
        new = [editor.upload(file, local, 0, 700_001), editor.upload(file, local, 700_001, 3)]
        assert editor.edit(file, 1, 2, *new) == [str(MIB + 700_004 + 500)] * 2
        wanted = data[:MIB] + fresh[:700_004] + data[3 * MIB:]
        assert cat(cluster, "/middle") == wanted
        assert b"HEALTHY" in cluster.fsck("/middle").stdout
        # What was there is refused from now on, and gone from the disks after the grace.
        with pytest.raises(PosixError) as stale:
            editor.edit(file, 1, 1, new[0])
        assert stale.value.errno in (errno.ENOENT, errno.ESTALE)
        assert replicas_on_disk(cluster, block_of(new[0])) == 3
        wait_for(lambda: not any(replicas_on_disk(cluster, block_of(p)) for p in old[1:3]), 40, "the old blocks to go")
        assert replicas_on_disk(cluster, block_of(old[0])) == 3


def test_who_has_the_file_open_reads_on_during_the_grace(cluster, local):
    data = os.urandom(2 * MIB)
    put(cluster, "/open", data)
    with Editor(cluster) as editor:
        file = editor.id("/open")
        old = editor.pieces(file)
        with Hdfs(cluster.uri).open("/open") as reader:
            assert reader.read(10) == data[:10]
            editor.edit(file, 0, 2, hole(10))
            assert cat(cluster, "/open") == bytes(10)
            assert reader.read_all() == data[10:]
        wait_for(lambda: not replicas_on_disk(cluster, block_of(old[1])), 40, "the old block to go")


def test_holes_are_zeros_for_everybody(cluster, local):
    data = os.urandom(1000)
    put(cluster, "/sparse", data)
    with Editor(cluster) as editor:
        file = editor.id("/sparse")
        end = editor.upload(file, local, 0, 777)
        editor.edit(file, 1, 0, hole(3 * MIB + 7), end, hole(100))
        editor.edit(file, 0, 0, hole(513))
        size = 513 + 1000 + 3 * MIB + 7 + 777 + 100
        assert editor.size_and_allocated(file) == (size, 1777)
    wanted = bytes(513) + data + bytes(3 * MIB + 7) + local.read_bytes()[:777] + bytes(100)
    assert cat(cluster, "/sparse") == wanted
    url = f"http://{cluster.namenode_http}/webhdfs/v1/sparse?op=OPEN&offset=1000&length={2 * MIB}"
    with urllib.request.urlopen(url, timeout=60) as reply:
        assert reply.read() == wanted[1000:1000 + 2 * MIB]
    # From datanodes alone, as other clients read.
    assert cat(cluster, "/sparse", "-D", "dfs.client.read.shortcircuit=false") == wanted
    report = cluster.fsck("/sparse", "-files", "-blocks").stdout
    assert b"2 block(s)" in report and b"hole len=3145735" in report and b"HEALTHY" in report
    assert cluster.fs("-du", "/sparse", check=True).stdout.split()[:2] == [str(size).encode(), str(3 * 1777).encode()]
    assert b"Waiting" in cluster.fs("-setrep", "-w", "2", "/sparse", check=True).stdout
    cluster.fs("-appendToFile", "-", "/sparse", stdin=b"more", check=True)
    assert cat(cluster, "/sparse") == wanted + b"more"
    cluster.fs("-truncate", "-w", str(513 + 1000 + MIB), "/sparse", check=True)
    assert cat(cluster, "/sparse") == wanted[:513 + 1000 + MIB]


def test_the_checksum_of_a_hole_is_that_of_zeros(cluster, local):
    for length in (MIB, 700_001):
        put(cluster, f"/zeros{length}", bytes(length))
        put(cluster, f"/hole{length}", b"x")
        with Editor(cluster) as editor:
            editor.edit(editor.id(f"/hole{length}"), 0, 1, hole(length))
        for mode in ("MD5MD5CRC", "COMPOSITE_CRC"):
            sums = [cluster.fs("-D", f"dfs.checksum.combine.mode={mode}", "-checksum", f"/{name}{length}",
                               check=True).stdout.split(b"\t")[1:] for name in ("zeros", "hole")]
            assert sums[0] == sums[1]


def test_new_blocks_that_are_dropped_leave_nothing(cluster, local):
    put(cluster, "/dropped", b"x")
    with Editor(cluster) as editor:
        file = editor.id("/dropped")
        piece = editor.upload(file, local, 0, MIB)
        assert replicas_on_disk(cluster, block_of(piece)) == 3
        editor.drop(piece)
        wait_for(lambda: not replicas_on_disk(cluster, block_of(piece)), 30, "the dropped block to go")
        with pytest.raises(PosixError) as gone:
            editor.edit(file, 0, 1, piece)
        assert gone.value.errno == errno.ENOENT
        assert b"HEALTHY" in cluster.fsck("/").stdout


def test_random_edits_against_a_model(cluster, local):
    seed = int(os.environ.get("SEED", "1"))
    dice, fresh = random.Random(seed), local.read_bytes()
    model = []  # (piece, its bytes)
    put(cluster, "/model", b"")
    cluster.fs("-mkdir", "-p", "/snap", check=True)
    with Editor(cluster) as editor:
        file = editor.id("/model")
        for step in range(40):
            at = dice.randint(0, len(model))
            gone, added = dice.randint(0, min(3, len(model) - at)), []
            for _ in range(dice.randint(0, 3)):
                length = dice.choice([1, 511, 512, 4096, dice.randint(1, 300_000)])
                if dice.random() < 0.4:
                    added.append((hole(length), bytes(length)))
                else:
                    begin = dice.randint(0, len(fresh) - length)
                    added.append((editor.upload(file, local, begin, length), fresh[begin:begin + length]))
            editor.edit(file, at, gone, *[piece for piece, _ in added])
            model[at:at + gone] = added
            assert editor.pieces(file) == [piece for piece, _ in model], f"SEED={seed}, step {step}"
            if step % 5 == 4:
                assert cat(cluster, "/model") == b"".join(data for _, data in model), f"SEED={seed}, step {step}"
    assert b"HEALTHY" in cluster.fsck("/model").stdout


def test_two_editors_of_one_file_do_not_lose_an_edit(cluster, local):
    put(cluster, "/shared", b"x")
    done = []

    def work(number):
        with Editor(cluster) as editor:
            file = editor.id("/shared")
            for i in range(10):
                piece = editor.upload(file, local, (number * 10 + i) * 1000, 1000)
                while True:
                    count = len(editor.pieces(file))
                    try:
                        editor.edit(file, count, 0, piece)
                        break
                    except PosixError as error:
                        assert error.errno == errno.ESTALE, error
                done.append((number * 10 + i) * 1000)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(done) == 20
    fresh, got = local.read_bytes(), cat(cluster, "/shared")
    assert got[:1] == b"x"
    assert sorted(got[1 + i:1001 + i] for i in range(0, 20_000, 1000)) == sorted(fresh[i:i + 1000] for i in done)

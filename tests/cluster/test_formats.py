"""Formats of input and output, orders of keys and of parts, tagged inputs, archives: on a whole cluster."""
import bz2
import collections
import csv
import gzip
import io
import random
import tarfile
import zipfile
import zlib

import pytest

from lib.jobs import PROGRAMS, counter, generate, output, put, run, running, submit


def script(folder, name, text):
    path = folder / name
    path.write_text("#!/usr/bin/python3\n" + text)
    path.chmod(0o755)
    return str(path)


# ---- CSV ----

MOVIES_YEARS = r"""
import csv, sys
for row in csv.reader(sys.stdin):
    if len(row) == 24 and row[0] != "adult":
        date = row[14]
        print(1800 if date == "" else int(date[:4]) if len(date) == 10 else 1900, 1, sep="\t")
"""
SUM = r"""
import collections, sys
counts = collections.Counter()
for line in sys.stdin:
    key, value = line.split("\t")
    counts[key] += int(value)
for key in counts:
    print(key, counts[key], sep="\t")
"""


@pytest.mark.parametrize("block_bytes", [65536, 1 << 20, 128 << 20])
def test_movies_years_at_every_block_size(running, tmp_path, block_bytes):
    data = generate("movies", 10000)
    put(running, f"/movies/{block_bytes}", data, block_bytes)
    text = run(running, "-inputformat", "CSVInputFormat", "-mapper", script(tmp_path, "map.py", MOVIES_YEARS), "-file", str(tmp_path / "map.py"),
               "-combiner", script(tmp_path, "sum.py", SUM), "-reducer", "sum.py", "-file", str(tmp_path / "sum.py"),
               "-input", f"/movies/{block_bytes}", out=f"/o/movies{block_bytes}")
    years = {int(k): int(v) for k, v in (line.split("\t") for line in output(running, f"/o/movies{block_bytes}").decode().splitlines())}
    assert (years[1800], years[1900], years[2001], len(years)) == (23, 9, 125, 72)
    assert counter(text, "Launched map tasks") == max(1, -(-len(data) // block_bytes))
    assert counter(text, "Map input records") == 10001


def test_csv_with_all_that_quotes_can_do_at_tiny_blocks(running):
    random.seed(4)
    pieces = ["a", "bc", ",", ",", "\n", '"', '""', '"x\ny"', '"q""q"', "\r\n", ' ', "ü"]
    data = "".join(random.choice(pieces) for _ in range(1500)) + '"'
    want = ["\t".join(field.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r") for field in row)
            for row in csv.reader(io.StringIO(data, newline=""), strict=False)]
    for block, bom in (64, b""), (100, b"\xef\xbb\xbf"), (1 << 20, b"\xef\xbb\xbf"):
        put(running, f"/csv/{block}", bom + data.encode(), block)
        run(running, "-D", "cairn.csv.fields=tabs", "-inputformat", "CSVInputFormat", "-mapper", "cat", "-numReduceTasks", 0,
            "-input", f"/csv/{block}", out=f"/o/csv{block}")
        assert output(running, f"/o/csv{block}").decode().split("\n")[:-1] == want
        run(running, "-inputformat", "CSVInputFormat", "-mapper", "cat", "-numReduceTasks", 0, "-input", f"/csv/{block}", out=f"/o/csvraw{block}")
        assert output(running, f"/o/csvraw{block}").replace(b"\n", b"") == data.encode().replace(b"\n", b"")


def test_whole_files(running):
    put(running, "/whole/a", b"one\r\ntwo", 64)
    put(running, "/whole/b", b"\xef\xbb\xbf" + b"x" * 300 + b"\n", 64)
    text = run(running, "-inputformat", "WholeFileInputFormat", "-mapper", "md5sum", "-numReduceTasks", 0, "-input", "/whole", out="/o/whole")
    import hashlib
    assert {line.split()[0].decode() for line in output(running, "/o/whole").splitlines()} == {
        hashlib.md5(b"one\r\ntwo").hexdigest(), hashlib.md5(b"\xef\xbb\xbf" + b"x" * 300 + b"\n").hexdigest()}
    assert counter(text, "Launched map tasks") == counter(text, "Map input records") == 2


@pytest.mark.parametrize("split", [1 << 20, 64, 37, 10])
def test_records_between_marks_at_every_split(running, split):
    pages = [f"<page>{i} {'x' * (i % 90)}</page>" for i in range(60)]
    put(running, "/marks/pages", "".join(f"j{i}<pag{page}\n" for i, page in enumerate(pages)).encode() + b"<page>without its end")
    limit = ["-D", f"mapreduce.input.fileinputformat.split.maxsize={split}"]
    run(running, *limit, "-inputreader", "StreamXmlRecord,begin=<page>,end=</page>", "-mapper", "cut -f 1", "-numReduceTasks", 0, "-input", "/marks/pages",
        out=f"/o/xml{split}")
    assert output(running, f"/o/xml{split}").decode().splitlines() == pages
    parts = [f"part {i} {'y' * (i % 50)}" for i in range(60)]
    put(running, "/marks/parts", "--#".join(parts).encode())
    run(running, *limit, "-D", "textinputformat.record.delimiter=--#", "-mapper", "cat", "-numReduceTasks", 0, "-input", "/marks/parts", out=f"/o/parts{split}")
    assert output(running, f"/o/parts{split}").decode().splitlines() == parts


# ---- compression ----

LINES = b"".join(b"line %d of many\n" % i for i in range(5000))


def test_compressed_input(running):
    put(running, "/packed/a.gz", gzip.compress(LINES))
    put(running, "/packed/b.bz2", bz2.compress(LINES) + bz2.compress(b"second stream\n"))
    put(running, "/packed/c.deflate", zlib.compress(LINES))
    run(running, "-mapper", "cat", "-numReduceTasks", 0, "-input", "/packed", out="/o/packed")
    assert output(running, "/o/packed") == LINES + LINES + b"second stream\n" + LINES
    put(running, "/cut/a.bz2", bz2.compress(LINES)[:-20])
    done = submit(running, "-D", "mapreduce.map.maxattempts=1", "-mapper", "cat", "-input", "/cut", out="/o/cut")
    assert done.returncode == 1 and b"cut short" in done.stderr


@pytest.mark.parametrize("codec, suffix", [("GzipCodec", ".gz"), ("BZip2Codec", ".bz2"), ("ZStandardCodec", ".zst"), ("SnappyCodec", ".snappy"),
                                           ("Lz4Codec", ".lz4"), ("DefaultCodec", ".deflate")])
def test_compressed_output_is_input_again(running, codec, suffix):
    put(running, "/plain/in", LINES)
    run(running, "-D", "mapreduce.output.fileoutputformat.compress=true", "-D",
        f"mapreduce.output.fileoutputformat.compress.codec=org.apache.hadoop.io.compress.{codec}", "-mapper", "cat", "-reducer", "cat",
        "-input", "/plain/in", out=f"/o/{codec}")
    packed = running.fs("-cat", f"/o/{codec}/part-00000{suffix}", check=True).stdout
    assert 0 < len(packed) < len(LINES) / 2
    if suffix in (".gz", ".bz2", ".deflate"):
        assert {".gz": gzip.decompress, ".bz2": bz2.decompress, ".deflate": zlib.decompress}[suffix](packed).replace(b"\t", b"") == b"".join(
            sorted(LINES.splitlines(True)))
    run(running, "-mapper", "cat", "-numReduceTasks", 0, "-input", f"/o/{codec}", out=f"/o/{codec}-again")
    assert output(running, f"/o/{codec}-again").replace(b"\t", b"") == b"".join(sorted(LINES.splitlines(True)))


@pytest.mark.parametrize("compress", [[], ["-D", "mapreduce.output.fileoutputformat.compress=true"]])
def test_sequence_files(running, compress):
    pairs = b"".join(b"key%d\tvalue of %d\n" % (i, i) for i in range(20000))
    put(running, "/pairs/in", pairs)
    at = f"/o/sequence{len(compress)}"
    run(running, *compress, "-D", "dfs.blocksize=65536", "-outputformat", "SequenceFileOutputFormat", "-mapper", "cat", "-numReduceTasks", 0,
        "-input", "/pairs/in", out=at)
    assert running.fs("-cat", f"{at}/part-00000", check=True).stdout.startswith(b"SEQ\x06\x19org.apache.hadoop.io.Text")
    text = run(running, "-inputformat", "SequenceFileAsTextInputFormat", "-mapper", "cat", "-numReduceTasks", 0, "-input", at, out=f"{at}-text")
    assert counter(text, "Map input records") == 20000
    assert counter(text, "Launched map tasks") > 1
    assert output(running, f"{at}-text") == pairs


# ---- orders ----

def test_key_field_based_comparator(running):
    rows = [(random.choice("abc"), str(random.randrange(-500, 1000) / 10)) for _ in range(2000)]
    put(running, "/order/in", "".join(f"{a}\t{n}\tx\n" for a, n in rows).encode())
    options = ["-D", "stream.num.map.output.key.fields=2", "-D", "mapreduce.job.output.key.comparator.class="
               "org.apache.hadoop.mapreduce.lib.partition.KeyFieldBasedComparator"]
    run(running, *options, "-D", "mapreduce.partition.keycomparator.options=-k1,1r -k2,2n", "-D", "mapreduce.task.io.sort.mb=1", "-mapper", "cat",
        "-reducer", "cat", "-input", "/order/in", out="/o/order")
    got = [tuple(line.split("\t")[:2]) for line in output(running, "/o/order").decode().splitlines()]
    assert [(a, float(n)) for a, n in got] == sorted(((a, float(n)) for a, n in rows), key=lambda r: (-ord(r[0]), r[1]))
    assert collections.Counter(got) == collections.Counter(rows)
    bad = submit(running, *options, "-D", "mapreduce.partition.keycomparator.options=-k1,1x", "-mapper", "cat", "-input", "/order/in", out="/o/bad")
    assert bad.returncode == 3 and b"keycomparator.options" in bad.stderr


def test_secondary_sort(running, tmp_path):
    """Partition by the first field, order by both: a reducer sees each user's times in order, the newest first."""
    rows = [(f"user{random.randrange(40)}", random.randrange(100000)) for _ in range(3000)]
    put(running, "/second/in", "".join(f"{u}\t{t}\n" for u, t in rows).encode())
    run(running, "-D", "stream.num.map.output.key.fields=2", "-D", "mapreduce.job.output.key.comparator.class=KeyFieldBasedComparator",
        "-D", "mapreduce.partition.keycomparator.options=-k1,1 -k2,2nr", "-D", "mapreduce.partition.keypartitioner.options=-k1,1",
        "-partitioner", "org.apache.hadoop.mapred.lib.KeyFieldBasedPartitioner", "-numReduceTasks", 3, "-mapper", "cat", "-combiner", "cat",
        "-reducer", script(tmp_path, "newest.py", r"""
import itertools, sys
for user, lines in itertools.groupby((line.split() for line in sys.stdin), key=lambda fields: fields[0]):
    print(user, *[fields[1] for fields in lines], sep="\t")
"""), "-file", str(tmp_path / "newest.py"), "-input", "/second/in", out="/o/second")
    want = collections.defaultdict(list)
    for user, time in rows:
        want[user].append(time)
    got = {line.split("\t")[0]: [int(t) for t in line.split("\t")[1:]] for line in output(running, "/o/second").decode().splitlines()}
    assert got == {user: sorted(times, reverse=True) for user, times in want.items()}


@pytest.mark.parametrize("how", ["program", "command", "numbers"])
def test_total_order(running, how):
    random.seed(8)
    lines = [f"{random.randrange(10**9):09d}\t{i}" for i in range(30000)]
    put(running, "/total/in", "".join(line + "\n" for line in lines).encode(), 1 << 17)
    args = {"program": ["-program", f"{PROGRAMS}/sort.so", "-D", "sort.key.bytes=9"],
            "command": ["-mapper", "cat", "-reducer", "cat"],
            "numbers": ["-mapper", "cat", "-reducer", "cat", "-D", "mapreduce.job.output.key.comparator.class=KeyFieldBasedComparator", "-D",
                        "mapreduce.partition.keycomparator.options=-nr"]}[how]
    run(running, *args, "-partitioner", "org.apache.hadoop.mapred.lib.TotalOrderPartitioner", "-numReduceTasks", 5, "-input", "/total/in", out=f"/o/total-{how}")
    parts = [running.fs("-cat", f"/o/total-{how}/part-0000{i}", check=True).stdout.decode().splitlines() for i in range(5)]
    assert all(3000 < len(part) < 9000 for part in parts), [len(part) for part in parts]
    keys = [line.split("\t")[0] for part in parts for line in part]
    assert keys == sorted((line.split("\t")[0] for line in lines), reverse=how == "numbers")


# ---- inputs and files ----

def test_tagged_inputs_are_told_apart(running):
    put(running, "/tag/users", b"1\tann\n2\tbob\n")
    put(running, "/tag/orders", b"1\tapples\n1\tpears\n3\tnuts\n")
    run(running, "-taggedInput", "user=/tag/users", "-taggedInput", "order=/tag/orders", "-mapper", "sh -c 'sed \"s/$/ $cairn_map_input_tag/\"'",
        "-reducer", "cat", "-input", "/tag/users", out="/o/tag")
    assert sorted(output(running, "/o/tag").split(b"\n")[:-1]) == sorted(
        [b"1\tann user", b"2\tbob user", b"1\tapples order", b"1\tpears order", b"3\tnuts order", b"1\tann ", b"2\tbob "])
    wrong = submit(running, "-taggedInput", "/tag/users", "-mapper", "cat", out="/o/tag2")
    assert wrong.returncode == 1 and b"tag=path" in wrong.stderr


def archive(path, entries):
    with tarfile.open(path, "w:gz") as tar:
        for name, data in entries:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def test_archives_are_unpacked(running, tmp_path):
    archive(tmp_path / "a.tgz", [("deep/er/words", b"from the tar")])
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("words", "from the zip")
    running.fs("-mkdir", "-p", "/archives", check=True)
    running.fs("-put", "-f", str(tmp_path / "b.zip"), "/archives/", check=True)
    put(running, "/arch/in", b"x\n")
    run(running, "-archives", str(tmp_path / "a.tgz"), "-cacheArchive", f"{running.uri}/archives/b.zip#two", "-mapper",
        "sh -c 'cat a.tgz/deep/er/words two/words'", "-numReduceTasks", 0, "-input", "/arch/in", out="/o/arch")
    assert output(running, "/o/arch") == b"from the tarfrom the zip\n"
    archive(tmp_path / "evil.tgz", [("../../outside", b"x")])
    done = submit(running, "-D", "mapreduce.map.maxattempts=1", "-archives", str(tmp_path / "evil.tgz"), "-mapper", "cat", "-input", "/arch/in", out="/o/evil")
    assert done.returncode == 1 and b"leads out" in done.stderr
    (tmp_path / "none.zip").write_text("no archive")
    done = submit(running, "-D", "mapreduce.map.maxattempts=1", "-archives", str(tmp_path / "none.zip"), "-mapper", "cat", "-input", "/arch/in", out="/o/none")
    assert done.returncode == 1 and b"archive" in done.stderr

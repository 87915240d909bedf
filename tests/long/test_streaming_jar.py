"""Hadoop's own streaming jar and ours, the same options on the same input in the same file system: the same output, sorted."""
import bz2
import gzip
import random
import zlib

import pytest

from interop.servers import Server
from lib import apache as apache_lib
from lib import jars
from lib.cluster import Cluster, run_cairn
from lib.needs import missing

DEPENDENCIES = [
    *map(jars.hadoop, ("hadoop-common", "hadoop-hdfs", "hadoop-hdfs-client", "hadoop-mapreduce-client-jobclient", "hadoop-mapreduce-client-common")),
    # Of this one 3.4.1 is not in the registry; 3.4.2's runs on the 3.4.1 libraries.
    jars.hadoop("hadoop-streaming", "3.4.2", alone=True),
    jars.library("org.slf4j", "slf4j-reload4j", "1.7.36", "<scope>runtime</scope>"),
]
COMPARATOR = "org.apache.hadoop.mapred.lib.KeyFieldBasedComparator"
PARTITIONER = "org.apache.hadoop.mapred.lib.KeyFieldBasedPartitioner"
LIB = "org.apache.hadoop.mapred.lib."
CODECS = "org.apache.hadoop.io.compress."
WORDS = "sh -c 'tr \" \" \"\\n\"'"
SUM = "awk '{n[$1] += $2} END {for (k in n) print k \"\\t\" n[k]}'"
ONES = "awk '{for (i = 1; i <= NF; i++) print $i \"\\t1\"}'"

CASES = {
    "identity": ["-mapper", "cat", "-reducer", "cat", "-input", "/in/text"],
    "no reducer": ["-mapper", "cat", "-input", "/in/text"],
    "map only": ["-mapper", "cat", "-numReduceTasks", "0", "-input", "/in/text"],
    "reducer NONE": ["-mapper", WORDS, "-reducer", "NONE", "-input", "/in/text"],
    "words": ["-mapper", WORDS, "-reducer", "uniq -c", "-input", "/in/text"],
    "three reduces": ["-mapper", ONES, "-reducer", SUM, "-numReduceTasks", "3", "-input", "/in/text"],
    "combiner": ["-mapper", ONES, "-combiner", SUM, "-reducer", SUM, "-numReduceTasks", "2", "-input", "/in/text"],
    "several inputs": ["-mapper", "cat", "-reducer", "cat", "-input", "/in/text", "-input", "/in/pairs"],
    "globs": ["-mapper", "cat", "-reducer", "cat", "-input", "/in/p*,/in/{text,none*,pairs}"],
    "key and value": ["-inputformat", "KeyValueTextInputFormat", "-mapper", "cat", "-reducer", "cat", "-input", "/in/pairs"],
    "key and value, comma": ["-D", "mapreduce.input.keyvaluelinerecordreader.key.value.separator=,", "-inputformat", "KeyValueTextInputFormat", "-mapper",
                             "cat", "-reducer", "cat", "-input", "/in/commas"],
    "n lines": ["-D", "mapreduce.input.lineinputformat.linespermap=100", "-inputformat", LIB + "NLineInputFormat", "-mapper", "cut -f 2-", "-reducer", "cat",
                "-input", "/in/pairs"],
    "ignored keys": ["-D", "stream.map.input.ignoreKey=true", "-inputformat", LIB + "NLineInputFormat", "-mapper", "cat", "-reducer", "cat", "-input", "/in/few"],
    "two key fields": ["-D", "stream.num.map.output.key.fields=2", "-mapper", "cat", "-reducer", "cat", "-input", "/in/fields"],
    "dots": ["-D", "stream.map.output.field.separator=.", "-D", "stream.num.map.output.key.fields=2", "-mapper", "cat", "-reducer", "cat", "-input", "/in/dots"],
    "dots everywhere": ["-D", "stream.map.output.field.separator=.", "-D", "stream.reduce.input.field.separator=.", "-D",
                        "stream.reduce.output.field.separator=.", "-D", "stream.num.map.output.key.fields=2", "-D", "stream.num.reduce.output.key.fields=2",
                        "-mapper", "cat", "-reducer", "cat", "-input", "/in/dots"],
    "text separator": ["-D", "mapreduce.output.textoutputformat.separator=|", "-mapper", "cat", "-reducer", "cat", "-input", "/in/pairs"],
    "partition fields": ["-D", "stream.num.map.output.key.fields=3", "-D", "mapreduce.map.output.key.field.separator=\t", "-D",
                         "mapreduce.partition.keypartitioner.options=-k1,2", "-partitioner", PARTITIONER, "-numReduceTasks", "3", "-mapper", "cat", "-reducer",
                         "awk '{if ($1 FS $2 != last) print $1 \"-\" $2; last = $1 FS $2}'", "-input", "/in/fields"],
    "numbers turned round": ["-D", f"mapreduce.job.output.key.comparator.class={COMPARATOR}", "-D", "mapreduce.partition.keycomparator.options=-k2,2nr -k1,1",
                             "-D", "stream.num.map.output.key.fields=2", "-D", "mapreduce.map.output.key.field.separator=\t", "-mapper", "cat", "-reducer",
                             "awk '{print NR \"\\t\" $1 \" \" $2}'", "-input", "/in/unique"],
    "old names": ["-jobconf", "mapred.reduce.tasks=2", "-jobconf", "mapred.job.name=old", "-mapper", "cat", "-reducer", "uniq", "-input", "/in/text"],
    # (Hadoop cuts a value at its first blank.)
    "environment": ["-cmdenv", "FIRST=a,b", "-cmdenv", "SECOND=c", "-mapper", "sh -c 'cat >/dev/null; echo \"$FIRST $SECOND $mapreduce_task_ismap\"'", "-reducer", "cat",
                    "-input", "/in/text"],
    "file name": ["-mapper", "sh -c 'cat >/dev/null; echo \"$mapreduce_map_input_file\" | sed s,.*/,,'", "-reducer", "uniq -c", "-input", "/in/text"],
    "failure is none": ["-D", "stream.non.zero.exit.is.failure=false", "-mapper", "sh -c 'cat; exit 3'", "-reducer", "cat", "-input", "/in/text"],
    "packed input": ["-mapper", "cat", "-reducer", "cat", "-input", "/in/packed"],
    "packed output": ["-D", "mapreduce.output.fileoutputformat.compress=true", "-D", f"mapreduce.output.fileoutputformat.compress.codec={CODECS}GzipCodec",
                      "-mapper", "cat", "-reducer", "cat", "-input", "/in/text"],
    "bzip2 output": ["-D", "mapreduce.output.fileoutputformat.compress=true", "-D", f"mapreduce.output.fileoutputformat.compress.codec={CODECS}BZip2Codec",
                     "-mapper", "cat", "-numReduceTasks", "0", "-input", "/in/text"],
    "identity classes": ["-D", "mapreduce.job.output.key.class=org.apache.hadoop.io.Text", "-D", "mapreduce.job.output.value.class=org.apache.hadoop.io.Text",
                         "-D", "mapreduce.map.output.key.class=org.apache.hadoop.io.Text", "-inputformat", "KeyValueTextInputFormat", "-mapper", LIB + "IdentityMapper", "-reducer", LIB + "IdentityReducer", "-input", "/in/pairs"],
    "aggregate": ["-mapper", "awk '{print \"LongValueSum:\" $1 \"\\t1\"; print \"LongValueMax:m\" $1 \"\\t\" $2; print \"LongValueMin:n\" $1 \"\\t\" $2; "
                  "print \"UniqValueCount:u\" $1 \"\\t\" $3; print \"StringValueMax:s\\t\" $4; print \"StringValueMin:t\\t\" $4; "
                  "print \"DoubleValueSum:d\" $1 \"\\t\" $2 / 4}'", "-reducer", "aggregate", "-numReduceTasks", "2", "-input", "/in/fields"],
    "histogram": ["-mapper", "awk '{print \"ValueHistogram:h\" $1 \"\\t\" $2; print \"ValueHistogram:g\\t\" $3 \"\\t\" $4}'", "-reducer", "aggregate",
                  "-input", "/in/fields"],
    "debug scripts": ["-io", "text", "-mapdebug", "/no/script", "-reducedebug", "/no/script", "-mapper", "cat", "-reducer", "cat", "-input", "/in/few"],
    "xml": ["-inputreader", "StreamXmlRecordReader,begin=<page>,end=</page>", "-mapper", "tr -d ' '", "-reducer", "cat", "-input", "/in/pages"],
    "a delimiter": ["-D", "textinputformat.record.delimiter=--#", "-mapper", "cat", "-reducer", "cat", "-input", "/in/parts"],
    "nothing": ["-mapper", "sh -c 'cat >/dev/null'", "-reducer", "cat", "-lazyOutput", "-input", "/in/text"],
    "a part is enough": ["-mapper", "head -n 5", "-reducer", "cat", "-input", "/in/few"],
    "sequence input": ["-inputformat", "SequenceFileAsTextInputFormat", "-mapper", "cat", "-reducer", "cat", "-input", "/in/sequence"],
    "sequence blocks": ["-inputformat", "SequenceFileAsTextInputFormat", "-mapper", "cat", "-reducer", "cat", "-input", "/in/sequence-blocks"],
}


def inputs():
    random.seed(1)
    words = [f"w{i}" for i in range(50)]
    text = "".join(" ".join(random.choice(words) for _ in range(random.randrange(1, 9))) + random.choice(["\n", "\r\n"]) for _ in range(3000)).encode()
    fields = "".join("\t".join(str(random.randrange(20)) for _ in range(4)) + "\n" for _ in range(1000)).encode()
    pairs = "".join(f"k{random.randrange(200)}\tv{i}\n" for i in range(1000)).encode() + b"no tab\n\nlast without end"
    numbers = random.sample(range(-5000, 5000), 500)
    return {"text": text, "fields": fields, "pairs": pairs, "commas": pairs.replace(b"\t", b","), "dots": fields.replace(b"\t", b"."),
            "pages": "".join(f"junk {i}<page> <id>{i}</id>\n{'x' * random.randrange(300)} </page>\n" for i in range(300)).encode(),
            "parts": "--#".join("part %d %s" % (i, "y-" * random.randrange(100)) for i in range(400)).encode(),
            "few": fields[:200].rsplit(b"\n", 1)[0] + b"\n", "unique": "".join(f"k{n % 7}\t{n}\n" for n in numbers).encode(),
            "packed/a.gz": gzip.compress(text), "packed/b.bz2": bz2.compress(text) + bz2.compress(pairs), "packed/c.deflate": zlib.compress(pairs),
            "packed/d": text}


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    try:
        classes = jars.class_path(DEPENDENCIES, jars.java_files("lib/HadoopHost.java"))
    except jars.Unavailable as error:
        missing(f"Hadoop's streaming jar cannot be run: {error}")
    folder = tmp_path_factory.mktemp("jar")
    running = apache_lib.JavaShell(folder, {"mapreduce.cluster.local.dir": f"{folder}/mr", "hadoop.tmp.dir": f"{folder}/tmp"}, classes=classes, cwd=folder)
    yield running
    running.stop()


def java(shell, cluster, *args):
    server = Server("cairn", cluster, shell)
    done = shell.run("org.apache.hadoop.streaming.StreamJob", *server.generic_options(), *args, deadline_s=120)
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")[-3000:]


@pytest.fixture(scope="module")
def cluster(shell, tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cairn") / "cluster", properties={"dfs.namenode.fs-limits.min-block-size": 512}) as running:
        for name, bytes_ in inputs().items():
            running.fs("-mkdir", "-p", f"/in/{name}".rsplit("/", 1)[0], check=True)
            run_cairn("fs", "-fs", running.uri, "-D", "dfs.blocksize=8192", "-put", "-", f"/in/{name}", stdin=bytes_, check=True)
        for name, blocks in ("sequence", []), ("sequence-blocks", ["-D", "mapreduce.output.fileoutputformat.compress=true", "-D",
                                                                  "mapreduce.output.fileoutputformat.compress.type=BLOCK"]):
            java(shell, running, *blocks, "-outputformat", "org.apache.hadoop.mapred.SequenceFileOutputFormat", "-mapper", "cat", "-reducer", "cat",
                 "-input", "/in/pairs", "-output", f"/in/{name}")
        yield running


def lines(cluster, folder):
    listing = cluster.fs("-ls", "-C", folder, check=True).stdout.decode().split()
    unpack = {"gz": gzip.decompress, "bz2": bz2.decompress}
    parts = [unpack.get(path.rsplit(".", 1)[-1], bytes)(cluster.fs("-cat", path, check=True).stdout) for path in listing if "/part-" in path]
    return sorted(line for part in parts for line in part.split(b"\n")[:-1])


@pytest.mark.parametrize("name", CASES)
def test_the_same_output(shell, cluster, name):
    args, out = CASES[name], f"/out/{name.replace(' ', '-').replace(',', '')}"
    java(shell, cluster, *args, "-output", out + "-java")
    done = run_cairn("streaming", "-fs", cluster.uri, "-D", "cairn.output.exactly-as-hadoop=true", *args, "-output", out + "-ours", deadline_s=120)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    theirs, ours = lines(cluster, out + "-java"), lines(cluster, out + "-ours")
    assert ours == theirs
    assert theirs or name == "nothing"


def test_sequence_files_of_ours_are_read_by_hadoop(shell, cluster):
    for name, how in ("plain", []), ("packed", ["-D", "mapreduce.output.fileoutputformat.compress=true"]):
        done = run_cairn("streaming", "-fs", cluster.uri, *how, "-outputformat", "SequenceFileOutputFormat", "-mapper", "cat", "-reducer", "cat", "-input",
                         "/in/pairs", "-output", f"/out/sequence-{name}")
        assert done.returncode == 0, done.stderr
        java(shell, cluster, "-inputformat", "SequenceFileAsTextInputFormat", "-mapper", "cat", "-reducer", "cat", "-input", f"/out/sequence-{name}", "-output",
             f"/out/sequence-{name}-text")
        want = inputs()["pairs"].decode().split("\n")
        assert lines(cluster, f"/out/sequence-{name}-text") == sorted((line if "\t" in line else line + "\t").encode() for line in want)

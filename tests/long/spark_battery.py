"""What a Spark application does to a file system: every check below, on every file system given, in one Spark session.

spark_battery.py RESULTS.json NAME=URI...    writes {check: {name: what was seen}}; the caller compares and judges."""
import contextlib
import json
import os
import re
import sys
import threading
import time
import traceback
import zlib

from pyspark.sql import SparkSession, functions as F

ROWS = 3000
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


class Place:
    """A folder of its own on the file system under test, seen through Spark and through Hadoop's FileSystem."""

    def __init__(self, spark, uri, name):
        self.spark, self.sc, self.jvm, self.uri = spark, spark.sparkContext, spark._jvm, uri
        self.root = f"{uri}/battery/{name}"
        self.conf = self.sc._jsc.hadoopConfiguration()
        self.fs = self.path("").getFileSystem(self.conf)
        self.fs.delete(self.path(""), True)
        self.fs.mkdirs(self.path(""))

    def at(self, name):
        return f"{self.root}/{name}" if name else self.root

    def path(self, name):
        return self.jvm.org.apache.hadoop.fs.Path(self.at(name))

    def write(self, name, data):
        out = self.fs.create(self.path(name), True)
        out.write(bytearray(data))
        out.close()

    def read(self, name):
        """All bytes that a new reader sees now, also of a file that is still being written."""
        stream = self.fs.open(self.path(name))
        try:
            return bytes(self.jvm.org.apache.commons.io.IOUtils.toByteArray(stream))
        finally:
            stream.close()

    def tree(self, name, lengths=True):
        """Every file below, as "path length"; the part of a name that is drawn by lot is left out."""
        files = self.fs.listFiles(self.path(name), True)
        found, prefix = [], len(self.fs.makeQualified(self.path(name)).toString()) + 1
        while files.hasNext():
            status = files.next()
            words = status.getPath().toString()[prefix:].split("/")
            if words[-1].startswith("part-"):
                words[-1] = words[-1][:10] + "".join("." + end for end in words[-1].split(".")[1:])
            found.append("/".join(words) + (f" {status.getLen()}" if lengths else ""))
        return sorted(found)

    def frame(self, rows=ROWS, parts=4, first=0):
        text = F.concat(F.lit("row "), F.col("id").cast("string"), F.lit(", \"it's\" | ü"))
        return self.spark.range(first, first + rows, 1, parts).select("id", text.alias("s"), (F.col("id") % 5).alias("k"),
                                                                      (F.col("id") / 7).alias("x"))


def summary(frame):
    """Count, sums and a checksum of the contents, whatever the order."""
    row = frame.agg(F.count("*"), F.sum("id"), F.sum(F.crc32("s"))).first()
    return list(row)


def expected(first=0, rows=ROWS):
    texts = (f"row {n}, \"it's\" | ü".encode() for n in range(first, first + rows))
    return [rows, sum(range(first, first + rows)), sum(map(zlib.crc32, texts))]


def failure_of(action):
    """The kind of error and its first line without the addresses in it; None when nothing failed."""
    try:
        action()
    except Exception as error:
        text = str(getattr(error, "java_exception", None) or error)
        return type(error).__name__, re.sub(r"hdfs://[^/\s]+", "", text.splitlines()[0])[:200]
    return None


# formats

@check
def text(at):
    at.frame().select("s").write.text(at.at("t"))
    lines = at.spark.read.text(at.at("t"))
    return lines.count(), lines.agg(F.sum(F.crc32("value"))).first()[0], at.tree("t")


def _format(at, name, **options):
    at.frame().write.options(**options).format(name).save(at.at("f"))
    schema = "id long, s string, k long, x double"
    back = at.spark.read.options(**options).schema(schema).format(name).load(at.at("f"))
    assert summary(back) == expected()
    inferred = at.spark.read.options(inferSchema=True, **options).format(name).load(at.at("f"))
    some = inferred.where("k = 3").agg(F.count("*"), F.max("id")).first()
    return inferred.dtypes, list(some), at.tree("f")


@check
def csv(at):
    return _format(at, "csv", header=True, escape='"')


@check
def json_lines(at):
    return _format(at, "json")


@check
def parquet(at):
    return _format(at, "parquet")


@check
def orc(at):
    return _format(at, "orc")


@check
def compressed_formats(at):
    seen = []
    for form, codec in ("parquet", "gzip"), ("parquet", "zstd"), ("orc", "zlib"), ("csv", "gzip"), ("json", "bzip2"), ("text", "deflate"):
        folder = f"{form}-{codec}"
        at.frame(500, 2).select("s").write.format(form).option("compression", codec).save(at.at(folder))
        frame = at.spark.read.format(form).load(at.at(folder))
        seen.append((folder, frame.agg(F.sum(F.crc32(frame.columns[0]))).first()[0], at.tree(folder)))
    return seen


# tables

@check
def partitioned_and_dynamic_overwrite(at):
    where = at.at("p")
    at.frame().repartition(2, "id").write.partitionBy("k").parquet(where)
    before = summary(at.spark.read.parquet(where))
    assert before == expected()
    fresh = at.frame(100, 1, first=10_000).withColumn("k", F.lit(2)).coalesce(1)
    fresh.write.mode("overwrite").option("partitionOverwriteMode", "dynamic").partitionBy("k").parquet(where)
    table = at.spark.read.parquet(where)
    counts = sorted(map(list, table.groupBy("k").count().collect()))
    assert counts == [[0, 600], [1, 600], [2, 100], [3, 600], [4, 600]], counts
    fresh.write.mode("append").partitionBy("k").parquet(where)
    assert at.spark.read.parquet(where).where("k = 2").count() == 200
    fresh.write.mode("overwrite").partitionBy("k").parquet(where)  # static: everything else goes
    assert summary(at.spark.read.parquet(where)) == expected(10_000, 100)
    return counts, at.tree("p")


@check
def append_and_overwrite(at):
    where = at.at("a")
    for first in 0, ROWS:
        at.frame(first=first).write.mode("append").orc(where)
    assert summary(at.spark.read.orc(where)) == expected(0, 2 * ROWS)
    refused = failure_of(lambda: at.frame().write.orc(where))
    at.frame().write.mode("ignore").orc(where)
    both = at.tree("a", lengths=False)
    at.frame(10, 1).write.mode("overwrite").orc(where)
    assert summary(at.spark.read.orc(where)) == expected(0, 10)
    return refused, both, at.tree("a")


@check
def bucketed_tables(at):
    at.spark.sql("DROP DATABASE IF EXISTS warehouse CASCADE")
    at.spark.sql(f"CREATE DATABASE warehouse LOCATION '{at.at('warehouse.db')}'")
    for table in "left", "right":
        at.frame().write.bucketBy(4, "id").sortBy("id").saveAsTable(f"warehouse.`{table}`")
    at.spark.conf.set("spark.sql.autoBroadcastJoinThreshold", -1)
    joined = at.spark.table("warehouse.left").join(at.spark.table("warehouse.right").select("id"), "id")
    plan = joined._jdf.queryExecution().toString().split("Physical Plan")[-1]
    assert "Exchange" not in plan, plan
    assert summary(joined) == expected()
    at.spark.sql("INSERT INTO warehouse.right SELECT * FROM warehouse.left")
    assert at.spark.table("warehouse.right").count() == 2 * ROWS
    at.spark.sql("INSERT OVERWRITE warehouse.right SELECT * FROM warehouse.left WHERE id < 10")
    assert at.spark.table("warehouse.right").count() == 10
    location = at.spark.sql("DESCRIBE FORMATTED warehouse.left").where("col_name = 'Location'").first()[1]
    seen = location == at.at("warehouse.db/left"), at.tree("warehouse.db/left", lengths=False)
    at.spark.sql("DROP DATABASE warehouse CASCADE")
    assert not at.fs.exists(at.path("warehouse.db/left"))
    return seen


# commit protocols

@check
def committers(at):
    seen = []
    for version in "1", "2":
        name = f"v{version}"
        writer = at.frame(parts=6).write.option("mapreduce.fileoutputcommitter.algorithm.version", version)
        writer.parquet(at.at(name))
        assert summary(at.spark.read.parquet(at.at(name))) == expected()
        seen.append((version, at.tree(name)))
    return seen


@check
def failing_write_leaves_nothing(at):
    def break_late(number):
        if number == ROWS - 1:
            raise ValueError("broken on purpose")
        return number

    broken = F.udf(break_late, "long")
    seen = []
    for version in "1", "2":
        name = f"v{version}"
        frame = at.frame(parts=3).withColumn("id", broken("id"))
        writer = frame.write.option("mapreduce.fileoutputcommitter.algorithm.version", version)
        failed = failure_of(lambda: writer.parquet(at.at(name)))
        assert failed is not None
        kept = at.tree(name, lengths=False) if at.fs.exists(at.path(name)) else None
        assert not any("_SUCCESS" in file or "_temporary" in file for file in kept or []), kept
        assert version == "2" or not kept, kept  # of the second algorithm, tasks that ended are there: its known price
        seen.append(bool(kept) if version == "1" else True)
    at.frame().write.parquet(at.at("kept"))
    failure_of(lambda: at.frame(parts=3).withColumn("id", broken("id")).write.mode("append").parquet(at.at("kept")))
    assert summary(at.spark.read.parquet(at.at("kept"))) == expected()
    return seen, at.tree("kept")


@check
def overwrites_at_once(at):
    """Four jobs at a time, each replacing one partition of a table: all of them win."""
    where = at.at("table")
    at.frame(400).write.partitionBy("k").parquet(where)
    errors = []

    def replace(number):
        frame = at.frame(50 + number, 2, first=1000 * number).withColumn("k", F.lit(number))
        writer = frame.write.mode("overwrite").option("partitionOverwriteMode", "dynamic")
        try:
            writer.partitionBy("k").parquet(where)
        except Exception as error:
            errors.append(str(error)[:2000])

    threads = [threading.Thread(target=replace, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors[0]
    at.spark.catalog.refreshByPath(where)
    counts = sorted(map(list, at.spark.read.parquet(where).groupBy("k").count().collect()))
    assert counts == [[0, 50], [1, 51], [2, 52], [3, 53], [4, 80]], counts
    return counts, [file for file in at.tree("table", lengths=False) if "staging" in file]


@check
def one_of_many_commits_wins(at):
    """What table formats build on: of several writers of one version exactly one wins, by create or by rename."""
    fs = at.jvm.org.apache.hadoop.fs
    options = at.sc._gateway.new_array(fs.Options.Rename, 1)
    options[0] = fs.Options.Rename.NONE
    context = fs.FileContext.getFileContext(at.fs.getUri(), at.conf)
    at.fs.mkdirs(at.path("log"))
    wins, refusals = {}, set()

    def create(target, writer):
        out = at.fs.create(target, False)
        out.write(bytearray(f"{writer}".encode()))
        out.close()

    def rename(target, writer):
        temporary = at.path(f"log/.{target.getName()}.{writer}")
        create(temporary, writer)
        context.rename(temporary, target, options)

    def commit(writer):
        for version in range(10):
            target = at.path(f"log/{version:020d}.json")
            try:
                (create if version % 2 else rename)(target, writer)
                wins.setdefault(version, []).append(writer)
            except Exception as error:
                refusals.add(error.java_exception.getClass().getSimpleName())

    threads = [threading.Thread(target=commit, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len(winners) == 1 for winners in wins.values()) and len(wins) == 10, wins
    for version, (winner,) in wins.items():
        assert at.read(f"log/{version:020d}.json") == str(winner).encode()
    # Of "is being created by another" and "is there already" either may meet a loser; only the kind is fixed.
    assert refusals <= {"FileAlreadyExistsException", "AlreadyBeingCreatedException", "RemoteException"}, refusals
    return sorted(wins)


# streaming

@check
def structured_streaming(at):
    """Exactly once across a stop in between and a new start from the checkpoint."""
    source, sink, checkpoint = at.at("source"), at.at("sink"), at.at("checkpoint")
    at.fs.mkdirs(at.path("source"))

    def feed(number):
        frame = at.frame(100, 1, first=100 * number).select("id", "s")
        frame.write.json(at.at(f"staged-{number}"))
        (part,) = [file for file in at.tree(f"staged-{number}", lengths=False) if file.startswith("part-")]
        found = at.fs.globStatus(at.path(f"staged-{number}/part-*"))[0].getPath()
        assert at.fs.rename(found, at.path(f"source/{number:03d}.json")), part

    def run():
        stream = at.spark.readStream.schema("id long, s string").option("maxFilesPerTrigger", 1).json(source)
        query = stream.writeStream.format("parquet").option("checkpointLocation", checkpoint).trigger(availableNow=True)
        query = query.start(sink)
        try:
            assert query.awaitTermination(120), "the stream did not come to its end"
        finally:
            query.stop()
        return query.lastProgress is not None

    feed(0), feed(1)
    run()
    first = summary(at.spark.read.parquet(sink))
    assert first == expected(0, 200), first
    feed(2), feed(3)
    run()
    run()  # nothing new: nothing twice
    last = summary(at.spark.read.parquet(sink))
    assert last == expected(0, 400), last
    # A batch whose output is there and whose commit is not: what a driver that was killed in between leaves.
    at.fs.delete(at.path("checkpoint/commits/3"), False)
    run()
    assert summary(at.spark.read.parquet(sink)) == expected(0, 400)
    logs = [file for file in at.tree("checkpoint", lengths=False) if not file.startswith("state/")]
    return logs, at.tree("sink/_spark_metadata", lengths=False)


@check
def streaming_aggregation_state(at):
    """A state store: delta and snapshot files, written and renamed for every batch and partition."""
    at.fs.mkdirs(at.path("source"))
    rows = []

    def run():
        stream = at.spark.readStream.schema("id long, s string, k long, x double").json(at.at("source"))
        query = stream.groupBy("k").count().writeStream.outputMode("complete").option("checkpointLocation", at.at("checkpoint"))
        query = query.foreachBatch(lambda frame, _: rows.append(sorted(map(tuple, frame.collect()))))
        query = query.trigger(availableNow=True).start()
        assert query.awaitTermination(120), "the stream did not come to its end"

    for number in 0, 1:
        at.frame(100, 1, first=100 * number).write.mode("append").json(at.at("source"))
        run()
    assert rows[-1] == [(k, 40) for k in range(5)], rows
    return rows, at.tree("checkpoint/state", lengths=False)


# RDDs

@check
def save_as_text_file(at):
    seen = []
    lines = at.sc.parallelize([f"line {number}" for number in range(ROWS)], 3)
    codecs = None, "GzipCodec", "BZip2Codec", "DefaultCodec"
    for codec in codecs:
        name = f"t-{codec}"
        lines.saveAsTextFile(at.at(name), codec and f"org.apache.hadoop.io.compress.{codec}")
        assert sorted(at.sc.textFile(at.at(name)).collect()) == sorted(f"line {number}" for number in range(ROWS))
        seen.append((name, at.tree(name)))
    again = failure_of(lambda: lines.saveAsTextFile(at.at("t-None")))
    assert again
    pairs = at.sc.parallelize([(number, f"v{number}") for number in range(100)], 2)
    pairs.saveAsSequenceFile(at.at("sequence"))
    assert sorted(at.sc.sequenceFile(at.at("sequence")).collect()) == [(number, f"v{number}") for number in range(100)]
    pairs.saveAsPickleFile(at.at("pickle"))
    assert at.sc.pickleFile(at.at("pickle")).count() == 100
    return seen, again


@check
def binary_and_whole_files(at):
    contents = {f"b/f{number}": bytes((number * index) % 256 for index in range(1000 * number)) for number in range(5)}
    for name, data in contents.items():
        at.write(name, data)
    found = {uri.rsplit("/", 1)[1]: zlib.crc32(data) for uri, data in at.sc.binaryFiles(at.at("b")).collect()}
    assert found == {name.split("/")[1]: zlib.crc32(data) for name, data in contents.items()}
    frame = at.spark.read.format("binaryFile").option("pathGlobFilter", "f[34]").load(at.at("b"))
    rows = [(row.path.rsplit("/", 1)[1], row.length, zlib.crc32(row.content)) for row in frame.collect()]
    assert sorted(rows) == [(f"f{n}", 1000 * n, found[f"f{n}"]) for n in (3, 4)]
    at.write("w/one", "α\nβ".encode())
    at.write("w/two", b"")
    whole = {uri.rsplit("/", 1)[1]: text for uri, text in at.sc.wholeTextFiles(at.at("w")).collect()}
    assert whole == {"one": "α\nβ", "two": ""}
    # Lines that lie across blocks, at a split size that is none of the blocks': each is read once.
    at.spark.conf.set("spark.sql.files.maxPartitionBytes", 70_000)
    at.write("lines", b"".join(b"%d %s\n" % (number, b"x" * (number % 97)) for number in range(20_000)))
    numbers = at.spark.read.text(at.at("lines")).select(F.split("value", " ")[0].cast("long").alias("n"))
    seen = numbers.agg(F.count("*"), F.sum("n")).first()
    at.spark.conf.unset("spark.sql.files.maxPartitionBytes")
    assert list(seen) == [20_000, sum(range(20_000))]
    return found, whole


@check
def checkpoints_and_shared_files(at):
    at.sc.setCheckpointDir(at.at("checkpoints"))
    numbers = at.sc.parallelize(range(1000), 4).map(lambda number: number * 2)
    numbers.checkpoint()
    assert numbers.sum() == 999_000 and numbers.isCheckpointed()
    checkpointed = at.tree(numbers.getCheckpointFile()[len(at.root) + 1:])
    frame = at.frame().checkpoint()
    assert summary(frame) == expected()
    name = f"shared_{abs(hash(at.uri))}"  # a session fetches a file of one name once
    at.write(f"{name}.txt", b"broadcast me")
    at.write(f"{name}.py", b"def answer():\n    return 42\n")
    at.sc.addFile(at.at(f"{name}.txt"))
    at.sc.addPyFile(at.at(f"{name}.py"))

    def use(_):
        from pyspark import SparkFiles
        return open(SparkFiles.get(f"{name}.txt")).read(), __import__(name).answer()

    used = at.sc.parallelize(range(2), 2).map(use).collect()
    assert used == [("broadcast me", 42)] * 2, used
    return checkpointed


@check
def globs_and_listing(at):
    for year in 2023, 2024:
        for month in range(1, 13):
            at.write(f"g/year={year}/month={month:02d}/data.csv", f"{year},{month}\n".encode())
    seen = []
    for glob in "g/*/*", "g/year=2024/month=0[1-3]", "g/{year=2023,year=2024}/month=12/*.csv", "g/year=*/month=1?/data*":
        seen.append((glob, at.spark.read.csv(at.at(glob)).count()))
    assert [count for _, count in seen] == [24, 3, 2, 6]
    # Listing with many jobs instead of in the driver.
    at.spark.conf.set("spark.sql.sources.parallelPartitionDiscovery.threshold", 2)
    table = at.spark.read.csv(at.at("g"))
    at.spark.conf.unset("spark.sql.sources.parallelPartitionDiscovery.threshold")
    assert table.where("year = 2024 and month > 6").count() == 6
    missing = failure_of(lambda: at.spark.read.csv(at.at("none*")))
    return seen, table.dtypes, missing


@check
def growing_file_is_readable(at):
    """hflush: a second client sees all of it at once, while the writer goes on."""
    out = at.fs.create(at.path("growing"), True)
    seen = []
    for number in range(3):
        out.write(bytearray(b"%d\n" % number * 1000))
        out.hflush()
        seen.append((len(at.read("growing")), at.sc.textFile(at.at("growing")).count()))
    out.close()
    assert [length for length, _ in seen] == [2000, 4000, 6000]
    return seen, at.fs.getFileStatus(at.path("growing")).getLen()


def run(results_file, servers):
    # A client of its own for every check that asks for one: nothing is remembered from the writer.
    session = SparkSession.builder.appName("battery").getOrCreate()
    results = {}
    for function in CHECKS:
        for name, uri in servers:
            started = time.monotonic()
            try:
                value = {"seen": function(Place(session, uri, function.__name__.replace("_", "-")))}
            except Exception:
                value = {"error": traceback.format_exc()[-6000:]}
            value["seconds"] = round(time.monotonic() - started, 2)
            results.setdefault(function.__name__, {})[name] = value
            print(f"{function.__name__} on {name}: {'ok' if 'seen' in value else value['error']} {value['seconds']} s", flush=True)
            with open(results_file + ".new", "w") as file:
                json.dump(results, file)
            os.replace(results_file + ".new", results_file)
    with contextlib.suppress(Exception):
        session.stop()


if __name__ == "__main__":
    run(sys.argv[1], [server.split("=", 1) for server in sys.argv[2:]])

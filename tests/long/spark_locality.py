"""Reads /in/r1 to /in/r3 of the default file system, files of many blocks, block by block, then writes with a task that hangs
at its first attempt. One job group per step, so that the event log tells which tasks are whose."""
import time

from pyspark import TaskContext
from pyspark.sql import SparkSession, functions as F

from spark_locality_names import REPLICAS

spark = SparkSession.builder.appName("locality").getOrCreate()
sc = spark.sparkContext
counts = {}
for name in (f"r{replicas}" for replicas in REPLICAS):
    sc.setJobGroup(f"rdd-{name}", name)
    counts[f"rdd-{name}"] = sc.textFile(f"/in/{name}", 1).count()
    sc.setJobGroup(f"frame-{name}", name)
    counts[f"frame-{name}"] = spark.read.text(f"/in/{name}").where(F.length("value") > 0).agg(F.count("*")).first()[0]


def slow_at_first(part, rows):
    context = TaskContext.get()
    for row in rows:
        yield row
    if part == 0 and context.attemptNumber() == 0:
        time.sleep(120)  # the speculative copy is done long before


sc.setJobGroup("speculative", "speculative")
numbers = sc.parallelize(range(9000), 9).mapPartitionsWithIndex(slow_at_first)
for version in 1, 2:
    where = f"/out/speculative-v{version}"
    frame = spark.createDataFrame(numbers.map(lambda number: (number,)), "id long")
    frame.write.option("mapreduce.fileoutputcommitter.algorithm.version", version).parquet(where)
    counts[f"speculative-v{version}"] = list(spark.read.parquet(where).agg(F.count("*"), F.sum("id")).first())
spark.range(10).write.saveAsTable("numbers")
counts["table"] = spark.table("numbers").count()
sc.parallelize([repr(sorted(counts.items()))], 1).saveAsTextFile("/out/counts")
spark.stop()

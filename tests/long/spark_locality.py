"""spark_locality.py URI: reads /in/r1, /in/r2 and /in/r3, files of many blocks, block by block, then writes with a task that hangs at
its first attempt. One job group per step, so that the event log tells which tasks are whose."""
import sys
import time

from pyspark import TaskContext
from pyspark.sql import SparkSession, functions as F

uri = sys.argv[1]
spark = SparkSession.builder.appName("locality").getOrCreate()
sc = spark.sparkContext
counts = {}
for name in "r1", "r2", "r3":
    sc.setJobGroup(f"rdd-{name}", name)
    counts[f"rdd-{name}"] = sc.textFile(f"{uri}/in/{name}", 1).count()
    sc.setJobGroup(f"frame-{name}", name)
    counts[f"frame-{name}"] = spark.read.text(f"{uri}/in/{name}").where(F.length("value") > 0).agg(F.count("*")).first()[0]


def slow_at_first(part, rows):
    context = TaskContext.get()
    for row in rows:
        yield row
    if part == 0 and context.attemptNumber() == 0:
        time.sleep(120)  # the speculative copy is done long before


sc.setJobGroup("speculative", "speculative")
numbers = sc.parallelize(range(9000), 9).mapPartitionsWithIndex(slow_at_first)
for version in 1, 2:
    where = f"{uri}/out/speculative-v{version}"
    frame = spark.createDataFrame(numbers.map(lambda number: (number,)), "id long")
    frame.write.option("mapreduce.fileoutputcommitter.algorithm.version", version).parquet(where)
    counts[f"speculative-v{version}"] = list(spark.read.parquet(where).agg(F.count("*"), F.sum("id")).first())
sc.parallelize([repr(sorted(counts.items()))], 1).saveAsTextFile(f"{uri}/out/counts")
spark.stop()

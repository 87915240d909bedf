"""What goes on while servers or the application die. Progress is told in a local folder, one file per step.

spark_faults.py write URI PROGRESS      a job of many short tasks
spark_faults.py stream URI PROGRESS     a stream over all files of /source, one per batch, until it has seen them all"""
import os
import sys
import time

from pyspark.sql import SparkSession, functions as F

TASKS = 40
ROWS = 4000
kind, uri, progress = sys.argv[1:]
spark = SparkSession.builder.appName(f"faults-{kind}").getOrCreate()


def tell(name):
    with open(os.path.join(progress, name), "w"):
        pass


def write():
    def rows(part, numbers):
        for number in numbers:
            time.sleep(0.002)
            yield number, "x" * 1000
        tell(f"task-{part}")

    numbers = spark.sparkContext.parallelize(range(ROWS), TASKS).mapPartitionsWithIndex(rows)
    spark.createDataFrame(numbers, "id long, s string").write.parquet(f"{uri}/written")
    print("SUM", list(spark.read.parquet(f"{uri}/written").agg(F.count("*"), F.sum("id"), F.sum(F.length("s"))).first()))


def stream():
    lines = spark.readStream.schema("value string").option("maxFilesPerTrigger", 1).text(f"{uri}/source")
    query = lines.writeStream.format("parquet").option("checkpointLocation", f"{uri}/checkpoint")
    query = query.trigger(availableNow=True).start(f"{uri}/sink")
    while not query.awaitTermination(0.1):
        if query.lastProgress:
            tell(f"batch-{query.lastProgress['batchId']}")
    numbers = spark.read.parquet(f"{uri}/sink").select(F.col("value").cast("long").alias("n"))
    print("SUM", list(numbers.agg(F.count("*"), F.sum("n")).first()))


{"write": write, "stream": stream}[kind]()
spark.stop()

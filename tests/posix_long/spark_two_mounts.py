"""Run by spark-submit: writes tables to the folder that is named and reads them back; prints "all is well" in the end."""
import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

ROWS = 20_000
folder = "file://" + sys.argv[1]
spark = SparkSession.builder.getOrCreate()
hosts = spark.sparkContext.parallelize(range(8), 8).map(lambda _: __import__("os").readlink("/proc/self/ns/mnt")).distinct().collect()
assert len(hosts) == 2, f"tasks ran in {hosts}, and not behind both mounts"
table = spark.range(ROWS).repartition(8).withColumn("kind", f.col("id") % 7).withColumn("text", f.concat(f.lit("row "), f.col("id")))
for mode, times in ("errorifexists", 1), ("append", 2), ("overwrite", 1):
    for kind, options in ("parquet", {}), ("csv", {"header": "true"}), ("json", {}):
        path = f"{folder}/{kind}"
        table.write.mode(mode).options(**options).partitionBy("kind").format(kind).save(path)
        found = spark.read.options(**options).format(kind).load(path)
        counted = found.agg(f.count("*"), f.sum(f.col("id").cast("long")), f.countDistinct("text")).first()
        assert tuple(counted) == (times * ROWS, times * ROWS * (ROWS - 1) // 2, ROWS), (kind, mode, counted)
table.rdd.map(lambda row: f"{row.id}").saveAsTextFile(f"{folder}/text")
assert spark.sparkContext.textFile(f"{folder}/text").map(int).sum() == ROWS * (ROWS - 1) // 2
print("all is well")
spark.stop()

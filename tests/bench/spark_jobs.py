"""spark_jobs.py words|sort INPUT OUTPUT: what Spark is measured by, as data frames, which is how Spark is fastest."""
import sys

from pyspark.sql import SparkSession, functions

job, source, target = sys.argv[1:]
spark = SparkSession.builder.appName(job).getOrCreate()
lines = spark.read.text(source)
if job == "words":
    words = lines.select(functions.explode(functions.split("value", " ")).alias("word"))
    lines = words.groupBy("word").count().select(functions.concat_ws("\t", "word", "count"))
else:
    lines = lines.sort("value")
lines.write.text(target)
spark.stop()

"""Bus positions with a usable place, and the hour and the date of each report: spark-submit mta_filter.py INPUT OUTPUT

INPUT: tab separated with a header, as `gen mta N` makes it. OUTPUT: a folder, 13 columns, tab separated with a header."""
import sys

from pyspark.sql import SparkSession, functions as F


def read(spark, path):
    """All columns as text; a short line has nulls at its end."""
    return spark.read.csv(path, sep="\t", header=True)


def has_place(latitude, longitude):
    # try_cast: what is no number becomes null, and drops out, also where Spark is strict about casts.
    lat, lon = F.expr(f"try_cast({latitude} AS double)"), F.expr(f"try_cast({longitude} AS double)")
    return lat.between(-90, 90) & lon.between(-180, 180) & ((lat != 0) | (lon != 0))


def with_report(frame):
    hour = F.concat(F.substring("time_received", 1, 13), F.lit(":00:00"))
    return frame.withColumn("report_hour", hour).withColumn("report_date", F.substring("time_received", 1, 10))


def run(spark, source, target):
    kept = with_report(read(spark, source).where(has_place("latitude", "longitude")))
    kept.write.mode("overwrite").csv(target, sep="\t", header=True)


if __name__ == "__main__":
    run(SparkSession.builder.appName("mta-filter").getOrCreate(), *sys.argv[1:])

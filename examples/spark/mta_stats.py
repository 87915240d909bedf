"""Speeds and distances of buses: spark-submit mta_stats.py INPUT OUTPUT [partitioned|global]

Four tables below OUTPUT, as Parquet: day_summary, average_speed, distance_traveled, speed_excesses. "global" does not begin
anew at each vehicle: its first report is measured from the last one of the vehicle before."""
import sys

from pyspark.sql import SparkSession, Window, functions as F

from mta_filter import has_place, read, with_report

SPEED_LIMIT = 11.176  # m/s, 25 mph
EARTH_KM = 6371
NEEDED = ["next_scheduled_stop_distance", "distance_along_trip", "latitude", "longitude"]


def haversine_metres(latitude, longitude, latitude_before, longitude_before):
    half = [F.radians(now - before) / 2 for now, before in ((latitude, latitude_before), (longitude, longitude_before))]
    a = F.pow(F.sin(half[0]), 2) + F.pow(F.sin(half[1]), 2) * F.cos(F.radians(latitude)) * F.cos(F.radians(latitude_before))
    return EARTH_KM * 2 * F.atan2(F.sqrt(a), F.sqrt(1 - a)) * 1000


def moves(spark, source, mode):
    rows = read(spark, source).where(has_place("latitude", "longitude"))
    for name in NEEDED:
        rows = rows.where(F.col(name).isNotNull() & (F.col(name) != "NULL"))
    rows = with_report(rows).withColumn("time", F.to_timestamp("time_received"))
    for name in "latitude", "longitude":
        rows = rows.withColumn(name, F.col(name).cast("float"))
    order = Window.partitionBy("vehicle_id") if mode == "partitioned" else Window.partitionBy()
    order = order.orderBy("vehicle_id", "time_received")
    before = {name: F.coalesce(F.lag(name).over(order), F.lit(0.0).cast("float")) for name in ("latitude", "longitude")}
    rows = rows.withColumns({f"{name}_before": column for name, column in before.items()})
    rows = rows.withColumn("seconds", F.unix_timestamp("time") - F.unix_timestamp(F.lag("time").over(order)))
    far = haversine_metres(*(F.col(name) for name in ("latitude", "longitude", "latitude_before", "longitude_before")))
    unknown = (F.col("latitude_before") == 0) | (F.col("longitude_before") == 0)
    rows = rows.withColumn("distance", F.when(unknown, 0.0).otherwise(far))
    # A vehicle's first report has no speed: there is no time since the one before.
    return rows.withColumn("speed", F.when(F.col("seconds") != 0, F.col("distance") / F.col("seconds")))


def tables(rows):
    key = ["vehicle_id", "report_date", "report_hour"]
    excesses = rows.groupBy(*key, F.window("time", "5 minutes", "1 minute")).agg(
        F.avg("speed").alias("average_speed"), F.min("speed").alias("min_speed"), F.max("speed").alias("max_speed"),
        F.min("latitude").alias("min_latitude"), F.min("longitude").alias("min_longitude"),
        F.max("latitude").alias("max_latitude"), F.max("longitude").alias("max_longitude"), F.count("*").alias("report_count"))
    return {
        "day_summary": rows.groupBy("report_date").agg(
            F.count("*").alias("total_reports"), F.countDistinct("vehicle_id").alias("vehicles_reporting"),
            F.countDistinct("next_scheduled_stop_id").alias("stops_visited"), F.avg("speed").alias("average_speed"),
            F.sum("distance").alias("distance_traveled")),
        "average_speed": rows.groupBy(*key).agg(F.avg("speed").alias("speed")),
        "distance_traveled": rows.groupBy(*key).agg(F.sum("distance").alias("distance")),
        "speed_excesses": excesses.where(F.col("average_speed") > SPEED_LIMIT).drop("window"),
    }


def run(spark, source, target, mode="partitioned"):
    rows = moves(spark, source, mode).cache()
    for name, table in tables(rows).items():
        table.write.mode("overwrite").parquet(f"{target}/{name}")
    rows.unpersist()


if __name__ == "__main__":
    run(SparkSession.builder.appName("mta-stats").getOrCreate(), *sys.argv[1:])

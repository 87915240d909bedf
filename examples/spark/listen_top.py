"""What each user listens to most: spark-submit listen_top.py MIN-USER MAX-USER LOG1 LOG2 OUTPUT

LOG1: userId;region;type;paid. LOG2: hour;userId;songId;genderId;deviceId, where a header may stand in any line. OUTPUT: a
folder that is not there yet, one file with a header. Of genders that are heard equally often the smallest number wins."""
import sys

from pyspark.sql import SparkSession, Window, functions as F


def run(spark, low, high, log1, log2, target):
    users = spark.read.csv(log1, sep=";", header=True, schema="userId int, region int, type int, paid boolean")
    lines = spark.read.text(log2)
    fields = F.split("value", ";")
    plays = lines.where(~F.col("value").startswith("hour;userId;")).select(
        fields[1].cast("int").alias("userId"), fields[2].cast("int").alias("songId"), fields[3].cast("int").alias("genderId"))
    plays = plays.where(F.col("userId").between(int(low), int(high)))
    best_first = Window.partitionBy("userId").orderBy(F.desc("count"), "genderId")
    top = plays.groupBy("userId", "genderId").count().withColumn("place", F.row_number().over(best_first)).where("place = 1")
    songs = plays.groupBy("userId").agg(F.countDistinct("songId").alias("distSongIds"))
    top = top.select("userId", F.col("genderId").alias("topGenderId"), F.col("count").alias("topGenderIdSongs"))
    result = top.join(songs, "userId").join(users, "userId")
    result.coalesce(1).write.csv(target, sep=";", header=True)


if __name__ == "__main__":
    run(SparkSession.builder.appName("listen-top").getOrCreate(), *sys.argv[1:])

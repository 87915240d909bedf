"""Films per year: spark-submit movies_years.py INPUT OUTPUT [YEAR]

INPUT: movies_metadata.csv, whose plots have quotes and line ends in them. OUTPUT/years: year, films, sum of the years, as
JSON lines. OUTPUT/films: id, release_date, title, overview and year of the films of YEAR (2001), as Parquet."""
import sys

from pyspark.sql import SparkSession, functions as F

NO_DATE, NOT_A_DATE = 1800, 1900


def run(spark, source, target, wanted=2001):
    films = spark.read.csv(source, header=True, escape='"', multiLine=True)
    date = F.col("release_date")
    year = F.when(date.isNull() | (date == ""), NO_DATE).when(F.length(date) == 10, F.substring(date, 1, 4).cast("int"))
    films = films.select("id", "release_date", "title", "overview", year.otherwise(NOT_A_DATE).alias("year"))
    years = films.groupBy("year").agg(F.count("*").alias("films"), F.sum("year").alias("sum"))
    years.orderBy("year").coalesce(1).write.mode("overwrite").json(f"{target}/years")
    films.where(F.col("year") == int(wanted)).write.mode("overwrite").parquet(f"{target}/films")


if __name__ == "__main__":
    run(SparkSession.builder.appName("movies-years").getOrCreate(), *sys.argv[1:])

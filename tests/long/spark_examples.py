"""spark_examples.py RESULTS.json EXAMPLES-FOLDER INPUT OUTPUT: runs every program of examples/spark in one session on the data
in INPUT, reads back what it wrote below OUTPUT, and says as JSON what there is in it. Where that lies is not its affair."""
import hashlib
import json
import sys

from pyspark.sql import SparkSession, functions as F

sys.path.insert(0, sys.argv[2])
import listen_top, movies_years, mta_filter, mta_stats, wdi  # noqa: E401, E402


def close(value):
    return value and float(f"{value:.9g}")


def mta_filter_result(spark, into, out):
    mta_filter.run(spark, f"{into}/mta.csv", f"{out}/mta-filter")
    rows = spark.read.csv(f"{out}/mta-filter", sep="\t", header=True)
    hours = {row["report_hour"]: row["count"] for row in rows.groupBy("report_hour").count().collect()}
    return {
        "columns": len(rows.columns), "rows": rows.count(), "hours": len(hours), "first_hour": hours["2014-08-01 04:00:00"],
        "null_distance": rows.where("next_scheduled_stop_distance = 'NULL'").count(),
        "truncated": rows.where("inferred_direction_id is null").count(),
    }


def mta_stats_result(spark, into, out, mode):
    where = f"{out}/mta-stats-{mode}"
    mta_stats.run(spark, f"{into}/mta.csv", where, mode)
    day, speed, excess = (spark.read.parquet(f"{where}/{name}") for name in ("day_summary", "average_speed", "speed_excesses"))
    (row,) = day.collect()
    sums = excess.agg(F.count("*"), F.sum("report_count"), F.sum("average_speed")).first()
    return {
        "total_reports": row.total_reports, "vehicles": row.vehicles_reporting, "stops": row.stops_visited,
        "average_speed": close(row.average_speed), "distance_traveled": close(row.distance_traveled),
        "average_speed_rows": speed.count(), "sum_of_speed": close(speed.agg(F.sum("speed")).first()[0]),
        "distance_rows": spark.read.parquet(f"{where}/distance_traveled").count(),
        "excesses": sums[0], "sum_of_report_count": sums[1], "sum_of_average_speed": close(sums[2]),
    }


def listen_top_result(spark, into, out, low, high):
    where = f"{out}/listen-top-{high}"
    listen_top.run(spark, low, high, f"{into}/log1.csv", f"{into}/log2.csv", where)
    rows = [line.value for line in spark.read.text(where).collect()]
    header = "userId;topGenderId;topGenderIdSongs;distSongIds;region;type;paid"
    assert rows.count(header) == 1
    rows = sorted((row for row in rows if row != header),
                  key=lambda row: (*map(int, row.split(";")[:4]), *row.split(";")[4:]))
    fields = [row.split(";") for row in rows]
    return {
        "rows": len(rows), "sum_of_top": sum(int(row[2]) for row in fields),
        "sum_of_distinct": sum(int(row[3]) for row in fields),
        "digest": hashlib.sha256("".join(row + "\n" for row in rows).encode()).hexdigest()[:16],
    }


def wdi_result(spark, into, out):
    wdi.run(spark, f"{into}/wdi.csv", f"{out}/trusted", f"{out}/refined")
    trusted = spark.read.csv(f"{out}/trusted", header=True, escape='"')
    refined = spark.read.parquet(f"{out}/refined")
    rows = [list(map(str, row)) for row in refined.collect()]
    lines = sorted("\t".join(row).encode() + b"\n" for row in rows)
    total = refined.columns.index("Avg Life expectancy at birth, total (years)")
    below = [float(row[total]) for row in rows if float(row[total]) < 70]
    return {
        "years": trusted.columns[2:], "trusted": trusted.count(), "refined": len(rows),
        "zeros": sum(float(value) == 0 for row in rows for value in row[1:]),
        "below_70": [len(below), below.count(0.0)], "sum_of_total": round(sum(float(row[total]) for row in rows), 4),
        "digest": hashlib.sha256(b"".join(lines)).hexdigest()[:16],
    }


def movies_years_result(spark, into, out):
    movies_years.run(spark, f"{into}/movies.csv", f"{out}/movies")
    years = {row["year"]: (row["films"], row["sum"]) for row in spark.read.json(f"{out}/movies/years").collect()}
    return {"years": len(years), "1800": years[1800][0], "1900": years[1900][0], "2001": list(years[2001]),
            "films": spark.read.parquet(f"{out}/movies/films").count()}


def main(results_file, _, into, out):
    spark = SparkSession.builder.appName("examples").config("spark.sql.session.timeZone", "UTC").getOrCreate()
    results = {
        "mta-filter": mta_filter_result(spark, into, out),
        "mta-stats": mta_stats_result(spark, into, out, "partitioned"),
        "mta-stats-global": mta_stats_result(spark, into, out, "global"),
        "listen-top": listen_top_result(spark, into, out, 1, 49999),
        "listen-top-range": listen_top_result(spark, into, out, 1000, 8000),
        "wdi": wdi_result(spark, into, out),
        "movies-years": movies_years_result(spark, into, out),
    }
    with open(results_file, "w") as file:
        json.dump(results, file)
    spark.stop()


main(*sys.argv[1:])

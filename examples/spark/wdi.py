"""World Development Indicators, from raw to trusted to refined: spark-submit wdi.py RAW TRUSTED REFINED

RAW: the CSV of the World Bank. TRUSTED: six indicators in the last eleven complete years. REFINED: a row per country with
the average of each over the first ten of these years; 0 where one of them is missing."""
import sys

from pyspark.sql import SparkSession, functions as F

INDICATORS = [
    "Life expectancy at birth, female (years)",
    "Life expectancy at birth, male (years)",
    "Life expectancy at birth, total (years)",
    "Mortality rate, adult, female (per 1,000 female adults)",
    "Mortality rate, adult, male (per 1,000 male adults)",
    "Number of infant deaths",
]
YEARS = 11


def clean(spark, raw, trusted):
    rows = spark.read.csv(raw, header=True, escape='"')
    kept = ["Country Name", "Indicator Name", *rows.columns[-1 - YEARS:-1]]
    wanted = rows.select(*(F.col(f"`{name}`") for name in kept)).where(F.col("Indicator Name").isin(INDICATORS))
    wanted.write.mode("overwrite").csv(trusted, header=True, escape='"')


def refine(spark, trusted, refined):
    rows = spark.read.csv(trusted, header=True, escape='"')
    # Decimals: an average of ten is exact, on any machine and in any order.
    years = [F.col(f"`{year}`").cast("decimal(18,3)") for year in rows.columns[2:-1]]
    total = years[0]
    for year in years[1:]:
        total = total + year  # null as soon as one is missing
    average = F.coalesce((total / len(years)).cast("decimal(18,4)"), F.lit(0).cast("decimal(18,4)"))
    by_country = rows.select(F.col("Country Name").alias("Country"), F.concat(F.lit("Avg "), F.col("Indicator Name")).alias("i"),
                             average.alias("average"))
    names = [f"Avg {name}" for name in INDICATORS]
    by_country.groupBy("Country").pivot("i", names).agg(F.first("average")).write.mode("overwrite").parquet(refined)


def run(spark, raw, trusted, refined):
    clean(spark, raw, trusted)
    refine(spark, trusted, refined)


if __name__ == "__main__":
    run(SparkSession.builder.appName("wdi").getOrCreate(), *sys.argv[1:])

#!/usr/bin/python3
"""World Development Indicators, from raw to trusted: country, indicator and the eleven years before the last column, of six
indicators, as CSV with a header, ordered by country. The header is the first line of the part file that has it."""
import csv
import io

from cairn_job import Job

INDICATORS = [
    "Life expectancy at birth, female (years)",
    "Life expectancy at birth, male (years)",
    "Life expectancy at birth, total (years)",
    "Mortality rate, adult, female (per 1,000 female adults)",
    "Mortality rate, adult, male (per 1,000 male adults)",
    "Number of infant deaths",
]
COUNTRY, INDICATOR, YEARS = 0, 2, slice(-12, -1)
COLUMNS_MIN = 4 + 12


def csv_line(row):
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(row)
    return text.getvalue()


class WdiClean(Job):
    csv = True

    def map(self, row):
        self.count("records_in", bool(row))
        if len(row) < COLUMNS_MIN:
            self.count("records_bad{columns}", bool(row))
        elif row[COUNTRY] == "Country Name":
            yield (0,), [row[COUNTRY], row[INDICATOR], *row[YEARS]]
        elif row[INDICATOR] in INDICATORS:
            yield (1, row[COUNTRY], row[INDICATOR]), [row[COUNTRY], row[INDICATOR], *row[YEARS]]

    def reduce(self, key, rows):
        if key == (0,):
            yield csv_line(next(rows)), None
            return
        for row in sorted(rows):
            self.count("records_out")
            yield csv_line(row), None


if __name__ == "__main__":
    WdiClean.main()

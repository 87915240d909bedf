#!/usr/bin/python3
"""World Development Indicators, from trusted to refined: a row per country with the average of each indicator over all years but
the last, 0 where one of them is missing, as CSV with a header. An indicator that a country lacks is an empty field. Of two rows for
the same country and indicator the smaller one counts."""
import os
from decimal import Decimal, InvalidOperation

import wdi_clean
from cairn_job import Job

FIRST_YEAR = 2


class WdiRefine(Job):
    csv = True
    files = (os.path.abspath(wdi_clean.__file__),)

    def map(self, row):
        if len(row) <= FIRST_YEAR + 1 or not row[0]:
            self.count("records_bad{columns}", bool(row))
        elif row[0] == "Country Name":
            yield "", None  # before all countries
        else:
            years = row[FIRST_YEAR:-1]
            try:
                average = sum(map(Decimal, years)) / len(years) if all(years) else Decimal(0)
            except InvalidOperation:
                self.count("records_bad{number}")
                return
            yield row[0], [row[1], f"{average:.4f}"]

    def reduce(self, country, averages):
        if not country:
            yield wdi_clean.csv_line(["Country", *(f"Avg {name}" for name in wdi_clean.INDICATORS)]), None
            return
        of = {}
        for indicator, average in sorted(averages, key=lambda pair: Decimal(pair[1])):
            self.count("records_bad{twice}", indicator in of)
            of.setdefault(indicator, average)
        yield wdi_clean.csv_line([country, *(of.get(name, "") for name in wdi_clean.INDICATORS)]), None


if __name__ == "__main__":
    WdiRefine.main()

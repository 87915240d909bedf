#!/usr/bin/python3
"""How many movies of each year, and the sum of the years: a CSV file with line breaks in quotes, read in blocks.
Without a date a movie counts as of 1800, with another text as of 1900."""
from cairn_job import Job

COLUMNS, ID, OVERVIEW, RELEASE_DATE, TITLE = 24, 5, 9, 14, 20


def year_of(date):
    return 1800 if not date else int(date[:4]) if len(date) == 10 else 1900


class MoviesYears(Job):
    csv = True

    def map(self, row):
        self.count("records_in", row[:1] != ["adult"])
        if len(row) != COLUMNS or row[0] == "adult":
            self.count("records_bad{columns}", len(row) != COLUMNS)
            return
        year = year_of(row[RELEASE_DATE])
        yield year, [1, year]

    def combine(self, year, pairs):
        count = total = 0
        for movies, years in pairs:
            count += movies
            total += years
        yield year, [count, total]

    def reduce(self, year, pairs):
        for _, (count, total) in self.combine(year, pairs):
            yield year, f"{count}\t{total}"


if __name__ == "__main__":
    MoviesYears.main()

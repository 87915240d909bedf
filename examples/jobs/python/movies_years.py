#!/usr/bin/python3
"""How many movies of each year: a CSV file with line breaks in quotes, read in blocks.
Without a date a movie counts as of 1800, with another text as of 1900."""
from cairn_job import Job


class MoviesYears(Job):
    csv = True

    def map(self, row):
        if len(row) != 24 or row[0] == "adult":
            self.count("records_bad{columns}", len(row) != 24)
            return
        date = row[14]
        yield 1800 if not date else int(date[:4]) if len(date) == 10 else 1900, 1

    def reduce(self, year, counts):
        yield year, sum(counts)

    combine = reduce


if __name__ == "__main__":
    MoviesYears.main()

#!/usr/bin/python3
"""The movies of a year (-D movies.year=2001) as JSON lines: id, release_date, title, overview, year."""
import json
import os

import movies_years
from cairn_job import Job


class MoviesOfYear(Job):
    csv = True
    files = (os.path.abspath(movies_years.__file__),)

    def map(self, row):
        if len(row) != movies_years.COLUMNS or row[0] == "adult":
            return
        year = movies_years.year_of(row[movies_years.RELEASE_DATE])
        if year == int(self.setting("movies.year", "2001")):
            yield json.dumps({"id": row[movies_years.ID], "release_date": row[movies_years.RELEASE_DATE], "title": row[movies_years.TITLE],
                              "overview": row[movies_years.OVERVIEW], "year": year}, ensure_ascii=False), None


if __name__ == "__main__":
    MoviesOfYear.main()

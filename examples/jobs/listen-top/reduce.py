#!/usr/bin/python3
"""userId;topGenderId;topGenderIdSongs;distSongIds;region;type;paid per user and log1 row; see map.py.

Of tied genders the smallest wins. Memory: a user's distinct songs."""
import itertools
import os
import sys

HEADER = "userId;topGenderId;topGenderIdSongs;distSongIds;region;type;paid"


def rows():
    for line in sys.stdin:
        yield line.rstrip("\n").split("\t")


def main():
    if os.environ.get("mapreduce_task_partition", "0") == "0":
        print(HEADER)
    for user, group in itertools.groupby(rows(), key=lambda row: row[0]):
        people, songs, top, top_count = [], set(), None, 0
        for (kind, gender), plays in itertools.groupby(group, key=lambda row: (row[1], row[2])):
            if kind == "0":
                people.extend(row[4] for row in plays)
                continue
            count = 0
            for row in plays:
                songs.add(row[3])
                count += int(row[4])
            if count > top_count:
                top, top_count = gender, count
        if top is not None:
            for person in people:
                print(f"{int(user)};{int(top)};{top_count};{len(songs)};{person}")


main()

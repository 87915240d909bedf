#!/usr/bin/python3
"""Both logs of a music service, keyed by user: map.py MIN MAX [skip|fail]

log1 (userId;region;type;paid) gives   user 0 region type paid
log2 (hour;userId;songId;genderId;deviceId) gives   user 1 gender song   for users from MIN to MAX
as tab separated, zero-filled columns; the first four are the key, so a reduce sees a user's log1 rows first and then the
plays ordered by gender and song. Run with
    -D stream.num.map.output.key.fields=4 -partitioner KeyFieldBasedPartitioner -D num.key.fields.for.partition=1
"""
import os
import sys

LOG1_HEADER = "userId;region;type;paid"
LOG2_HEADER = "hour;userId;songId;genderId;deviceId"


def number_or_empty(text):
    try:
        return str(int(text))
    except ValueError:
        return ""


def bad(line, policy):
    if policy == "skip":
        print("reporter:counter:listen-top,records_bad{number},1", file=sys.stderr)
        return
    where = os.environ.get("mapreduce_map_input_file", "stdin"), os.environ.get("mapreduce_map_input_start", "0")
    sys.exit(f"{where[0]}, split at byte {where[1]}: not a line of log2: {line!r}")


def play(line, fields, low, high, policy):
    try:
        int(fields[0].split(" ")[1].split(":")[0])
        user, song, gender = int(fields[1]), int(fields[2]), int(fields[3])
        int(fields[4].split("_")[0])
    except (ValueError, IndexError):
        bad(line, policy)
        return None
    return f"{user:012d}\t1\t{gender:06d}\t{song:012d}\t1\n" if low <= user <= high else None


def user_row(fields):
    try:
        user = int(fields[0])
    except ValueError:
        return None  # joins with nobody
    paid = fields[3] if fields[3] in ("true", "false") else ""
    return f"{user:012d}\t0\t0\t0\t{number_or_empty(fields[1])};{number_or_empty(fields[2])};{paid}\n"


def main():
    low, high = int(sys.argv[1]), int(sys.argv[2])
    policy = sys.argv[3] if len(sys.argv) > 3 else "fail"
    for line in sys.stdin:
        line = line.rstrip("\n")
        if not line or line in (LOG1_HEADER, LOG2_HEADER):
            continue
        fields = line.split(";")
        out = user_row(fields) if len(fields) == 4 else play(line, fields, low, high, policy)
        if out:
            sys.stdout.write(out)


main()

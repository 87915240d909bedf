#!/usr/bin/python3
"""Both logs of a music service, keyed by user: map.py MIN MAX

log1 (userId;region;type;paid), tagged users, gives             user 0 region type paid
log2 (hour;userId;songId;genderId;deviceId), tagged plays:      user 1 gender song   for users from MIN to MAX
as tab separated, zero-filled columns; the first four are the key, so a reduce sees a user's log1 rows first and then the
plays ordered by gender and song. Lines come as offset TAB line (run has the options).
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


def bad(offset, line):
    if os.environ.get("listen_bad_records") != "skip":
        sys.exit(f"{os.environ.get('mapreduce_map_input_file', 'stdin')}, byte {offset}: not a line of log2: {line!r}")
    print("reporter:counter:listen-top,records_bad{number},1", file=sys.stderr)


def play(line, low, high):
    """ValueError: it is none."""
    hour, user, song, gender, device = line.split(";")
    int(hour.partition(" ")[2].partition(":")[0]), int(device.partition("_")[0])
    user, song, gender = int(user), int(song), int(gender)
    return f"{user:012d}\t1\t{gender:06d}\t{song:012d}\t1\n" if low <= user <= high else None


def user_row(line):
    user, region, kind, paid = (line.split(";") + [""] * 4)[:4]
    paid = paid if paid in ("true", "false") else ""
    user = number_or_empty(user)  # without a number it joins with nobody
    return f"{int(user):012d}\t0\t0\t0\t{number_or_empty(region)};{number_or_empty(kind)};{paid}\n" if user else None


def main():
    low, high = int(sys.argv[1]), int(sys.argv[2])
    is_users = os.environ["cairn_map_input_tag"] == "users"
    records = 0
    sys.stdin.reconfigure(errors="surrogateescape", newline="\n")
    for text in sys.stdin:
        offset, _, line = text.rstrip("\n").partition("\t")
        if not line or line in (LOG1_HEADER, LOG2_HEADER):
            continue
        records += 1
        try:
            out = user_row(line) if is_users else play(line, low, high)
        except ValueError:
            bad(offset, line)
            continue
        if out:
            sys.stdout.write(out)
    print(f"reporter:counter:listen-top,records_in,{records}", file=sys.stderr)


main()

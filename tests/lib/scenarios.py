"""The jobs of examples/jobs as their users start them, on generated data, each held against its known results."""
import collections
import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import zlib

from lib import sanitizer
from lib.cluster import ROOT, cairn_path, client_env, run_cairn
from lib.goldens import FILES, LISTEN, MOVIES, MTA, WDI, near
from lib.jobs import GEN, JOBS, PROGRAMS, output

BLOCKS = [65536, 1 << 20, 16 << 20]
REDUCES = [1, 3, 16]
MATRIX = [(block, reduces) for block in BLOCKS for reduces in REDUCES]
DIAGONAL = list(zip(BLOCKS, reversed(REDUCES)))


def environment(cluster):
    """What a user sets once: which cluster, where the command is, and the Python module."""
    return client_env() | {"CAIRN_DIR": cluster.folder, "CAIRN": cairn_path(), "PROGRAMS": PROGRAMS, "PYTHONDONTWRITEBYTECODE": "1",
                           "PYTHONPATH": os.path.join(ROOT, "scheduler", "python")}


def try_example(cluster, script, *args, deadline_s=1800):  # Python in thousands of maps takes its time
    """`examples/jobs/SCRIPT ARGS`; a CompletedProcess."""
    path = os.path.join(JOBS, script)
    command = [sys.executable, path] if path.endswith(".py") else [path]
    return subprocess.run([*command, *map(str, args)], capture_output=True, text=True, env=environment(cluster),
                          timeout=deadline_s * sanitizer.slowness())


def example(cluster, script, *args, **options):
    """One that must succeed; what it printed."""
    done = try_example(cluster, script, *args, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr + done.stdout


def load(cluster, *words, block):
    """The path of a generated file with blocks of that size; its bytes are the known ones."""
    path = f"/data/{'-'.join(map(str, words))}-{block}"
    if cluster.fs("-test", "-e", path).returncode:
        data = subprocess.run([GEN, *map(str, words)], check=True, capture_output=True).stdout
        if words in FILES:
            assert (len(data), hashlib.sha256(data).hexdigest()[:16]) == FILES[words]
        cluster.fs("-mkdir", "-p", "/data", check=True)
        run_cairn("fs", "-fs", cluster.uri, "-D", f"dfs.blocksize={block}", "-put", "-", path, stdin=data, check=True)
    return path


def rows_of(cluster, path, separator="\t"):
    return [line.split(separator) for line in output(cluster, path).decode().split("\n")[:-1]]


def digest(lines):
    return hashlib.sha256("".join(line + "\n" for line in lines).encode()).hexdigest()[:16]


def new_output(cluster, name):
    """A name below /o that nothing has."""
    cluster.outputs = getattr(cluster, "outputs", 0) + 1
    return f"/o/{name}-{cluster.outputs}"


# ---- bus positions ----

def check_mta_filter(cluster, rows, block):
    out, golden = new_output(cluster, "mta-filter"), MTA[rows]
    text = example(cluster, "mta-filter/run", load(cluster, "mta", rows, block=block), out)
    kept = rows_of(cluster, out)
    assert {len(row) for row in kept} == {13}
    assert len(kept) == golden["kept"]
    assert sum(row[4] == "NULL" for row in kept) == golden["null_distance"]
    assert sum(row[4:11] == [""] * 7 for row in kept) == golden["truncated"]
    hours = collections.Counter(row[11] for row in kept)
    assert (len(hours), hours["2014-08-01 04:00:00"]) == (golden["hours"], golden["first_hour"])
    assert f"records_in={golden['records']}\n" in text and f"records_out={golden['kept']}\n" in text
    assert f"records_bad{{coordinate}}={golden['records'] - golden['kept']}\n" in text


def check_mta_hours(cluster, rows, block, reduces):
    out, golden = new_output(cluster, "mta-hours"), MTA[rows]
    example(cluster, "mta-hours/run", load(cluster, "mta", rows, block=block), out, "-numReduceTasks", reduces)
    hours = {hour: int(count) for hour, count in rows_of(cluster, out)}
    assert (len(hours), hours["2014-08-01 04:00:00"], sum(hours.values())) == (golden["hours"], golden["first_hour"], golden["kept"])


def check_mta_tables(tables, rows, mode):
    """tables: {name: rows of texts}."""
    golden, suffix = MTA[rows], " global" if mode == "global" else ""
    ((date, reports, vehicles, stops, speed, distance),) = tables["day_summary"]
    assert (date, int(reports), int(vehicles), int(stops)) == ("2014-08-01", golden["total_reports"], golden["vehicles"], golden["stops"])
    assert float(speed) == near(golden["average_speed" + suffix])
    assert float(distance) == near(golden["distance_traveled" + suffix])
    assert len(tables["average_speed"]) == len(tables["distance_traveled"]) == golden["table_rows"]
    assert sum(float(row[3]) for row in tables["distance_traveled"]) == near(golden["distance_traveled" + suffix])
    excesses = tables["speed_excesses"]
    assert len(excesses) == golden["excesses" + suffix]
    for row in excesses:
        assert float(row[3]) > 11.176 and float(row[4]) <= float(row[3]) <= float(row[5])
        assert float(row[6]) <= float(row[8]) and float(row[7]) <= float(row[9])
    if mode == "partitioned":
        assert sum(float(row[3]) for row in tables["average_speed"]) == near(golden["sum_of_speed"])
        assert sum(int(row[10]) for row in excesses) == golden["sum_of_report_count"]
        assert sum(float(row[3]) for row in excesses) == near(golden["sum_of_average_speed"])


def check_mta_stats(cluster, rows, block, reduces, mode="partitioned"):
    out = new_output(cluster, "mta-stats")
    flags = ["--global"] if mode == "global" else []
    example(cluster, "mta-stats/run", *flags, load(cluster, "mta", rows, block=block), out, "-numReduceTasks", reduces)
    names = cluster.fs("-ls", "-C", out, check=True).stdout.decode().split()
    assert names == [f"{out}/{name}" for name in ("average_speed", "day_summary", "distance_traveled", "speed_excesses")]
    check_mta_tables({name.rpartition("/")[2]: rows_of(cluster, name) for name in names}, rows, mode)
    assert cluster.fs("-ls", "-C", "/tmp", check=True).stdout.decode().count("mta-stats") == 0


TABLES = ["day_summary", "average_speed", "distance_traveled", "speed_excesses"]


def check_five_tables(cluster, database, rows, block):
    """Known results in a database; appended twice they are there twice, replaced they are not."""
    name, path = f"mta_data_{rows}_{block}", load(cluster, "mta", rows, block=block)
    database.sql(f"CREATE DATABASE {name}")

    def write(mode, *flags):
        url = f"{database.uri_of(name)}?mode={mode}"
        example(cluster, "mta-filter/run", path, url)
        example(cluster, "mta-stats/run", *flags, path, url, "-numReduceTasks", 3)

    def counts():
        return {table: int(database.sql(f"SELECT count(*) FROM {table}", name)) for table in [*TABLES, "mta_reports"]}

    def check(mode):
        assert counts()["mta_reports"] == MTA[rows]["kept"]
        check_mta_tables({table: database.rows(table, name) for table in TABLES}, rows, mode)

    write("append")
    check("partitioned")
    once = counts()
    write("append")
    assert counts() == {table: 2 * count for table, count in once.items()}
    write("replace")
    assert counts() == once
    check("partitioned")
    write("replace", "--global")
    check("global")


# ---- what users listen to ----

LISTEN_HEADER = "userId;topGenderId;topGenderIdSongs;distSongIds;region;type;paid"


def listen_rows(cluster, out):
    rows = [row for row in rows_of(cluster, out, ";") if row != LISTEN_HEADER.split(";")]
    return sorted(rows, key=lambda row: (*map(int, row[:4]), *row[4:]))


def check_listen_top(cluster, users, plays, between, block, reduces):
    out, (count, top, distinct, sha) = new_output(cluster, "listen-top"), LISTEN[users, plays][between]
    example(cluster, "listen-top/run", *between, load(cluster, "listen1", users, block=block), load(cluster, "listen2", plays, users, block=block),
            out, "-numReduceTasks", reduces)
    assert output(cluster, out).decode().startswith(LISTEN_HEADER + "\n")
    rows = listen_rows(cluster, out)
    assert (len(rows), sum(int(row[2]) for row in rows), sum(int(row[3]) for row in rows)) == (count, top, distinct)
    assert digest(";".join(row) for row in rows) == sha


# ---- indicators of countries ----

def csv_rows(cluster, out):
    return list(csv.reader(io.StringIO(output(cluster, out).decode(), newline="")))


def check_trusted(rows, golden):
    """Each part file that has the header begins with it."""
    header = ["Country Name", "Indicator Name", *map(str, range(2013, 2024))]
    assert rows.count(header) == 1 and {len(row) for row in rows} == {13}
    assert len(rows) - 1 == golden["trusted"]


def check_refined(rows, golden):
    (header,) = [row for row in rows if row[0] == "Country"]
    assert header[1:] == sorted(header[1:]) and header[3] == "Avg Life expectancy at birth, total (years)"
    rows = [row for row in rows if row != header]
    assert len(rows) == golden["refined"]
    assert sum(value == "0.0000" for row in rows for value in row[1:]) == golden["zeros"]
    below = [row[3] for row in rows if float(row[3]) < 70]
    assert (len(below), below.count("0.0000")) == golden["below_70"]
    assert sum(float(row[3]) for row in rows) == near(golden["sum_of_total"])
    lines = sorted(("\t".join(row) for row in rows), key=str.encode)
    assert lines[0] == golden["first"]
    assert digest(lines) == golden["digest"]


def check_wdi(cluster, count, block, reduces):
    trusted, refined, golden = new_output(cluster, "trusted"), new_output(cluster, "refined"), WDI[count]
    example(cluster, "python/wdi_clean.py", "-input", load(cluster, "wdi", count, block=block), "-output", trusted, "-numReduceTasks", reduces)
    check_trusted(csv_rows(cluster, trusted), golden)
    example(cluster, "python/wdi_refine.py", "-input", trusted, "-output", refined, "-numReduceTasks", reduces)
    check_refined(csv_rows(cluster, refined), golden)


# ---- movies ----

def movies_by_hand(count):
    """Read by one csv.reader from end to end."""
    data = subprocess.run([GEN, "movies", str(count)], check=True, capture_output=True, text=True).stdout
    year = lambda date: 1800 if not date else int(date[:4]) if len(date) == 10 else 1900  # noqa: E731
    return [{"id": row["id"], "release_date": row["release_date"], "title": row["title"], "overview": row["overview"], "year": year(row["release_date"])}
            for row in csv.DictReader(io.StringIO(data, newline=""))]


def check_movies_years(cluster, count, block, reduces):
    out, golden = new_output(cluster, "movies-years"), MOVIES[count]
    example(cluster, "python/movies_years.py", "-input", load(cluster, "movies", count, block=block), "-output", out, "-numReduceTasks", reduces)
    years = {int(year): (int(movies), int(total)) for year, movies, total in rows_of(cluster, out)}
    assert len(years) == golden["years"] and sum(movies for movies, _ in years.values()) == count
    assert all(total == movies * year for year, (movies, total) in years.items())
    assert {year: years[year][0] for year in (1800, 1900, 2001)} == {year: golden[year] for year in (1800, 1900, 2001)}
    assert years[2001][1] == golden["sum of 2001"]


def check_movies_of_year(cluster, count, block, year):
    out = new_output(cluster, "movies-of-year")
    example(cluster, "python/movies_of_year.py", "-D", f"movies.year={year}", "-input", load(cluster, "movies", count, block=block), "-output", out)
    found = [json.loads(line) for line in output(cluster, out).decode().splitlines()]
    assert found == [movie for movie in movies_by_hand(count) if movie["year"] == year]
    assert len(found) == MOVIES[count][year]


# ---- words, matches, sorting, pi ----

def check_wordcount(cluster, path, data, reduces):
    """In awk, Python and C."""
    want = {word.decode(): count for word, count in collections.Counter(data.split()).items()}
    for script, args in (("wordcount/run", [path, "OUT"]), ("python/wordcount.py", ["-input", path, "-output", "OUT"])):
        out = new_output(cluster, "wordcount")
        example(cluster, script, *(out if arg == "OUT" else arg for arg in args), "-numReduceTasks", reduces)
        assert {word: int(count) for word, count in rows_of(cluster, out)} == want
    out = new_output(cluster, "wordcount")
    run_cairn("streaming", "-fs", cluster.uri, "-program", f"{PROGRAMS}/wordcount.so", "-input", path, "-output", out, "-numReduceTasks", reduces, check=True)
    assert {word: int(count) for word, count in rows_of(cluster, out)} == want


def check_grep(cluster, path, data, pattern, reduces):
    out = new_output(cluster, "grep")
    found = subprocess.run(["grep", "-aoE", pattern], input=data, capture_output=True, check=True).stdout.decode().splitlines()
    example(cluster, "grep/run", pattern, path, out, "-numReduceTasks", reduces)
    want = sorted(collections.Counter(found).items(), key=lambda item: (-item[1], item[0].encode()))
    assert rows_of(cluster, out) == [[str(count), match] for match, count in want]


def tera_checksum(data):
    lines = data.split(b"\n")[:-1]
    return f"records\t{len(lines)}\nchecksum\t{sum(map(zlib.crc32, lines)) % 2**64:016x}\n"


def check_terasort(cluster, records, block, reduces):
    path, out = load(cluster, "tera", records, block=block), new_output(cluster, "terasort")
    data = subprocess.run([GEN, "tera", str(records)], check=True, capture_output=True).stdout
    assert len(data) == 100 * records
    example(cluster, "terasort/sort", path, out, "-numReduceTasks", reduces)
    want = subprocess.run(["sort"], input=data, env=os.environ | {"LC_ALL": "C"}, capture_output=True, check=True).stdout
    assert output(cluster, out) == want
    said = example(cluster, "terasort/validate", out, f"{out}-report")
    assert said.endswith(tera_checksum(data))
    parts = cluster.fs("-ls", "-C", f"{out}/part-*", check=True).stdout.split()
    assert len(parts) == reduces
    unsorted = try_example(cluster, "terasort/validate", path, f"{out}-unsorted")
    assert unsorted.returncode == 1 and unsorted.stdout.endswith(tera_checksum(data)) and "error\t" in unsorted.stdout


_MASK = 2**64 - 1


def mix(x):
    z = x + 0x9E3779B97F4A7C15 & _MASK
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & _MASK
    return z ^ z >> 31


def hash_of(seed, stream, index):
    return mix(mix(mix(seed) + stream & _MASK) + index & _MASK)


def check_pi(cluster, maps, samples, reduces=1):
    out = new_output(cluster, "pi")
    example(cluster, "pi/run", maps, samples, out, "-numReduceTasks", reduces)
    number = lambda *of: (hash_of(*of) >> 11) / 2**53  # noqa: E731
    inside = sum(number(seed, 1, i) ** 2 + number(seed, 2, i) ** 2 < 1 for seed in range(1, maps + 1) for i in range(samples))
    assert rows_of(cluster, out) == [["pi", f"{4 * inside / (maps * samples):.10f}", str(inside), str(maps * samples)]]

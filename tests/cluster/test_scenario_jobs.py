"""The jobs of examples/jobs: known results for all block sizes and numbers of reduces, and what their input can be like at its
edges. The large ones of these are in tests/long and tests/soak."""
import hashlib
import re

import pytest

from lib.goldens import FILES, LISTEN
from lib.jobs import generate, output, put, running
from lib.scenarios import (BLOCKS, DIAGONAL, MATRIX, check_grep, check_listen_top, check_movies_of_year, check_movies_years, check_mta_filter,
                           check_mta_hours, check_mta_stats, check_pi, check_terasort, check_wdi, check_wordcount, csv_rows, example, hash_of,
                           listen_rows, load, rows_of, try_example)

LARGE = 10**5  # rows; those are made elsewhere
SOME = [*DIAGONAL, (1 << 20, 1), (16 << 20, 16)]  # of the matrix, where a map takes its time to start


@pytest.mark.parametrize("words", [words for words in FILES if words[1] < LARGE])
def test_generators_give_the_known_bytes(words):
    data = generate(*words)
    assert (len(data), hashlib.sha256(data).hexdigest()[:16]) == FILES[words]


def test_hash_of_the_generators():
    """The numbers that their description gives."""
    assert (hash_of(42, 1, 0), hash_of(42, 5, 7)) == (0x2CE02C4EE4D2EA09, 0xDEE5E968F132E638)


def test_records_of_the_sort_benchmark():
    """From their description: any part of them can be made on its own."""
    def record(i):
        key = b"".join(bytes(32 + hash_of(42, stream, i) // 95**at % 95 for at in range(5)) for stream in (1, 2))
        return key + b"  %032X  " % i + bytes(65 + (i + at) % 26 for at in range(53)) + b"\n"

    assert generate("tera", 40) == b"".join(map(record, range(40)))
    assert generate("tera", 5, 10**12) == b"".join(map(record, range(10**12, 10**12 + 5)))


# ---- known results ----

@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("rows", [1000, 10000])
def test_mta_filter(running, rows, block):
    check_mta_filter(running, rows, block)


@pytest.mark.parametrize("block, reduces", MATRIX)
def test_mta_hours(running, block, reduces):
    check_mta_hours(running, 10000, block, reduces)


def test_mta_of_a_thousand(running):
    check_mta_hours(running, 1000, 65536, 3)
    for mode in "partitioned", "global":
        check_mta_stats(running, 1000, 65536, 3, mode)


@pytest.mark.parametrize("block, reduces", MATRIX)
def test_mta_stats(running, block, reduces):
    check_mta_stats(running, 10000, block, reduces)


@pytest.mark.parametrize("block, reduces", DIAGONAL)
def test_mta_stats_over_all_vehicles(running, block, reduces):
    check_mta_stats(running, 10000, block, reduces, "global")


@pytest.mark.parametrize("block, reduces", SOME)
def test_listen_top(running, block, reduces):
    for between in LISTEN[5000, 200000]:
        check_listen_top(running, 5000, 200000, between, block, reduces)


@pytest.mark.parametrize("block, reduces", SOME)
def test_wdi(running, block, reduces):
    check_wdi(running, 2660, block, reduces)


@pytest.mark.parametrize("block, reduces", SOME)
def test_movies_years(running, block, reduces):
    check_movies_years(running, 10000, block, reduces)


@pytest.mark.parametrize("block, year", zip(BLOCKS, (1800, 1900, 2001)))
def test_movies_of_a_year(running, block, year):
    check_movies_of_year(running, 10000, block, year)


@pytest.mark.parametrize("block, reduces", DIAGONAL)
def test_words_matches_and_order(running, block, reduces):
    path, data = load(running, "movies", 1000, block=block), generate("movies", 1000)
    check_wordcount(running, path, data, reduces)
    check_grep(running, path, data, "Movie [0-9]+[05]|hello", reduces)
    check_terasort(running, 20000, block, reduces)


def test_grep_without_a_match(running):
    example(running, "grep/run", "no such thing", load(running, "movies", 1000, block=65536), "/o/no-match")
    assert output(running, "/o/no-match") == b""


@pytest.mark.parametrize("maps, samples", [(3, 10000), (16, 500)])
def test_pi(running, maps, samples):
    check_pi(running, maps, samples)


# ---- edges of mta-filter ----

HEADER = "\t".join(["latitude", "longitude", "time_received", "vehicle_id", "distance_along_trip", "inferred_direction_id", "inferred_phase",
                    "inferred_route_id", "inferred_trip_id", "next_scheduled_stop_distance", "next_scheduled_stop_id"])


def line(latitude="40.6", longitude="-73.9", route="MTA B1", last="S1"):
    return "\t".join([latitude, longitude, "2014-08-01 04:59:59", "1000", "1.5", "0", "IN_PROGRESS", route, "T", "2.5", last])


def kept(*fields):
    fields = [*fields, *[""] * 11][:11]
    return "\t".join([*fields, "2014-08-01 04:00:00", "2014-08-01"])


def kept_line(**changes):
    return kept(*line(**changes).split("\t"))


LONG = "long \u00fc " * 300  # longer than the smaller blocks
EDGES = {  # lines, what is kept of them, bad ones
    "header only": ([], [], 0),
    "no newline at the end": ([line(), line(last="last")], [kept_line(), kept_line(last="last")], 0),
    "greatest and least coordinates": (
        [line("90"), line("-90"), line(longitude="180"), line(longitude="-180")],
        [kept_line(latitude="90"), kept_line(latitude="-90"), kept_line(longitude="180"), kept_line(longitude="-180")], 0),
    "beyond them": ([line("90.000001"), line("-90.000001"), line(longitude="180.000001")], [], 3),
    "one coordinate is zero": ([line("0"), line(longitude="0")], [kept_line(latitude="0"), kept_line(longitude="0")], 0),
    "both are": ([line("0.000000", "0.000000"), line("0", "0"), line("-0.0", "0")], [], 3),
    "coordinates that are none": ([line("NULL"), line(""), line(longitude="abc"), line("40.6x")], [], 4),
    "four fields": ([line().rsplit("\t", 7)[0]], [kept(*line().split("\t")[:4])], 0),
    "twelve fields": ([line() + "\textra"], [kept_line()], 0),
    "CRLF": ([line() + "\r", line(last="S2") + "\r"], [kept_line(), kept_line(last="S2")], 0),
    "a line longer than a block": ([line(), line(route=LONG), line()], [kept_line(), kept_line(route=LONG), kept_line()], 0),
    "UTF-8": ([line(route="MTA \u00fc\u2192\U0001f68c")], [kept_line(route="MTA \u00fc\u2192\U0001f68c")], 0),
    "empty lines": (["", line(), "", "\r"], [kept_line()], 0),
}


@pytest.mark.parametrize("block", [64, 1024, 1 << 20])
@pytest.mark.parametrize("edge", EDGES)
def test_mta_filter_at_its_edges(running, edge, block):
    lines, want, bad = EDGES[edge]
    path, out = f"/edges/{edge.replace(' ', '-')}", f"/o/edges/{edge.replace(' ', '-')}-{block}"
    put(running, path, ("\n".join([HEADER, *lines]) + ("\n" if edge != "no newline at the end" else "")).encode(), block)
    text = example(running, "mta-filter/run", path, out)
    assert output(running, out).decode().split("\n")[:-1] == want
    counted = {name: int(count) for name, count in re.findall(r"\t\t(records_.*)=(\d+)\n", text)}
    expected = {"records_in": len(want) + bad, "records_out": len(want), "records_bad{coordinate}": bad, "records_long": int(edge == "twelve fields")}
    assert counted == {name: count for name, count in expected.items() if count}


@pytest.mark.parametrize("split", [33, 100])
def test_all_edges_in_one_file_at_any_split(running, split):
    data = "\n".join([HEADER, *(one for lines, _, _ in EDGES.values() for one in lines)]).encode()
    put(running, "/edges/all", data, 512)
    example(running, "mta-filter/run", "/edges/all", f"/o/edges-all-{split}", "-D", f"mapreduce.input.fileinputformat.split.maxsize={split}")
    assert output(running, f"/o/edges-all-{split}").decode().split("\n")[:-1] == [row for _, rows, _ in EDGES.values() for row in rows]


def test_mta_stats_of_two_vehicles_by_hand(running):
    """A vehicle's second report is a degree, then a minute, after its first; the sums are those of a pocket calculator."""
    def report(vehicle, time, latitude, stop):
        return "\t".join([latitude, "1.0", f"2014-08-01 {time}", vehicle, "1", "0", "P", "R", "T", "1", stop])

    degree = 6371000 * 3.141592653589793 / 180
    lines = [report("2", "05:01:00", "1.0", "A"), report("1", "04:00:00", "10.0", "A"), report("1", "04:01:00", "11.0", "B"),
             report("2", "05:00:00", "2.0", "C"), report("1", "04:02:00", "NULL", "D")]
    put(running, "/stats/two", "\n".join([HEADER, *lines]).encode())
    example(running, "mta-stats/run", "/stats/two", "/o/stats-two", "-numReduceTasks", 2)
    speeds = {(row[0], row[2]): float(row[3]) for row in rows_of(running, "/o/stats-two/average_speed")}
    assert speeds == pytest.approx({("1", "2014-08-01 04:00:00"): degree / 60, ("2", "2014-08-01 05:00:00"): degree / 60}, rel=1e-9)
    ((_, reports, vehicles, stops, speed, distance),) = rows_of(running, "/o/stats-two/day_summary")
    assert (reports, vehicles, stops) == ("4", "2", "3")
    assert (float(speed), float(distance)) == (pytest.approx(degree / 60, rel=1e-9), pytest.approx(2 * degree, rel=1e-9))
    # Windows that have the second report, five for each; four of them have the first, too.
    excesses = sorted((row[0], row[10], row[6], row[8]) for row in rows_of(running, "/o/stats-two/speed_excesses"))
    assert excesses == [("1", "1", "11.0", "11.0")] + [("1", "2", "10.0", "11.0")] * 4 + [("2", "1", "1.0", "1.0")] + [("2", "2", "1.0", "2.0")] * 4
    # In the order of all vehicles, the first report of 2 is 58 minutes and 9 degrees after the last one of 1.
    example(running, "mta-stats/run", "--global", "/stats/two", "/o/stats-global", "-numReduceTasks", 2)
    ((_, _, _, _, speed, distance),) = rows_of(running, "/o/stats-global/day_summary")
    assert float(distance) == pytest.approx(11 * degree, rel=1e-9)
    assert float(speed) == pytest.approx((2 * degree / 60 + 9 * degree / 3540) / 3, rel=1e-9)


def test_mta_stats_of_least_coordinates_and_long_lines(running):
    """Of two negative longitudes the lesser number; with compat, as the application this one stands for, the lesser text."""
    lines = [line(longitude="-73.9").replace("04:59:59", "04:00:00"), line(longitude="-74.1", route="R" * 10000).replace("04:59:59", "04:01:00")]
    put(running, "/stats/least", "\n".join([HEADER, *lines, ""]).encode(), 1024)
    for number, (options, least, greatest) in enumerate((([], "-74.1", "-73.9"), (["-D", "mta.compat=true"], "-73.9", "-74.1"))):
        example(running, "mta-stats/run", "/stats/least", f"/o/stats-least-{number}", *options)
        rows = rows_of(running, f"/o/stats-least-{number}/speed_excesses")
        assert sorted((row[7], row[9], row[10]) for row in rows) == sorted([(least, greatest, "2")] * 4 + [("-74.1", "-74.1", "1")])


# ---- edges of listen-top ----

LOG1_HEADER, LOG2_HEADER = "userId;region;type;paid", "hour;userId;songId;genderId;deviceId"


def listen(running, log1, log2, *args, low=1, high=49999, name):
    put(running, f"/listen/{name}/1", "\n".join([LOG1_HEADER, *log1, ""]).encode())
    put(running, f"/listen/{name}/2", "\n".join([LOG2_HEADER, *log2, ""]).encode(), 64)
    return try_example(running, "listen-top/run", low, high, f"/listen/{name}/1", f"/listen/{name}/2", f"/o/listen-{name}", *args)


def check_listen(running, *args, want, **options):
    done = listen(running, *args, **options)
    assert done.returncode == 0, done.stderr
    assert [";".join(row) for row in listen_rows(running, f"/o/listen-{options['name']}")] == want


def play(user, song=1, gender=1):
    return f"18-10-2017 00:00:25;{user};{song};{gender};1_{user}"


def test_listen_top_of_six_users(running):
    plays = [play(27103, 231990117, 23), play(4052, 231990117, 22), play(4052, 231990118, 27), play(27103, 231990118, 16), play(12832, 231990117, 15),
             play(36462, 231990119, 28), play(74637, 231990117, 1), play(55466, 231990117, 1), play(74637, 231990118, 2)]
    users = ["4052;1;2;false", "12832;0;1;true", "27103;0;0;true", "36462;1;0;true", "74637;1;1;true"]
    check_listen(running, users, plays, name="six", want=["4052;22;1;2;1;2;false", "12832;15;1;1;0;1;true", "27103;16;1;2;0;0;true", "36462;28;1;1;1;0;true"])


def test_listen_top_at_its_edges(running):
    users = ["1;0;0;true", "3;x;;maybe", "3;1;1;true", "5;0;0;true", "no number;1;1;true"]
    check_listen(running, users, [], name="empty", want=[])
    check_listen(running, users, [play(1)], low=5, high=1, name="no-range", want=[])
    # 1: no play; 7: no user; 3 twice, once with fields that are none; a header in the middle
    check_listen(running, users, [play(7), play(3, 10, 4), LOG2_HEADER, play(3, 11, 4), play(3, 10, 2)], name="joins",
                 want=["3;4;2;2;1;1;true", "3;4;2;2;;;"][::-1])


def test_listen_top_with_a_line_that_is_none(running):
    plays = [play(1), "18-10-2017 00:00:25;x1;1;1;1_1", play(1)]
    failed = listen(running, ["1;0;0;true"], plays, "-D", "mapreduce.map.maxattempts=1", name="bad")
    assert failed.returncode == 1
    offset = len(f"{LOG2_HEADER}\n{plays[0]}\n")
    assert f"/listen/bad/2, byte {offset}: not a line of log2: '18-10-2017 00:00:25;x1;1;1;1_1'" in failed.stderr
    assert running.fs("-test", "-e", "/o/listen-bad").returncode == 1
    skipped = listen(running, ["1;0;0;true"], plays, "-D", "listen.bad-records=skip", name="skip")
    assert skipped.returncode == 0 and "records_bad{number}=1\n" in skipped.stderr
    assert [";".join(row) for row in listen_rows(running, "/o/listen-skip")] == ["1;1;2;1;0;0;true"]


# ---- edges of wdi ----

LIFE = [f"Life expectancy at birth, {who} (years)" for who in ("female", "male", "total")]
DEATHS = "Number of infant deaths"


def indicator(country, name, values, end=""):
    """A row of 2012 to 2024; values for 2013 to 2023."""
    quoted = lambda text: '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text  # noqa: E731
    return ",".join([quoted(country), "CCC", quoted(name), "I.X", "7", *values]) + end


def wdi(running, name, rows, last="2024", bom=b"", block=1024):
    header = ",".join(["Country Name,Country Code,Indicator Name,Indicator Code", *map(str, range(2012, 2024)), last])
    put(running, f"/wdi/{name}", bom + "\n".join([header, *rows, ""]).encode(), block)
    example(running, "python/wdi_clean.py", "-input", f"/wdi/{name}", "-output", f"/o/trusted-{name}", "-numReduceTasks", 2)
    example(running, "python/wdi_refine.py", "-input", f"/o/trusted-{name}", "-output", f"/o/refined-{name}")
    trusted = csv_rows(running, f"/o/trusted-{name}")
    assert trusted.count(["Country Name", "Indicator Name", *map(str, range(2013, 2024))]) == 1
    header, *refined = csv_rows(running, f"/o/refined-{name}")
    assert header[0] == "Country"
    return len(trusted) - 1, {row[0]: dict(zip(header[1:], row[1:])) for row in refined}


EIGHTY = ["80"] * 10 + ["1000"]  # the last year does not count


@pytest.mark.parametrize("name, end, last, bom", [("plain", ",5", "2024", b""), ("comma", ",", "", b""), ("bom", ",5", "2024", b"\xef\xbb\xbf")])
def test_wdi_at_its_edges(running, name, end, last, bom):
    nicknamed = 'Land "of the Free", The'
    rows = [indicator("Aland", LIFE[2], EIGHTY, end), indicator("Aland", "Something else", EIGHTY, end), indicator("Aland", DEATHS, ["1", ""] + EIGHTY[2:], end),
            indicator(nicknamed, LIFE[2], ["0.123"] + ["0"] * 10, end), indicator("Aland", LIFE[0], ["60.5"] * 11, end),
            indicator("Aland", LIFE[0], ["70.25"] * 11, end)]
    trusted, refined = wdi(running, name, rows, last, bom)
    assert trusted == 5
    assert list(refined) == ["Aland", nicknamed]
    aland, other = refined["Aland"], refined[nicknamed]
    assert aland[f"Avg {LIFE[2]}"] == "80.0000"
    assert aland[f"Avg {DEATHS}"] == "0.0000", "a year is missing"
    assert aland[f"Avg {LIFE[1]}"] == "", "the country has no such row"
    assert aland[f"Avg {LIFE[0]}"] == "60.5000", "of two rows the smaller one"
    assert other[f"Avg {LIFE[2]}"] == "0.0123" and other[f"Avg {DEATHS}"] == ""

"""Known results of the example jobs on generated data (seed 42), from programs of other hands. Numbers that are not whole are
texts: the last digit is rounded."""
import pytest


def near(golden):
    """Equal to 1e-9, or to what the golden's last digit leaves open."""
    return pytest.approx(float(golden), rel=1e-9, abs=0.6 * 10.0 ** -len(golden.partition(".")[2]))


FILES = {  # words of the generator: size, beginning of the SHA-256
    ("mta", 1000): (139814, "3fc1d43328f6174a"),
    ("mta", 10000): (1398924, "3b0580f722827e31"),
    ("mta", 100000): (14226588, "5690356b0dd2d622"),
    ("mta", 1000000): (143366281, "98a4766a9f989235"),
    ("listen1", 5000): (72497, "8b1a10c999c1a839"),
    ("listen1", 100000): (1604571, "7f8bb40e1cfa4d38"),
    ("listen2", 200000, 5000): (8842321, "37c01e6b706aea07"),
    ("listen2", 2000000, 100000): (93672059, "28ee61e048e37f0d"),
    ("wdi", 2660): (1212365, "ef2e18745b1d849f"),
    ("wdi", 266000): (144944688, "d7850d37b9892b6b"),
    ("movies", 10000): (1976519, "681cf8e99a7201af"),
    ("movies", 45466): (9098627, "2c303226686fdafb"),
}

_MTA = [  # a column per number of rows
    ("rows", 1000, 10000, 100000, 1000000),
    ("records", 1000, 9991, 99913, 999022),
    ("kept", 996, 9953, 99493, 995072),
    ("null_distance", 11, 114, 1015, 10036),
    ("truncated", 3, 10, 86, 936),
    ("hours", 2, 9, 9, 9),
    ("first_hour", 598, 1192, 11946, 119395),
    ("total_reports", 982, 9829, 98392, 984100),
    ("vehicles", 5, 10, 100, 1000),
    ("stops", 105, 210, 1890, 1890),
    ("average_speed", "4.806186568", "5.329567196", "5.797569365", "5.762632939"),
    ("distance_traveled", "137024.3554", "1523319.0918", "16601839.1803", "165006776.9024"),
    ("average_speed global", "4.768148689", "5.324093435", "5.791021519", "5.756072312"),
    ("distance_traveled global", "244937.5602", "1698028.3875", "18708373.3691", "185968205.5463"),
    ("table_rows", 10, 90, 900, 9000),
    ("sum_of_speed", "47.988002", "478.450222", "5215.433798", "51863.532927"),
    ("excesses", 0, 536, 5359, 53582),
    ("sum_of_report_count", 0, 4940, 49225, 491853),
    ("sum_of_average_speed", "0", "8815.2081", "96870.5393", "1007312.9324"),
    ("excesses global", 0, 535, 5350, 53491),
]
MTA = {rows: {name: values[column] for name, *values in _MTA} for column, rows in enumerate(_MTA[0][1:])}

LISTEN = {  # users, plays: {range: rows, sum of top, sum of distinct songs, digest}
    (5000, 200000): {(1, 49999): (4879, 86175, 199715, "a30eca6d996dc0b7"), (1000, 8000): (3500, 55548, 129393, "cae8f724ea963ed6")},
    (100000, 2000000): {(1, 49999): (25013, 512772, 1191365, "83ede09e3f4bd0d1"), (1000, 80000): (39511, 631850, 1467983, "f29529af28d8fbb9")},
}

WDI = {
    2660: {"trusted": 1596, "refined": 266, "zeros": 147, "below_70": (179, 23), "sum_of_total": "16066.3043", "digest": "92eddc39f891bbc4",
           "first": "Bahamas, The\t57.3609\t77.7369\t59.2501\t244.1593\t318.5400\t49023.0000"},
    266000: {"trusted": 1596, "refined": 266, "zeros": 145, "below_70": (170, 26), "sum_of_total": "16000.9999", "digest": "eb0efcc633744015",
             "first": "Bahamas, The\t54.4677\t67.7870\t73.0180\t146.4770\t200.2501\t28376.5000"},
}

MOVIES = {
    10000: {1800: 23, 1900: 9, 2001: 125, "years": 72, "sum of 2001": 250125},
    45466: {1800: 109, 1900: 42, 2001: 642, "years": 72, "sum of 2001": 1284642},
}

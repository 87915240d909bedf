"""Jobs written with cairn_job: the same result here and on the cluster."""
import os
import subprocess
import sys

from lib.cluster import ROOT, cairn_path, client_env
from lib.jobs import counter, generate, output, put, running

EXAMPLES = os.path.join(ROOT, "examples", "jobs", "python")
WORDS = "".join(f"w{i % 97} größe\tcommon w{i % 11}\n" for i in range(3000)).encode()


def python(script, *args, stdin=None):
    environment = client_env() | {"CAIRN": cairn_path(), "PYTHONPATH": os.path.join(ROOT, "scheduler", "python"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, str(script), *map(str, args)], input=stdin, capture_output=True, env=environment, timeout=120)


def both(cluster, script, data, tmp_path, *args, name, block_bytes=65536):
    """The job's output here and on the cluster, each as its sorted lines."""
    (tmp_path / "in").write_bytes(data)
    put(cluster, f"/py/{name}", data, block_bytes)
    local = python(script, "--local", tmp_path / "in")
    assert local.returncode == 0, local.stderr
    done = python(script, "-fs", cluster.uri, *args, "-input", f"/py/{name}", "-output", f"/o/{name}")
    assert done.returncode == 0, done.stderr.decode()
    return sorted(local.stdout.splitlines()), sorted(output(cluster, f"/o/{name}").splitlines()), local.stderr.decode(), done.stderr.decode()


def test_word_count(running, tmp_path):
    here, there, _, text = both(running, f"{EXAMPLES}/wordcount.py", WORDS, tmp_path, "-numReduceTasks", 2, name="words")
    assert here == there and "größe\t3000".encode() in here and len(here) == 97 + 2
    assert counter(text, "Combine input records") == 12000


def test_csv_with_line_breaks(running, tmp_path):
    here, there, _, _ = both(running, f"{EXAMPLES}/movies_years.py", generate("movies", 10000), tmp_path, name="movies")
    years = {year: (count, total) for year, count, total in (map(int, line.split()) for line in there)}
    assert here == there and (years[1800][0], years[1900][0], years[2001], len(years)) == (23, 9, (125, 250125), 72)


def test_keys_values_counters_and_settings(running, tmp_path):
    script = tmp_path / "job.py"
    script.write_text(r'''
from cairn_job import Job

class Pairs(Job):
    options = ["-D", "my.factor=3"]

    def setup(self):
        self.seen = 0

    def map(self, line):
        self.seen += 1
        self.count("lines")
        a, b = line.split(" ")
        yield (a, None, "tab\tand\nbreak"), {"b": b, "n": [1.5, True]}

    def map_end(self):
        yield ("seen", None, ""), {"b": str(self.seen), "n": []}

    def reduce(self, key, values):
        assert isinstance(key, tuple)
        yield key[0], sum(int(v["b"]) for v in values) * int(self.setting("my.factor", "3"))

if __name__ == "__main__":
    Pairs.main()
''')
    data = b"x 1\ny 2\nx 40\n"
    here, there, local_log, text = both(running, script, data, tmp_path, name="pairs", block_bytes=1 << 20)
    assert here == there == [b"seen\t9", b"x\t123", b"y\t6"]
    assert counter(text, "lines") == 3 and "reporter:counter:Job,lines,3" in local_log


def test_line_ends_and_byte_order_mark(running, tmp_path):
    script = tmp_path / "lines.py"
    script.write_text("from cairn_job import Job\n\n\nclass Lines(Job):\n    def map(self, line):\n        yield ascii(line), None\n\n\nLines.main()\n")
    data = b"\xef\xbb\xbfone\r\ntwo\rthree\n\r\nfour\x0b\xe2\x80\xa8\x85\xff"
    here, there, _, _ = both(running, script, data, tmp_path, name="ends")
    assert here == there == sorted([b"'one'", b"'two'", b"'three'", b"''", rb"'four\x0b\u2028\udc85\udcff'"])


def test_large_field_of_csv(running, tmp_path):
    script = tmp_path / "large.py"
    script.write_text("from cairn_job import Job\n\n\nclass Large(Job):\n    csv = True\n\n    def map(self, fields):\n"
                      "        yield fields[0], len(fields[1])\n\n\nLarge.main()\n")
    data = b'\xef\xbb\xbfa,"' + b"x\r\n" * 100000 + b'"\nb,y\n'
    here, there, _, _ = both(running, script, data, tmp_path, name="large")
    assert here == there == [b"a\t300000", b"b\t1"]


def test_map_only_bytes_that_are_no_text_and_failures(running, tmp_path):
    script = tmp_path / "upper.py"
    script.write_text('''
from cairn_job import Job

class Upper(Job):
    def map(self, line):
        if line == "fail":
            raise ValueError("this line is wrong")
        yield line.upper(), None

if __name__ == "__main__":
    Upper.main()
''')
    here, there, _, _ = both(running, script, b"abc\n\xff\xfe raw\n", tmp_path, name="upper")
    assert here == there == [b"ABC", b"\xff\xfe RAW"]
    put(running, "/py/fail", b"fail\n")
    done = python(script, "-fs", running.uri, "-D", "mapreduce.map.maxattempts=1", "-input", "/py/fail", "-output", "/o/pyfail")
    assert done.returncode == 1 and b"this line is wrong" in done.stderr
    assert python(script, "--local", stdin=b"fail\n").returncode != 0

"""The recurring pipeline of examples/pipelines/wdi, its source, and those who read its zones meanwhile."""
import configparser
import csv
import http.server
import io
import os
import subprocess
import sys
import threading
import zipfile
from decimal import Decimal

from lib import sanitizer
from lib.cluster import ROOT, cairn_path
from lib.libhdfs import Hdfs
from lib.scenarios import environment

SCRIPT = os.path.join(ROOT, "examples", "pipelines", "wdi", "pipeline.py")
RAW, TRUSTED, REFINED = "/datalake/raw/OpenBank/world_development_indicator", "/datalake/trusted", "/datalake/refined"
SIDE_FILES = ["WDICountry.csv", "WDIfootnote.csv", "WDI series time.csv"]


def zip_of(data):
    """The CSV and three small ones beside it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("WDICSV.csv"), data, zipfile.ZIP_DEFLATED)
        for name in SIDE_FILES:
            archive.writestr(zipfile.ZipInfo(name), f"{name}\n1\n")
    return out.getvalue()


class Source:
    """An HTTP server with one file, whatever is asked for. `held`: answers wait for it to be clear."""

    def __init__(self, content):
        self.content, self.cut, self.asked, self.may_answer = content, None, threading.Event(), threading.Event()
        self.may_answer.set()
        source = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                source.asked.set()
                source.may_answer.wait(60)
                self.send_response(200 if source.content else 404)
                self.send_header("Content-Length", str(len(source.content or b"")))
                self.end_headers()
                self.wfile.write((source.content or b"")[: source.cut])

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.may_answer.set()
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}/WDI_CSV.zip"


class Pipeline:
    """One that is set up for a cluster and a source; what it keeps here is in a folder."""

    def __init__(self, cluster, source, folder, trusted=TRUSTED):
        self.cluster, self.log, self.settings = cluster, os.path.join(folder, "log"), os.path.join(folder, "settings.ini")
        settings = configparser.ConfigParser(interpolation=None)
        settings.optionxform = str
        settings.read_dict({
            "source": {"url": source.url, "timeout_s": "30"},
            "zones": {"raw": RAW, "trusted": trusted, "refined": REFINED},
            "here": {"lock": os.path.join(folder, "lock"), "log": self.log},
            "environment": {"CAIRN": cairn_path(), "CAIRN_DIR": cluster.folder, "PYTHONDONTWRITEBYTECODE": "1"}})
        with open(self.settings, "w") as file:
            settings.write(file)

    def start(self):
        env = {name: value for name, value in environment(self.cluster).items() if name not in ("CAIRN", "CAIRN_DIR", "PYTHONPATH")}
        return subprocess.Popen([sys.executable, SCRIPT, self.settings], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self):
        """Exit status and what was printed."""
        process = self.start()
        said = process.communicate(timeout=120 * sanitizer.slowness())[0]
        return process.returncode, said

    def must_run(self):
        status, said = self.run()
        assert status == 0 and not said, f"exit status {status}: {said}"

    def logged(self):
        with open(self.log) as file:
            return file.read()

    def listing(self):
        """Of all zones: paths, sizes, times."""
        return self.cluster.fs("-ls", "-R", "/datalake").stdout.decode()

    def versions(self):
        names = self.cluster.fs("-ls", "-C", RAW, check=True).stdout.decode().split("\n")
        return [name.rpartition("/")[2] for name in names if name and not name.endswith("/latest")]


# ---- what must come of it, computed in another way ----

INDICATORS = [*(f"Life expectancy at birth, {who} (years)" for who in ("female", "male", "total")),
              *(f"Mortality rate, adult, {who} (per 1,000 {who} adults)" for who in ("female", "male")), "Number of infant deaths"]


def _text(rows):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def zones_of(data):
    """The bytes of trusted and refined for a CSV in which no country has an indicator twice."""
    header, *rows = csv.reader(io.StringIO(data.decode(), newline=""))
    picked = {(row[0], row[2]): row[header.index("2013"):header.index("2024")] for row in rows if row[2] in INDICATORS}
    countries = sorted({country for country, _ in picked})
    trusted = [["Country Name", "Indicator Name", *map(str, range(2013, 2024))], *([*key, *values] for key, values in sorted(picked.items()))]

    def average(country, name):
        years = picked[country, name][:10]
        return f"{sum(map(Decimal, years)) / 10:.4f}" if all(years) else "0.0000"

    refined = [["Country", *(f"Avg {name}" for name in INDICATORS)], *([country, *(average(country, name) for name in INDICATORS)] for country in countries)]
    return _text(trusted), _text(refined)


# ---- readers ----

class ZoneReader(threading.Thread):
    """Reads a zone over and over: which files there are, and the one with the rows. What it saw that must not be is in `wrong`."""

    def __init__(self, name, look, allowed):
        super().__init__()
        self.name_of_zone, self.look, self.allowed = name, look, allowed
        self.looks, self.changes, self.wrong, self.left = 0, 0, [], threading.Event()

    def run(self):
        last = None
        while not self.left.is_set() and not self.wrong:
            try:
                names, text = self.look()
            except Exception as error:  # whatever it is, no reader should have met it
                names, text = None, f"error: {error!r}"
            if names != ["_SUCCESS", "part-00000"] or text not in self.allowed:
                self.wrong.append((names, text[:200]))
            self.looks += 1
            self.changes += last is not None and text != last
            last = text

    def end(self):
        self.left.set()
        self.join()


def by_client(cluster, path):
    file_system = Hdfs(cluster.uri)

    def look():
        names = sorted(os.path.basename(info["name"].decode()) for info in file_system.ls(path))
        return names, file_system.get(f"{path}/part-00000").decode()

    return look


def by_mount(mount, path):
    def look():
        names = sorted(os.listdir(f"{mount}{path}"))
        with open(f"{mount}{path}/part-00000", encoding="utf-8", newline="") as file:
            return names, file.read()

    return look


def check_readers_during(pipeline, source, datas, runs):
    """The pipeline runs over and over with one data set after the other, while the zones are read as clients and through a mount."""
    zones = [zones_of(data) for data in datas]
    source.content = zip_of(datas[0])
    pipeline.must_run()
    looks = [(path, make(pipeline.cluster if make is by_client else pipeline.cluster.mount, path))
             for path in (TRUSTED, REFINED) for make in ((by_client, by_mount) if pipeline.cluster.mount else (by_client,))]
    readers = [ZoneReader(path, look, [zone[path == REFINED] for zone in zones]) for path, look in looks]
    for reader in readers:
        reader.start()
    try:
        for number in range(1, runs + 1):
            source.content = zip_of(datas[number % len(datas)])
            pipeline.must_run()
            assert not any(reader.wrong for reader in readers), [(reader.name_of_zone, reader.wrong) for reader in readers]
    finally:
        for reader in readers:
            reader.end()
    assert not any(reader.wrong for reader in readers), [(reader.name_of_zone, reader.wrong) for reader in readers]
    assert all(reader.looks > runs and reader.changes >= runs - 1 for reader in readers), [(reader.looks, reader.changes) for reader in readers]

#!/usr/bin/python3
"""World Development Indicators, fetched, cleaned, refined: pipeline.py SETTINGS

    */5 * * * *  /opt/cairn/examples/pipelines/wdi/pipeline.py /etc/wdi.ini

RAW/VERSION/ has what the zip had, a version per download that differs from the last one; the file RAW/latest names it. TRUSTED
and REFINED are made from it and take the place of the old ones when they are complete: who reads them finds the old ones or the new
ones, never none. A step that fails ends the run, with all zones as they were. A run that is due while another one is under way is left out.
"""
import configparser
import contextlib
import datetime
import fcntl
import hashlib
import http.client
import logging
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
JOBS = os.path.join(HERE, "..", "..", "jobs", "python")
DATA = "WDICSV.csv"
DIGEST_CHARACTERS = 16


class StepFailed(Exception):
    pass


class Pipeline:
    def __init__(self, settings):
        self.url, self.timeout_s = settings["source"]["url"], settings["source"].getfloat("timeout_s", 60)
        self.raw, self.trusted, self.refined = (settings["zones"][zone].rstrip("/") for zone in ("raw", "trusted", "refined"))
        self.options = shlex.split(settings.get("jobs", "options", fallback=""))
        self.environment = os.environ | {"PYTHONPATH": os.path.join(HERE, "..", "..", "..", "scheduler", "python")}
        if "environment" in settings:
            self.environment |= settings["environment"]
        self.cairn = self.environment.get("CAIRN", "cairn")

    # ---- the cluster ----

    def command(self, *words):
        done = subprocess.run([*words], env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise StepFailed(f"{shlex.join(words)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def fs(self, *words):
        return self.command(self.cairn, "fs", *words)

    def job(self, script, source, target):
        self.command(sys.executable, os.path.join(JOBS, script), "-D", "cairn.job.replace=keep", *self.options, "-input", source, "-output", target)

    # ---- steps ----

    def fetch(self, folder):
        """The zip's path: all of it, and whole."""
        path = os.path.join(folder, "download.zip")
        try:
            with urllib.request.urlopen(self.url, timeout=self.timeout_s) as reply, open(path, "wb") as file:
                shutil.copyfileobj(reply, file)
                wanted = reply.headers.get("Content-Length")
            if wanted and os.path.getsize(path) != int(wanted):
                raise StepFailed(f"{self.url}: {os.path.getsize(path)} of {wanted} bytes came")
            with zipfile.ZipFile(path) as archive:
                if broken := archive.testzip():
                    raise StepFailed(f"{self.url}: {broken} is broken")
                if DATA not in map(os.path.basename, archive.namelist()):
                    raise StepFailed(f"{self.url}: there is no {DATA} in it")
        except (OSError, http.client.HTTPException, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            raise StepFailed(f"{self.url}: {error}") from error
        return path

    def latest(self):
        """The name of the newest version; "" if there is none. It is what is there, whatever the pointer says."""
        names = [path.rpartition("/")[2] for path in self.fs("-ls", "-C", self.raw).split("\n")]
        return max((name for name in names if "-" in name and name[0] not in "._"), default="")

    def store(self, folder, path):
        """Puts the files of the zip into a version of their own, unless they are those of the latest one; its name."""
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:DIGEST_CHARACTERS]
        version = self.latest()
        if version.endswith(f"-{digest}"):
            logging.info("unchanged: %s", version)
        else:
            version = f"{datetime.datetime.now(datetime.timezone.utc):%Y%m%dT%H%M%S%f}-{digest}"
            self.upload(self.unpack(folder, path), f"{self.raw}/{version}")
            logging.info("new version: %s", version)
        self.point_to(folder, version)
        return version

    @staticmethod
    def unpack(folder, path):
        """A folder with the CSV files alone, whatever folders the zip has them in."""
        target = os.path.join(folder, "csv")
        os.mkdir(target)
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                name = os.path.basename(member.filename)
                if name.endswith(".csv"):
                    with archive.open(member) as source, open(os.path.join(target, name), "wb") as file:
                        shutil.copyfileobj(source, file)
        return target

    def upload(self, folder, target):
        """Under another name first: a version is there as a whole or not at all."""
        arriving = f"{self.raw}/.arriving"
        self.fs("-rm", "-r", "-f", "-skipTrash", arriving)
        self.fs("-mkdir", "-p", arriving)
        self.fs("-put", *(os.path.join(folder, name) for name in sorted(os.listdir(folder))), arriving)
        self.fs("-mv", arriving, target)

    def point_to(self, folder, version):
        path = os.path.join(folder, "latest")
        with open(path, "w") as file:
            file.write(version + "\n")
        self.fs("-put", "-f", path, f"{self.raw}/latest")

    def run(self):
        self.fs("-mkdir", "-p", self.raw, os.path.dirname(self.trusted), os.path.dirname(self.refined))
        with tempfile.TemporaryDirectory(prefix="wdi-") as folder:
            version = self.store(folder, self.fetch(folder))
        self.job("wdi_clean.py", f"{self.raw}/{version}/{DATA}", self.trusted)
        self.job("wdi_refine.py", self.trusted, self.refined)
        logging.info("done: %s", version)


@contextlib.contextmanager
def lock(path):
    """Whether it was free."""
    with open(path, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    settings = configparser.ConfigParser(interpolation=None)
    settings.optionxform = str  # names of the environment are what they are
    with open(sys.argv[1]) as file:
        settings.read_file(file)
    logging.basicConfig(filename=settings["here"]["log"], level=logging.INFO, format="%(asctime)s %(process)d %(levelname)s %(message)s")
    with lock(settings["here"]["lock"]) as is_free:
        if not is_free:
            logging.warning("left out: the run before is not over")
            return 0
        try:
            Pipeline(settings).run()
        except StepFailed as error:
            logging.error("%s", error)
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

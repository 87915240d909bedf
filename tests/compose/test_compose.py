"""compose/cluster is really brought up: a file goes in, is read through the mount in another container, and is counted."""
import os
import subprocess

import pytest

from lib.engine import Engine, Unavailable
from lib.needs import missing
from lib.waiting import wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMPOSE = os.path.join(ROOT, "compose", "cluster", "docker-compose.yml")


class Compose:
    def __init__(self, engine, shared):
        self.env = engine.env | {"CAIRN_SHARED": shared, "COMPOSE_PROJECT_NAME": "cairntest"}

    def __call__(self, *args, stdin=None, check=True, deadline_s=600):
        done = subprocess.run(["docker-compose", "-f", COMPOSE, *args], env=self.env, input=stdin, capture_output=True,
                              text=True, timeout=deadline_s)
        assert not check or done.returncode == 0, f"docker-compose {args}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def run_in(self, service, *command, stdin=None):
        return self("exec", "-T", service, *command, stdin=stdin)


@pytest.fixture(scope="module")
def compose(tmp_path_factory):
    try:
        engine = Engine()
    except Unavailable as why:
        missing(str(why))
    shared = str(tmp_path_factory.mktemp("shared"))
    for name in ("spark-data", "spark-apps"):
        os.mkdir(os.path.join(shared, name))
    subprocess.run(["mount", "--bind", shared, shared], check=True)
    subprocess.run(["mount", "--make-rshared", shared], check=True)
    try:
        with engine:
            compose = Compose(engine, shared)
            try:
                compose("build", "namenode")
                compose("up", "-d", "--no-build")
                yield compose
            finally:
                compose("down", "-v", "-t", "5", check=False)
    finally:
        for name in ("spark-data", "spark-apps"):
            subprocess.run(["umount", "-l", os.path.join(shared, name)], capture_output=True)
        subprocess.run(["umount", "-l", shared], check=True)


def test_a_file_copied_in_is_read_through_the_mount_and_counted(compose):
    text = "".join(f"apple pear apple line{i % 7}\n" for i in range(5000))
    compose.run_in("node1", "cairn", "fs", "-put", "-", "/spark-data/words.txt", stdin=text)
    seen = compose.run_in("client", "cat", "/opt/spark-data/words.txt")
    assert seen == text
    compose.run_in("client", "sh", "-c", "printf 'exec tr -s \" \" \"\\\\n\"\\n' > /opt/spark-apps/split.sh")
    compose.run_in("node2", "cairn", "streaming", "-input", "/spark-data/words.txt", "-output", "/spark-data/counts",
                   "-mapper", "tr -s ' ' '\\n'", "-reducer", "uniq -c", "-numReduceTasks", "1")
    counts = dict(reversed(line.split()) for line in
                  compose.run_in("client", "cat", "/opt/spark-data/counts/part-00000").splitlines())
    assert counts["apple"] == "10000" and counts["pear"] == "5000" and counts["line0"] == "715"
    assert compose.run_in("client", "ls", "/opt/spark-data/counts").split() == ["_SUCCESS", "part-00000"]


def test_a_node_restart_loses_nothing(compose):
    compose.run_in("client", "sh", "-c", "echo kept > /opt/spark-data/kept.txt")
    compose("restart", "-t", "5", "node1")
    assert compose.run_in("client", "cat", "/opt/spark-data/kept.txt") == "kept\n"
    wait_for(lambda: "Live datanodes (3)" in compose.run_in("namenode", "cairn", "dfsadmin", "-report"), 60,
             "all three datanodes to be live again")

"""Hadoop's own classes of tests, run in one JVM against Apache's MiniDFSCluster or against daemons of ours."""
import os
import re
import subprocess
import time
import zipfile

from lib import jars
from lib.apache import JVM, QUICK_START, write_conf, write_site
from lib.cluster import ROOT, cairn_path
from lib.ports import port_block, release_port_block

DEPENDENCIES = [
    *map(jars.hadoop, ("hadoop-common", "hadoop-hdfs", "hadoop-hdfs-client")),
    *(jars.hadoop(name, tests=True) for name in ("hadoop-common", "hadoop-hdfs")),
    jars.library("org.junit.platform", "junit-platform-launcher", "1.8.2"),
    jars.library("org.junit.jupiter", "junit-jupiter-engine", "5.8.2"),
    jars.library("org.junit.jupiter", "junit-jupiter-params", "5.8.2"),
    jars.library("org.junit.vintage", "junit-vintage-engine", "5.8.2"),
    jars.library("org.assertj", "assertj-core", "3.12.2"),
    jars.library("org.mockito", "mockito-core", "4.11.0"),
    jars.library("org.slf4j", "slf4j-reload4j", "1.7.36", "<scope>runtime</scope>"),
]
PORT_BLOCKS = 8
GAVE_UP = 3  # SuiteRunner's exit code
OPENED = [
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.lang.reflect=ALL-UNNAMED",
]
# Users that tests make up once their cluster runs, and the groups they give them.
USERS = {
    "user": "mygroup", "u1": "g1", "foo": "fooGroup,g1", "barUser": "bar", "testuser": "testgroup", "fakeUser": "fakeGroup",
    "otheruser": "othergroup", "normaluser": "normalusergroup", "randomUser": "randomGroup", "superuser": "supergroup",
    "rootx": "user", "root_XXX": "supergroup", "user1": "group1", "user2": "group2", "user1@HADOOP.COM": "hadoop", "myuser": "mygroup",
}
# What HDFS promises, as the contract tests ask for it.
PROMISES = (
    "is-case-sensitive supports-append supports-atomic-directory-delete supports-atomic-rename supports-block-locality "
    "supports-concat supports-seek rejects-seek-past-eof supports-strict-exceptions supports-unix-permissions "
    "rename-returns-false-if-dest-exists rename-returns-false-if-source-missing supports-settimes "
    "supports-getfilestatus supports-file-reference supports-content-check supports-unbuffer supports-hflush "
    "supports-hsync metadata_updated_on_hsync test.root-tests-enabled"
).split()


def cli_data(folder):
    """Puts the commands that Hadoop's tests of its command lines run, and what these upload, into a new folder. They are
    in the jar of the tests' sources only."""
    os.makedirs(folder)
    with zipfile.ZipFile(jars.resolve([jars.hadoop("hadoop-hdfs", tests="test-sources")])) as sources:
        for name in sources.namelist():
            if re.fullmatch(r"test\w+\.xml|data\w+", name):
                sources.extract(name, folder)


def class_path(ours):
    """With ours, the classes that start daemons of ours hide those that start Apache's."""
    before = ""
    if ours:
        before = jars.compiled(jars.java_files("long/java/remote"), jars.resolve(DEPENDENCIES))
    return jars.class_path(DEPENDENCIES, jars.java_files("long/java/suites"), before)


class Run:
    """Classes of tests, running in a JVM of their own. Behind the name of a class may be tests of it that are left out."""

    def __init__(self, folder, ours, classes, class_deadline_s):
        self._folder = folder = str(folder)
        self._ports = []
        self._classes = list(classes)
        cli_data(f"{folder}/cli")
        conf, data = f"{folder}/conf", f"{folder}/data"
        write_conf(conf, {"ipc.client.connection.maxidletime": 2000}, {"dfs.namenode.fs-limits.min-block-size": 0}, "OFF")
        for name in f"{conf}/contract", f"{folder}/tmp":
            os.makedirs(name)
        promises = {f"fs.contract.{name}": "true" for name in PROMISES} | {"fs.contract.test.random-seek-count": 100}
        write_site(f"{conf}/contract/hdfs.xml", promises)
        options = [f"-Dtest.build.data={data}", f"-Dtest.build.dir={data}", f"-Djava.io.tmpdir={folder}/tmp", "-Xmx2g"]
        options.append(f"-Dtest.cache.data={folder}/cli")
        if ours:
            self._ports = [port_block() for _ in range(PORT_BLOCKS)]
            options.append(f"-Dcairn.users={';'.join(f'{user}={groups}' for user, groups in USERS.items())}")
            options.append("-Dhttp.keepAlive=false")  # to a datanode's port that another daemon has by then
            options += [f"-Dcairn.executable={cairn_path()}", f"-Dcairn.ports={','.join(map(str, self._ports))}"]
        self._command = [*JVM, *QUICK_START, *OPENED, *options, "-cp", f"{conf}:{class_path(ours)}", "SuiteRunner"]
        self._command += [f"{folder}/classes", f"{folder}/results", str(class_deadline_s)]
        self._start()

    def _start(self):
        with open(f"{self._folder}/classes", "w") as file:
            file.write("\n".join(self._classes) + "\n")
        with open(f"{self._folder}/output", "ab") as out:
            self._jvm = subprocess.Popen(self._command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def outcomes(self, deadline_s):
        """Waits for the end; what is not done by the deadline is not among the outcomes."""
        end = time.monotonic() + deadline_s
        try:
            while self._jvm.wait(max(0, end - time.monotonic())) == GAVE_UP:
                last = Outcomes(f"{self._folder}/results").last_class
                names = [simple_name(name) for name in self._classes]
                self._classes = self._classes[names.index(last) + 1 :]
                self._start()
        except subprocess.TimeoutExpired:
            self.stop()
        for base in self._ports:
            release_port_block(base)
        return Outcomes(f"{self._folder}/results")

    def stop(self):
        self._jvm.terminate()  # its hook ends the daemons
        try:
            self._jvm.wait(30)
        except subprocess.TimeoutExpired:
            self._jvm.kill()
            self._jvm.wait()


def simple_name(class_name):
    """Of a class as a Run gets it."""
    return class_name.split()[0].rsplit(".", 1)[-1]


class Outcomes:
    """{"Class.test": (outcome, stack)}"""

    def __init__(self, path):
        self._all = {}
        stack = []
        with open(path, errors="replace") as file:
            for line in file:
                if re.match(r"(ok|FAILED|skipped|inside) ", line):
                    outcome, test, _ = line.split()
                    stack = []
                    self._all[test] = (outcome, stack)
                else:
                    stack.append(line)

    def better_of(self, second):
        """These outcomes, and where a test did not pass, those of a second run."""
        for test, (outcome, stack) in second._all.items():
            if self._all.get(test, ("not run",))[0] not in ("ok", "inside"):
                self._all[test] = (outcome, stack)

    @property
    def last_class(self):
        return list(self._all)[-1].split(".")[0]

    def tests(self, *outcomes):
        return {test for test, (outcome, _) in self._all.items() if outcome in outcomes}

    def count(self, class_name):
        """How many tests of the class passed."""
        simple = simple_name(class_name)
        return sum(outcome == "ok" and test.split(".")[0] == simple for test, (outcome, _) in self._all.items())

    def text(self, test):
        outcome, stack = self._all.get(test, ("not run", []))
        return outcome + "\n" + "".join(stack[:12])


def known_differences():
    """The tests that docs/suites.md lists with the reason why they differ: patterns."""
    with open(os.path.join(ROOT, "docs", "suites.md")) as file:
        return [row.replace("\\|", "|") for row in re.findall(r"^\| `([^`]+)` \|", file.read(), re.MULTILINE)]

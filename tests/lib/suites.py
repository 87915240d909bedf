"""Hadoop's own classes of tests, run in one JVM against Apache's MiniDFSCluster or against daemons of ours."""
import os
import subprocess

from lib import jars
from lib.apache import JVM, QUICK_START, write_conf, write_site
from lib.cluster import cairn_path
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
PORT_BLOCKS = 11
OPENED = [
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.lang.reflect=ALL-UNNAMED",
]
# Users that tests make up once their cluster runs, and the groups they give them.
USERS = {
    "user": "mygroup", "u1": "g1", "foo": "g1", "testuser": "testgroup", "fakeUser": "fakeGroup",
    "otheruser": "othergroup", "normaluser": "normalusergroup", "randomUser": "randomGroup", "superuser": "supergroup",
    "rootx": "supergroup", "user1": "group1", "user2": "group2", "user1@HADOOP.COM": "hadoop", "myuser": "mygroup",
}
# What HDFS promises, as the contract tests ask for it.
PROMISES = (
    "is-case-sensitive supports-append supports-atomic-directory-delete supports-atomic-rename supports-block-locality "
    "supports-concat supports-seek rejects-seek-past-eof supports-strict-exceptions supports-unix-permissions "
    "rename-returns-false-if-dest-exists rename-returns-false-if-source-missing supports-settimes "
    "supports-getfilestatus supports-file-reference supports-content-check supports-unbuffer supports-hflush "
    "supports-hsync metadata_updated_on_hsync test.root-tests-enabled"
).split()


def class_path(ours):
    """With ours, the classes that start daemons of ours hide those that start Apache's."""
    before = ""
    if ours:
        before = jars.compiled(jars.java_files("long/java/remote"), jars.resolve(DEPENDENCIES))
    return jars.class_path(DEPENDENCIES, jars.java_files("long/java/suites"), before)


def start(folder, ours, classes, deadline_s):
    """The process that runs the classes, and where its results go."""
    folder = str(folder)
    conf, data = f"{folder}/conf", f"{folder}/data"
    write_conf(conf, {}, {"dfs.namenode.fs-limits.min-block-size": 0}, "OFF")
    os.makedirs(f"{conf}/contract", exist_ok=True)
    write_site(f"{conf}/contract/hdfs.xml", {f"fs.contract.{name}": "true" for name in PROMISES}
               | {"fs.contract.test.random-seek-count": 100})
    with open(f"{folder}/classes", "w") as file:
        file.write("\n".join(classes) + "\n")
    options = [f"-Dtest.build.data={data}", f"-Dtest.build.dir={data}", f"-Djava.io.tmpdir={folder}/tmp", "-Xmx1g"]
    os.makedirs(f"{folder}/tmp", exist_ok=True)
    if ours:
        bases = [port_block() for _ in range(PORT_BLOCKS)]
        options.append(f"-Dcairn.users={';'.join(f'{user}={groups}' for user, groups in USERS.items())}")
        options += [f"-Dcairn.executable={cairn_path()}", f"-Dcairn.ports={','.join(map(str, bases))}"]
    command = [*JVM, *QUICK_START, *OPENED, *options, "-cp", f"{conf}:{class_path(ours)}", "SuiteRunner"]
    with open(f"{folder}/output", "wb") as out:
        return subprocess.Popen([*command, f"{folder}/classes", f"{folder}/results", str(deadline_s)], cwd=folder,
                                stdin=subprocess.DEVNULL, stdout=out, stderr=out), f"{folder}/results"

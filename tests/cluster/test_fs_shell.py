"""`cairn fs`, `dfsadmin` and `fsck` on a cluster of ours: what the comparison with Hadoop's shell does not reach
(tests/interop/test_cairn_fs_on_apache.py holds every command against Hadoop's own)."""
import getpass
import gzip
import hashlib
import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest

from lib import sanitizer
from lib.cluster import Cluster, cairn_path, client_env, run_cairn
from lib.data import MIB, sha256_file, tree_hashes, write_file
from lib.process import on_a_terminal
from lib.reader import Reader
from lib.waiting import wait_for


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shell")
    with Cluster(folder / "cluster", nodes=3, properties={"dfs.blocksize": MIB, "fs.trash.interval": 60}) as running:
        yield running


@pytest.fixture
def fs(cluster, request):
    """fs(ARGS) runs in a working folder of its own: a CompletedProcess; `ok` fails the test when the command fails."""
    where = "/" + re.sub(r"\W", "_", request.node.name)
    cluster.fs("-rm", "-r", "-f", "-skipTrash", where, check=True)
    cluster.fs("-mkdir", "-p", where, check=True)

    def run(*args, **options):
        return cluster.fs(*[str(arg).replace("{w}", where) for arg in args], **options)

    run.ok = lambda *args, **options: run(*args, check=True, **options).stdout
    return run


@pytest.mark.skipif(bool(sanitizer.kind()), reason="a sanitizer takes address space by the terabyte")
def test_memory_for_many_operands(cluster):
    """As xargs makes them."""
    words = ["sh", "-c", 'ulimit -v 1000000; exec "$@"', "sh", cairn_path(), "fs", "-fs", cluster.uri, "-ls", "-d", "-C", *["/"] * 6000]
    done = subprocess.run(words, capture_output=True, env=client_env(), timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"/\n" * 6000, b"")


def test_names_with_blanks_and_percent_signs(fs, tmp_path):
    for name in "a b", "100%", "ü", "x+y", "[z]":
        (tmp_path / name).write_text(name)
        fs.ok("-put", tmp_path / name, "{w}/")
    assert sorted(line.split("/")[-1] for line in fs.ok("-ls", "-C", "{w}").decode().splitlines()) == sorted(
        ["a b", "100%", "ü", "x+y", "[z]"]
    )
    assert fs.ok("-cat", "{w}/a b") == b"a b"
    assert fs.ok("-cat", r"{w}/\[z\]") == b"[z]"
    fs.ok("-get", "{w}", tmp_path / "back")
    assert sorted(os.listdir(tmp_path / "back")) == sorted(["a b", "100%", "ü", "x+y", "[z]"])


def test_standard_input_and_output(fs):
    data = os.urandom(3 * MIB + 17)
    fs.ok("-put", "-", "{w}/f", stdin=data)
    assert fs.ok("-get", "{w}/f", "-") == data
    fs.ok("-appendToFile", "-", "{w}/f", stdin=b"more")
    assert fs.ok("-cat", "{w}/f") == data + b"more"


def test_parallel_copies_of_a_tree_are_equal(fs, tmp_path):
    for i in range(120):
        path = tmp_path / "tree" / f"d{i % 7}" / f"f{i}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(i * 997))
    fs.ok("-put", "-t", "4", tmp_path / "tree", "{w}/tree")
    fs.ok("-get", "-t", "4", "{w}/tree", tmp_path / "back")
    assert tree_hashes(tmp_path / "back") == tree_hashes(tmp_path / "tree")
    fs.ok("-cp", "-t", "4", "{w}/tree", "{w}/copy")
    assert fs.ok("-count", "{w}/copy").split()[:3] == fs.ok("-count", "{w}/tree").split()[:3]


def test_a_parallel_copy_closes_a_folder_behind_its_files(cluster, fs, tmp_path):
    for i in range(60):
        (tmp_path / f"f{i}").write_bytes(b"x" * 10000)
    fs.ok("-put", "-t", "8", tmp_path, "{w}/closed")
    fs.ok("-chmod", "555", "{w}/closed")
    fs.ok("-mkdir", "{w}/ada")
    fs.ok("-chown", "ada", "{w}/ada")
    ada = {"env": {"HADOOP_USER_NAME": "ada"}, "check": True}
    fs("-cp", "-pp", "-t", "4", "{w}/closed", "{w}/ada/copy", **ada)
    assert len(fs.ok("-ls", "-C", "{w}/ada/copy").splitlines()) == 60
    assert fs.ok("-stat", "%a", "{w}/ada/copy") == b"555\n"


def test_one_bad_file_of_many_does_not_stop_the_others(fs, tmp_path):
    for name in "a", "b", "c":
        (tmp_path / name).write_text(name)
    fs.ok("-put", tmp_path / "b", "{w}/b")
    done = fs("-put", "-t", "2", tmp_path / "a", tmp_path / "b", tmp_path / "gone", tmp_path / "c", "{w}")
    assert done.returncode == 1
    assert done.stderr.count(b"File exists") == 1 and done.stderr.count(b"No such file or directory") == 1
    assert fs.ok("-cat", "{w}/a", "{w}/c") == b"ac"


def test_an_interrupted_put_leaves_no_file_of_the_final_name(cluster, fs):
    command = [cairn_path(), "fs", "-fs", cluster.uri, "-put", "-", "/interrupted"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=client_env()) as put:
        put.stdin.write(b"x" * MIB)
        put.stdin.flush()
        wait_for(lambda: fs("-test", "-e", "/interrupted._COPYING_").returncode == 0, 20, "the temporary file")
        put.send_signal(signal.SIGKILL)
    assert fs("-test", "-e", "/interrupted").returncode == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_copy_that_a_signal_ends_leaves_nothing(cluster, fs, tmp_path, number):
    def heed():  # whoever runs the tests in the background ignores Ctrl-C, and so would they
        signal.signal(number, signal.SIG_DFL)

    into_cluster = [cairn_path(), "fs", "-fs", cluster.uri, "-put", "-", f"/ended_{number.name}"]
    with subprocess.Popen(into_cluster, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=client_env(), preexec_fn=heed) as put:
        put.stdin.write(b"x" * MIB)
        put.stdin.flush()
        wait_for(lambda: fs("-test", "-e", f"/ended_{number.name}._COPYING_").returncode == 0, 20, "the temporary file")
        put.send_signal(number)
        assert put.wait(20) == -number and put.stderr.read() == b""
    assert fs("-ls", "-C", f"/ended_{number.name}*").stdout == b""
    os.mkfifo(tmp_path / "pipe")
    to_local = [cairn_path(), "fs", "-fs", cluster.uri, "-cp", f"file://{tmp_path}/pipe", f"file://{tmp_path}/copy"]
    with subprocess.Popen(to_local, env=client_env(), preexec_fn=heed) as cp, open(tmp_path / "pipe", "wb") as pipe:
        pipe.write(b"x")
        pipe.flush()
        wait_for(lambda: os.path.exists(tmp_path / "copy._COPYING_"), 20, "the temporary file")
        cp.send_signal(number)
        assert cp.wait(20) == -number
    assert os.listdir(tmp_path) == ["pipe"]


def test_removed_files_go_to_the_trash_of_the_cluster(fs):
    fs.ok("-touchz", "{w}/f")
    done = fs("-rm", "{w}/f")
    assert done.returncode == 0 and done.stdout == b"" and b"Moved: 'hdfs://" in done.stderr
    name = done.stderr.decode().split()[-1]
    assert "/.Trash/Current/" in name
    fs.ok("-test", "-e", name)
    fs.ok("-touchz", "{w}/f")
    assert b".Trash/Current" in fs("-rm", "{w}/f").stderr, "a second one of that name finds a place too"
    fs.ok("-expunge", "-immediate")
    assert fs("-test", "-e", name).returncode == 1


@pytest.mark.parametrize("prefix", ["/home", "/home/"])
def test_home_folders_are_where_the_settings_say(cluster, fs, prefix):
    def at_home(program, *args):
        return run_cairn(program, "-fs", cluster.uri, "-D", f"dfs.user.home.dir.prefix={prefix}", *args, check=True)

    home = f"/home/{getpass.getuser()}"
    fs.ok("-mkdir", "-p", home)
    at_home("fs", "-put", "-", "f")
    assert fs.ok("-ls", "-C", home) == f"{home}/f\n".encode()
    assert f"{home}/f 0 bytes".encode() in at_home("fsck", "f", "-files").stdout
    moved = at_home("fs", "-rm", "f").stderr.decode().split()[-1]
    assert moved == f"{cluster.uri}{home}/.Trash/Current{home}/f"
    fs.ok("-rm", "-r", "-skipTrash", "/home")


def test_trash_of_a_file_where_a_folder_was(fs):
    fs.ok("-touchz", "{w}/a")
    fs.ok("-rm", "{w}/a")
    fs.ok("-mkdir", "{w}/a")
    fs.ok("-touchz", "{w}/a/b")
    fs.ok("-rm", "{w}/a/b")  # Current/.../a is a file: the folder gets another name
    assert fs("-test", "-e", "{w}/a/b").returncode == 1


def test_what_is_removed_through_a_view_goes_to_the_trash_behind_it(cluster, fs):
    fs.ok("-mkdir", "{w}/base")
    fs.ok("-touchz", "{w}/base/f")
    where = fs.ok("-ls", "-C", "{w}/base").decode().strip()
    link = f"fs.viewfs.mounttable.v.link./data={cluster.uri}{os.path.dirname(where)}"
    done = run_cairn("fs", "-fs", "viewfs://v", "-D", link, "-rm", "/data/f", check=True)
    assert done.stderr.decode().split()[-1] == f"{cluster.uri}/user/{getpass.getuser()}/.Trash/Current{where}"
    assert fs("-test", "-e", "{w}/base/f").returncode == 1


def test_a_closed_pipe_ends_the_command(cluster, fs, tmp_path):
    write_file(str(tmp_path / "f"), 20 * MIB)
    fs.ok("-put", tmp_path / "f", "/for_the_pipe")
    cat = subprocess.Popen(
        [cairn_path(), "fs", "-fs", cluster.uri, "-cat", "/for_the_pipe"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=client_env(),
    )
    cat.stdout.read(10)
    cat.stdout.close()
    assert cat.stderr.read() == b"cat: Unable to write to output stream.\n"
    assert cat.wait(20) == 1
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [cairn_path(), "fs", "-fs", cluster.uri, "-ls", "/"], stdout=full, stderr=subprocess.PIPE, env=client_env(), check=False
        )
    assert done.returncode == 1 and b"Unable to write" in done.stderr


def test_tail_follows_a_growing_file(cluster, fs):
    fs.ok("-put", "-", "/growing", stdin=b"one\n")
    command = [cairn_path(), "fs", "-fs", cluster.uri, "-tail", "-f", "-s", "100", "/growing"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=client_env()) as tail:
        assert tail.stdout.readline() == b"one\n"
        fs.ok("-appendToFile", "-", "/growing", stdin=b"two\n")
        ready, _, _ = select.select([tail.stdout], [], [], 20)
        assert ready and tail.stdout.readline() == b"two\n"
        tail.kill()


def test_text_unpacks_and_refuses_by_name(fs):
    fs.ok("-put", "-", "{w}/two.gz", stdin=gzip.compress(b"one\n") + gzip.compress(b"two\n"))
    assert fs.ok("-text", "{w}/two.gz") == b"one\ntwo\n"
    fs.ok("-put", "-", "{w}/cut.gz", stdin=gzip.compress(os.urandom(5000))[:-100])
    assert b"Unexpected end" in fs("-text", "{w}/cut.gz").stderr
    fs.ok("-put", "-", "{w}/bad.gz", stdin=b"\x1f\x8bnot gzip at all, whatever it says")
    assert fs("-text", "{w}/bad.gz").returncode == 1
    for magic, what in (b"SEQ\x06", b"SequenceFile"), (b"BZh91AY", b"bzip2"), (b"\x28\xb5\x2f\xfd", b"Zstandard"):
        fs.ok("-put", "-f", "-", "{w}/x", stdin=magic + b"data")
        done = fs("-text", "{w}/x")
        assert done.returncode == 1 and what in done.stderr
    for plain in b"", b"a", b"\x1f", b"plain\n":
        fs.ok("-put", "-f", "-", "{w}/x", stdin=plain)
        assert fs.ok("-text", "{w}/x") == plain


def test_a_listing_of_many_pages(fs, tmp_path):
    for i in range(2100):
        (tmp_path / f"n{i:04}").touch()
    fs.ok("-put", "-t", "8", tmp_path, "{w}/many")
    lines = fs.ok("-ls", "{w}/many").decode().splitlines()
    assert lines[0] == "Found 2100 items" and len(lines) == 2101
    assert len(fs.ok("-ls", "-R", "-C", "{w}").splitlines()) == 2101
    assert len(fs.ok("-ls", "-C", "{w}/many/n0*9").splitlines()) == 100


def test_progress_is_drawn_on_a_terminal_only(cluster, fs, tmp_path):
    command = [cairn_path(), "fs", "-fs", cluster.uri, "-put", "-", "/progress"]
    parent, child = pty.openpty()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=child, env=client_env()) as put:
        os.close(child)
        seen = b""
        deadline = time.monotonic() + 20
        while b"/s" not in seen and time.monotonic() < deadline:
            put.stdin.write(b"x" * 65536)
            put.stdin.flush()
            if select.select([parent], [], [], 0.05)[0]:
                seen += os.read(parent, 4096)
        put.stdin.close()
        assert put.wait(20) == 0
    os.close(parent)
    assert b"standard input" in seen and b"B/s" in seen
    assert fs("-put", "-", "{w}/quiet", stdin=b"x").stderr == b""


def test_names_do_not_command_a_terminal(cluster, fs, tmp_path):
    evil = "\x1b]0;owned\x07-\u009b2J-\x7f-ü"
    (tmp_path / evil).write_text("\x1b[7m")
    fs.ok("-mkdir", "/evil")
    fs.ok("-put", tmp_path / evil, "/evil/")
    shown = "/evil/?]0;owned?-?2J-?-ü".encode()
    for words in ("fs", "-ls", "-C", "/evil"), ("fs", "-find", "/evil"), ("fs", "-rmdir", f"/evil/{evil}"), ("fsck", "/evil", "-files"):
        seen = on_a_terminal([cairn_path(), words[0], "-fs", cluster.uri, *words[1:]], client_env())
        assert shown in seen and not re.search(rb"\x1b|\x07|\x7f|\xc2[\x80-\x9f]", seen), words
    assert fs.ok("-ls", "-C", "/evil") == f"/evil/{evil}\n".encode(), "a pipe gets what there is"
    assert on_a_terminal([cairn_path(), "fs", "-fs", cluster.uri, "-cat", f"/evil/{evil}"], client_env()) == b"\x1b[7m"


def test_a_file_is_not_written_over_itself(fs, tmp_path):
    data = os.urandom(5 * MIB)
    fs.ok("-put", "-", "{w}/f", stdin=data)
    (tmp_path / "f").write_bytes(data)
    os.link(tmp_path / "f", tmp_path / "link")
    local = f"file://{tmp_path}/"
    for source, target in ("{w}/f", "{w}/f"), (local + "f", local + "link"), (local + "f", local + "f"):
        done = fs("-cp", "-f", "-d", source, target)
        assert done.returncode == 1 and b"are identical" in done.stderr
        assert fs.ok("-cat", source) == data
        fs.ok("-cp", "-f", source, target)
        assert fs.ok("-cat", source) == fs.ok("-cat", target) == data


def test_local_files_by_uri(fs, tmp_path):
    (tmp_path / "here").write_text("local")
    assert fs.ok("-cat", f"file://{tmp_path}/here") == b"local"
    assert f"file://{tmp_path}/here".encode() in fs.ok("-ls", f"file://{tmp_path}")
    fs.ok("-cp", f"file://{tmp_path}/here", "{w}/there")
    fs.ok("-cp", "{w}/there", f"file://{tmp_path}/back")
    assert (tmp_path / "back").read_text() == "local"
    assert b"Does not match target filesystem" in fs("-mv", "{w}/there", f"file://{tmp_path}/").stderr


def test_df_of_a_local_path_is_of_its_own_disk(fs):
    """/proc and /dev/shm are file systems of their own on every Linux."""
    for path in "/", "/proc", "/dev/shm":
        there = os.statvfs(path)
        size = fs.ok("-df", f"file://{path}").split()[6]
        assert (path, int(size)) == (path, there.f_blocks * there.f_frsize)


def test_get_with_crc_files(fs, tmp_path):
    fs.ok("-put", "-", "{w}/f", stdin=b"a" * 1000)
    fs.ok("-get", "-crc", "{w}/f", tmp_path)
    side = (tmp_path / ".f.crc").read_bytes()
    assert side[:8] == b"crc\0\0\0\2\0" and len(side) == 8 + 2 * 4
    fs.ok("-get", "-f", "{w}/f", tmp_path)
    assert not (tmp_path / ".f.crc").exists(), "a side file of another copy must not stay"


def test_a_lazy_put_is_told_to_the_namenode(cluster, fs):
    fs.ok("-put", "-l", "-", "{w}/lazy", stdin=b"x")
    where = fs.ok("-ls", "-C", "{w}").decode().strip()
    assert fs.ok("-stat", "%r", "{w}/lazy") == b"1\n"
    told = run_cairn("storagepolicies", "-fs", cluster.uri, "-getStoragePolicy", "-path", where, check=True).stdout
    assert b"BlockStoragePolicy{LAZY_PERSIST:15" in told


def test_setrep_waits_until_it_is_so(cluster, fs):
    fs.ok("-put", "-", "{w}/f", stdin=b"x" * (2 * MIB))
    assert b" done" in fs.ok("-setrep", "-w", "2", "{w}/f", deadline_s=60)
    assert fs.ok("-stat", "%r", "{w}/f") == b"2\n"
    assert b" done" in fs.ok("-setrep", "-w", "3", "{w}/f", deadline_s=60)


def test_dfsadmin_reports_and_switches_safe_mode(cluster, fs):
    report = cluster.dfsadmin("-report", check=True).stdout.decode()
    for line in "Live datanodes (3):", "Under replicated blocks: ", "Configured Capacity: ", "DFS Used%: ":
        assert line in report
    assert report.count("Decommission Status : Normal") == 3
    assert cluster.dfsadmin("-report", "-dead", check=True).stdout.decode().rstrip().endswith("Dead datanodes (0):")
    assert cluster.dfsadmin("-safemode", "enter", check=True).stdout == b"Safe mode is ON\n"
    try:
        refused = fs("-mkdir", "{w}/no")
        assert refused.returncode == 1 and b"safe mode" in refused.stderr
    finally:
        assert cluster.dfsadmin("-safemode", "leave", check=True).stdout == b"Safe mode is OFF\n"
    assert cluster.dfsadmin("-safemode", "wait", check=True).stdout == b"Safe mode is OFF\n"
    assert cluster.dfsadmin("-printTopology", check=True).stdout.startswith(b"Rack: ")
    assert cluster.dfsadmin("-refreshNodes", check=True).stdout == b"Refresh nodes successful\n"
    assert cluster.dfsadmin("-safemode", "dance").returncode == 255
    assert b"dance: Unknown command" in cluster.dfsadmin("-dance").stderr
    assert cluster.dfsadmin("-getDatanodeInfo", "127.0.0.1:1").returncode == 255


def test_fsck_tells_blocks_and_health(cluster, fs):
    fs.ok("-put", "-", "{w}/f", stdin=b"x" * (2 * MIB + 5))
    done = cluster.fsck("/", "-files", "-blocks", "-locations", check=True)
    text = done.stdout.decode()
    assert text.rstrip().endswith("The filesystem under path '/' is HEALTHY")
    assert text.count("Live_repl=3") >= 3
    assert b"does not exist" in cluster.fsck("/no/such", check=True).stdout
    assert cluster.fsck("-bogus", "/").returncode == 255
    assert b"has 0 CORRUPT" in cluster.fsck("/", "-list-corruptfileblocks", check=True).stdout


@pytest.mark.parametrize(
    "program, words, expected",
    [
        ("hdfs", ["dfs", "-fs", "URI", "-ls", "-d", "/"], b"drwx"),
        ("hadoop", ["fs", "-fs", "URI", "-ls", "-d", "/"], b"drwx"),
        ("hadoop", ["version"], b"Hadoop 3."),
        ("hdfs", ["getconf", "-fs", "URI", "-confKey", "fs.defaultFS"], b"hdfs://"),
        ("hdfs", ["groups", "-fs", "URI", "root"], b"root :"),
    ],
)
def test_called_by_hadoops_names(cluster, tmp_path, program, words, expected):
    link = tmp_path / program
    link.symlink_to(cairn_path())
    command = [link, *(cluster.uri if word == "URI" else word for word in words)]
    assert subprocess.run(command, capture_output=True, env=client_env(), check=True).stdout.startswith(expected)


def test_wrong_usage_and_unreachable_servers(cluster, fs):
    assert fs().returncode == 255
    assert fs("-nonsense").returncode == 255
    assert b"Did you mean -ls?" in fs("ls").stderr
    done = fs("-ls", "hdfs://127.0.0.1:1/")
    assert done.returncode == 1 and b"127.0.0.1:1" in done.stderr
    assert fs("-ls", "ftp://x/").returncode == 1
    assert fs("-ls", "hdfs://no such host/").returncode == 1
    for command in "-createSnapshot", "-setfacl", "-getfattr":
        assert fs(command).returncode == 255


def test_an_empty_operand_is_wrong_usage_before_anything_is_done(fs, tmp_path):
    """As an unset variable makes it."""
    (tmp_path / "f").write_text("x")
    fs.ok("-touchz", "{w}/f")
    commands = [["-ls", "{w}", ""], ["-cat", "", "{w}/nope", "{w}/f"], ["-cp", "{w}/f", "", "{w}/copy"], ["-mkdir", "{w}/copy", ""],
                ["-put", tmp_path / "f", "", "{w}/copy"], ["-get", "{w}/f", "", tmp_path / "copy"], ["-rm", "-r", "{w}/f", ""]]  # fmt: skip
    for command in commands:
        done = fs(*command)
        assert (done.returncode, done.stdout) == (255, b""), command
        assert done.stderr.startswith(f"{command[0]}: Can not create a Path from an empty string\n".encode()), command
    assert fs.ok("-ls", "-C", "{w}").decode().split("/")[-1] == "f\n" and os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize("mask", ["bogus", "9", "27 7", "u=rwxs"])
def test_a_umask_that_says_nothing_is_refused(fs, tmp_path, mask):
    """Not taken for 022, which would open to all what was meant to be closed."""
    (tmp_path / "d").mkdir()
    setting = ["-D", f"fs.permissions.umask-mode={mask}"]
    for command in (["-touchz", "{w}/f"], ["-mkdir", "{w}/f"], ["-put", tmp_path / "d", "{w}/f"]):
        done = fs(*setting, *command)
        assert done.returncode == 1, command
        assert b"fs.permissions.umask-mode with value " + mask.encode() in done.stderr
    assert fs.ok(*setting, "-ls", "{w}") == b""


@pytest.mark.parametrize("mask, mode", [("=rx", "-r--r--r--"), ("u=rw, g=r", "-rw-r-----"), ("a+rw", "-rw-rw-rw-")])
def test_a_symbolic_umask_is_read_as_hadoop_reads_it(fs, mask, mode):
    fs.ok("-D", f"fs.permissions.umask-mode={mask}", "-touchz", "{w}/f")
    assert fs.ok("-stat", "%A", "{w}/f").decode() == mode[1:] + "\n"


def test_without_a_cluster_the_remedy_is_told():
    alone = ["unshare", "-rn"]  # a network of its own: no cluster is found, nothing listens
    done = subprocess.run([*alone, cairn_path(), "fs", "-ls", "/"], capture_output=True, env=client_env(), check=False)
    assert done.returncode == 1
    assert b"127.0.0.1:8020" in done.stderr and b"cairn up" in done.stderr


def test_the_same_bytes_arrive(fs, tmp_path):
    digest = write_file(str(tmp_path / "f"), 10 * MIB + 333)
    fs.ok("-put", tmp_path / "f", "{w}/f")
    assert hashlib.sha256(fs.ok("-cat", "{w}/f")).hexdigest() == digest
    fs.ok("-get", "{w}/f", tmp_path / "back")
    assert sha256_file(str(tmp_path / "back")) == digest


def test_a_file_that_is_put_again_is_never_missing(cluster):
    """Hadoop's shell removes the old one first; here the new one takes its place in one step."""
    cluster.fs("-put", "-", "/pointer", stdin=b"0\n", check=True)
    with Reader(cluster, "/pointer") as reader:
        for number in range(1, 11):
            cluster.fs("-put", "-f", "-", "/pointer", stdin=b"%d\n" % number, check=True)
            wait_for(lambda: reader.seen[-1:] == [f"{number}\n"], 10, f"content {number}")
    assert not [text for text in reader.seen if "does not exist" in text]

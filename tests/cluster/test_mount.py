"""The mount, used as programs use a file system."""
import errno
import hashlib
import os
import random
import signal
import stat
import subprocess
import tempfile

import pytest

from lib.cluster import Cluster, cairn_path, client_env, run_cairn
from lib.data import MIB, sha256_file, tree_hashes, write_file
from lib.posix_mounts import here, path_in_dfs
from lib.replicas import replicas_synced
from lib.waiting import wait_for


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mount")
    mount = tempfile.mkdtemp(prefix="cairn-mount-")  # where other users may go too
    os.chmod(mount, 0o755)
    with Cluster(folder / "cluster", nodes=3, mount=mount, properties={"dfs.blocksize": 4 * MIB}) as running:
        yield running
    os.rmdir(mount)


def test_copy_in_and_out_gives_the_same_bytes(cluster, here, tmp_path):
    digest = write_file(str(tmp_path / "f"), 50 * MIB + 12345)
    subprocess.run(["cp", tmp_path / "f", here + "/f"], check=True)
    assert sha256_file(here + "/f") == digest
    assert hashlib.sha256(cluster.fs("-cat", path_in_dfs(cluster, here + "/f")).stdout).hexdigest() == digest
    assert os.stat(here + "/f").st_size == 50 * MIB + 12345


def test_what_another_client_wrote_is_seen(cluster, here):
    cluster.fs("-put", "-", path_in_dfs(cluster, here) + "/f", stdin=b"one", check=True)
    assert open(here + "/f").read() == "one"
    cluster.fs("-put", "-f", "-", path_in_dfs(cluster, here) + "/f", stdin=b"second", check=True)
    wait_for(lambda: open(here + "/f").read() == "second", 5, "the new content")


def test_unaligned_and_random_reads(here, tmp_path):
    write_file(str(tmp_path / "f"), 9 * MIB + 77, seed=5)
    subprocess.run(["cp", tmp_path / "f", here + "/f"], check=True)
    data = (tmp_path / "f").read_bytes()
    rng = random.Random(1)
    with open(here + "/f", "rb", buffering=0) as f:
        for _ in range(200):
            offset, size = rng.randrange(len(data)), rng.randrange(1, 300000)
            assert os.pread(f.fileno(), size, offset) == data[offset:offset + size][:size] or size > 131072
        assert os.pread(f.fileno(), 10, len(data)) == b""


def test_append_and_read_back_while_open(here):
    with open(here + "/log", "a") as f:
        f.write("first\n")
        f.flush()
        assert open(here + "/log").read() == "first\n"
        assert os.stat(here + "/log").st_size == 6
    subprocess.run(["sh", "-c", f"echo second >> {here}/log; echo third >> {here}/log"], check=True)
    assert open(here + "/log").read() == "first\nsecond\nthird\n"


def test_fsync_covers_the_blocks_that_have_ended(cluster, here):
    before = replicas_synced(cluster)
    with open(here + "/f", "wb", buffering=0) as f:
        for _ in range(10):  # two blocks, and half of one, which the pipeline syncs
            f.write(os.urandom(MIB))
        assert replicas_synced(cluster) == before
        os.fsync(f.fileno())
        assert replicas_synced(cluster) == before + 2 * 3
        os.fsync(f.fileno())
        assert replicas_synced(cluster) == before + 2 * 3


def test_fsync_covers_what_was_closed_before(cluster, here):
    """By another handle, or when a change in the middle ended the stream."""
    before = replicas_synced(cluster)
    with open(here + "/f", "wb", buffering=0) as f:
        f.write(os.urandom(5 * MIB))  # two blocks
    assert replicas_synced(cluster) == before
    with open(here + "/f", "rb") as f:
        os.fsync(f.fileno())
        assert replicas_synced(cluster) == before + 2 * 3
        os.fsync(f.fileno())
        assert replicas_synced(cluster) == before + 2 * 3
    with open(here + "/g", "wb", buffering=0) as f:
        f.write(os.urandom(5 * MIB))
        os.pwrite(f.fileno(), b"changed", MIB)
        os.fsync(f.fileno())
        assert replicas_synced(cluster) >= before + 4 * 3
    with open(here + "/small", "wb", buffering=0) as f:  # in one go with its upload: nobody is asked
        before = replicas_synced(cluster)
        f.write(b"small")
        os.fsync(f.fileno())
        assert replicas_synced(cluster) == before


def test_append_goes_to_the_end_that_another_client_made(cluster, here):
    open(here + "/log", "w").write("one\n")
    assert os.stat(here + "/log").st_size == 4  # what the kernel now believes for a while
    cluster.fs("-appendToFile", "-", path_in_dfs(cluster, here) + "/log", stdin=b"two\n", check=True)
    subprocess.run(["sh", "-c", f"echo three >> {here}/log"], check=True)
    assert cluster.fs("-cat", path_in_dfs(cluster, here) + "/log").stdout == b"one\ntwo\nthree\n"


def test_a_file_unlinked_while_open_lives_until_it_is_closed(cluster, here):
    open(here + "/read", "w").write("still here")
    reading = os.open(here + "/read", os.O_RDONLY)
    writing = os.open(here + "/written", os.O_RDWR | os.O_CREAT)
    os.write(writing, b"first ")
    os.unlink(here + "/read")
    os.unlink(here + "/written")
    assert os.listdir(here) == []
    assert os.fstat(reading).st_size == 10
    assert os.read(reading, 100) == b"still here"
    os.write(writing, b"second")
    assert os.pread(writing, 100, 0) == b"first second"
    os.close(reading)
    os.close(writing)
    wait_for(lambda: cluster.fs("-ls", path_in_dfs(cluster, here)).stdout == b"", 10, "the hidden files to go")


def test_a_directory_goes_although_a_file_below_it_is_open(here):
    os.mkdir(here + "/d")
    with open(here + "/d/f", "w") as f:
        f.write("x")
        f.flush()
        subprocess.run(["rm", "-r", here + "/d"], check=True)
        assert os.listdir(here) == []


def test_a_reader_keeps_the_file_that_was_renamed_over(here):
    open(here + "/f", "w").write("old")
    open(here + "/new", "w").write("newer")
    reading = os.open(here + "/f", os.O_RDONLY)
    os.rename(here + "/new", here + "/f")
    assert os.read(reading, 100) == b"old"
    os.close(reading)
    assert open(here + "/f").read() == "newer"


def test_save_by_rename_replaces_atomically(here):
    open(here + "/doc", "w").write("old")
    for i in range(20):
        with open(here + "/doc.new", "w") as f:
            f.write(f"version {i}")
            os.fsync(f.fileno())
        os.rename(here + "/doc.new", here + "/doc")
        assert open(here + "/doc").read() == f"version {i}"
    assert os.listdir(here) == ["doc"]


def test_truncate(here):
    with open(here + "/f", "wb") as f:
        f.write(bytes(range(256)) * 40000)
    for size in (10240000 - 1, 5000001, 4 * MIB, 513, 512, 0):
        os.truncate(here + "/f", size)
        assert os.stat(here + "/f").st_size == size
        assert open(here + "/f", "rb").read() == (bytes(range(256)) * 40000)[:size]
    os.truncate(here + "/f", 1000)
    assert open(here + "/f", "rb").read() == bytes(1000)
    with open(here + "/f", "w") as f:
        f.write("again")
    assert open(here + "/f").read() == "again"


def test_directories_links_and_counts(here):
    os.makedirs(here + "/a/b/c")
    with pytest.raises(FileExistsError):
        os.mkdir(here + "/a")
    with pytest.raises(OSError) as full:
        os.rmdir(here + "/a")
    assert full.value.errno == errno.ENOTEMPTY
    assert os.stat(here + "/a").st_nlink == 3
    os.mkdir(here + "/a/d")
    wait_for(lambda: os.stat(here + "/a").st_nlink == 4, 5, "the link count to follow")
    os.symlink("b/c", here + "/a/link")
    assert os.readlink(here + "/a/link") == "b/c"
    assert os.path.isdir(here + "/a/link")
    assert sorted(os.listdir(here + "/a")) == ["b", "d", "link"]
    os.unlink(here + "/a/link")
    os.rename(here + "/a/b", here + "/moved")
    assert os.path.isdir(here + "/moved/c")
    os.rmdir(here + "/moved/c")
    with pytest.raises(IsADirectoryError):
        os.unlink(here + "/moved")
    open(here + "/file", "w").close()
    with pytest.raises(NotADirectoryError):
        os.rmdir(here + "/file")
    with pytest.raises(OSError):
        os.rename(here + "/moved", here + "/moved/below")


def test_modes_owners_and_times(here):
    open(here + "/f", "w").close()
    assert os.stat(here + "/f").st_nlink == 1
    os.chmod(here + "/f", 0o640)
    os.chown(here + "/f", 65534, -1)
    os.utime(here + "/f", (1500000000.25, 1400000000.125))
    st = os.stat(here + "/f")
    assert (stat.S_IMODE(st.st_mode), st.st_uid) == (0o640, 65534)
    assert (st.st_atime, st.st_mtime) == (1500000000.25, 1400000000.125)
    os.umask(0o027)
    try:
        os.mkdir(here + "/d")
    finally:
        os.umask(0o022)
    assert stat.S_IMODE(os.stat(here + "/d").st_mode) == 0o750
    assert os.statvfs(here).f_blocks > 0


def test_copies_keep_times_and_modes(here, tmp_path):
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    for name, content in ("a", b"one"), ("empty", b""), ("sub/b", b"x" * 100000):
        (tmp_path / "tree" / name).write_bytes(content)
        os.chmod(tmp_path / "tree" / name, 0o640)
        os.utime(tmp_path / "tree" / name, (1500000000, 1400000000))
    os.utime(tmp_path / "tree" / "sub", (1500000000, 1300000000))
    subprocess.run(["cp", "-a", tmp_path / "tree", here + "/cp"], check=True)
    os.mkdir(here + "/tar")
    subprocess.run(f"tar -C {tmp_path}/tree -cf - . | tar -C {here}/tar -xpf -", shell=True, check=True)
    for copy in "cp", "tar":
        for name in "a", "empty", "sub/b":
            st = os.stat(f"{here}/{copy}/{name}")
            assert (stat.S_IMODE(st.st_mode), st.st_mtime) == (0o640, 1400000000), f"{copy} {name}"
        assert os.stat(f"{here}/{copy}/sub").st_mtime == 1300000000, copy
    assert tree_hashes(here + "/cp") == tree_hashes(tmp_path / "tree")


def test_another_user_is_checked_by_the_namenode(here):
    open(here + "/secret", "w").write("x")
    os.chmod(here + "/secret", 0o600)
    as_nobody = ["setpriv", "--reuid", "65534", "--clear-groups"]  # names below cwd: the folders above are root's alone
    denied = subprocess.run([*as_nobody, "cat", "secret"], cwd=here, capture_output=True)
    assert denied.returncode == 1 and b"Permission denied" in denied.stderr
    os.chmod(here, 0o777)
    subprocess.run([*as_nobody, "sh", "-c", "echo hi > mine"], cwd=here, check=True)
    assert os.stat(here + "/mine").st_uid == 65534


def test_tar_of_a_tree_comes_out_equal(here, tmp_path):
    rng = random.Random(3)
    for i in range(300):
        where = tmp_path / "tree" / f"d{i % 17}" / f"e{i % 5}"
        where.mkdir(parents=True, exist_ok=True)
        (where / f"f{i}").write_bytes(rng.randbytes(rng.randrange(0, 20000)))
    subprocess.run(["tar", "-C", tmp_path, "-cf", tmp_path / "t.tar", "tree"], check=True)
    subprocess.run(["tar", "-C", here, "-xf", tmp_path / "t.tar"], check=True)
    assert tree_hashes(here + "/tree") == tree_hashes(tmp_path / "tree")
    out = subprocess.run(f"tar -C {here} -cf - tree | tar -C {tmp_path} --transform s/tree/back/ -xf -", shell=True, check=True)
    assert out.returncode == 0
    assert tree_hashes(tmp_path / "back") == tree_hashes(tmp_path / "tree")
    subprocess.run(["rm", "-r", here + "/tree"], check=True)
    assert os.listdir(here) == []


def test_a_large_directory_is_listed_completely(cluster, here, tmp_path):
    for i in range(2500):
        (tmp_path / f"n{i:05}").touch()
    cluster.fs("-put", "-t", "4", tmp_path, path_in_dfs(cluster, here) + "/many", check=True)
    assert sorted(os.listdir(here + "/many")) == [f"n{i:05}" for i in range(2500)]
    names = {entry.name for entry in os.scandir(here + "/many") if entry.is_file()}
    assert len(names) == 2500


def test_many_processes_at_once(here):
    script = ("import os,sys,hashlib\nn=int(sys.argv[2]);d=sys.argv[1]\n"
              "for i in range(10):\n data=os.urandom(50000+n*1000+i)\n p=f'{d}/p{n}-{i}'\n open(p,'wb').write(data)\n"
              " assert open(p,'rb').read()==data\n os.rename(p,p+'.done')\n")
    running = [subprocess.Popen(["/usr/bin/python3", "-c", script, here, str(n)]) for n in range(8)]
    assert [p.wait(120) for p in running] == [0] * 8
    assert len(os.listdir(here)) == 80


def test_spark_style_commit(here):
    """Task output below _temporary, rename of whole directories, _SUCCESS, hidden .crc files beside."""
    for task in range(3):
        attempt = f"{here}/out/_temporary/0/_temporary/attempt_{task}"
        os.makedirs(attempt)
        open(f"{attempt}/part-{task}", "w").write(str(task))
        open(f"{attempt}/.part-{task}.crc", "wb").write(b"crc\0")
        os.rename(attempt, f"{here}/out/_temporary/0/task_{task}")
        for name in os.listdir(f"{here}/out/_temporary/0/task_{task}"):
            os.rename(f"{here}/out/_temporary/0/task_{task}/{name}", f"{here}/out/{name}")
    subprocess.run(["rm", "-r", f"{here}/out/_temporary"], check=True)
    open(f"{here}/out/_SUCCESS", "w").close()
    assert sorted(os.listdir(f"{here}/out")) == [".part-0.crc", ".part-1.crc", ".part-2.crc", "_SUCCESS", "part-0", "part-1",
                                                 "part-2"]


def test_namenode_restart_under_the_mount(cluster, here):
    open(here + "/before", "w").write("kept")
    cluster.kill("namenode")
    cluster.start_again("namenode")
    assert open(here + "/before").read() == "kept"
    open(here + "/after", "w").write("new")
    assert open(here + "/after").read() == "new"


def test_a_datanode_dies_under_a_writer_and_a_reader(cluster, here):
    digest, chunk = hashlib.sha256(), os.urandom(MIB)
    with open(here + "/f", "wb", buffering=0) as f:
        for i in range(24):
            if i == 10:
                killed = cluster.kill("datanode-2")["name"]
            f.write(chunk)
            digest.update(chunk)
    with open(here + "/f", "rb", buffering=0) as f:
        assert hashlib.file_digest(f, "sha256").hexdigest() == digest.hexdigest()
    cluster.start_again(killed)
    with open(here + "/f", "rb", buffering=0) as f:
        seen = hashlib.sha256(f.read(5 * MIB))
        killed = cluster.kill("datanode-1")["name"]
        while part := f.read(MIB):
            seen.update(part)
    assert seen.hexdigest() == digest.hexdigest()
    cluster.start_again(killed)
    wait_for(lambda: b"Live datanodes (3)" in cluster.dfsadmin("-report").stdout, 30, "all three datanodes")


def test_sigterm_completes_open_files_and_unmounts(cluster, tmp_path):
    target = tmp_path / "third"
    target.mkdir()
    command = [cairn_path(), "mount", "-fs", cluster.uri, "--foreground", str(target)]
    mounted = subprocess.Popen(command, env=client_env())
    wait_for(lambda: os.path.ismount(target), 20, "the mount")
    left_open = os.open(target / "left_open", os.O_WRONLY | os.O_CREAT)
    os.write(left_open, b"not closed")
    (target / "unlinked").write_bytes(b"x")
    unlinked = os.open(target / "unlinked", os.O_RDONLY)
    os.unlink(target / "unlinked")  # it lives under a hidden name as long as it is open
    folder = os.open(target, os.O_RDONLY)
    mounted.terminate()
    assert mounted.wait(20) == 0
    assert not os.path.ismount(target)
    assert cluster.fs("-cat", "/left_open").stdout == b"not closed"
    assert b"/.cairn-unlinked-" not in cluster.fs("-ls", "-C", "/").stdout  # nothing hidden is left behind
    os.close(folder)
    for handle in unlinked, left_open:
        with pytest.raises(OSError):
            os.close(handle)


def test_killed_mount_is_repaired_by_mounting_again(cluster, tmp_path):
    target = tmp_path / "second"
    target.mkdir()
    command = ["mount", "-fs", cluster.uri, str(target)]
    run_cairn(*command, check=True)
    assert os.path.ismount(target)
    processes = subprocess.run(["pgrep", "-f", f"cairn mount.*{target}"], capture_output=True, text=True, check=True).stdout
    for pid in processes.split():  # the keeper first: it would start another one to serve
        os.kill(int(pid), 9)
    wait_for(lambda: _dead(target), 10, "the mount to be dead")
    run_cairn(*command, check=True)
    assert os.listdir(target) is not None
    subprocess.run(["umount", target], check=True)
    assert not os.path.ismount(target)


def test_what_does_not_answer_is_said_and_not_waited_for(cluster, tmp_path):
    target = tmp_path / "stopped"
    target.mkdir()
    mounted = subprocess.Popen([cairn_path(), "mount", "-fs", cluster.uri, "--foreground", target], env=client_env())
    wait_for(lambda: os.path.ismount(target), 20, "the mount")
    processes = subprocess.run(["pgrep", "-f", f"cairn mount.*{target}"], capture_output=True, text=True, check=True).stdout.split()
    for pid in processes:
        os.kill(int(pid), signal.SIGSTOP)
    try:
        again = run_cairn("mount", "-fs", cluster.uri, target)
        assert again.returncode == 1 and b"does not answer" in again.stderr and b"umount -l" in again.stderr
        assert b"no answer" in run_cairn("mount", "--status", target).stdout
    finally:
        for pid in processes:
            os.kill(int(pid), signal.SIGCONT)
    assert os.listdir(target) is not None
    mounted.terminate()
    assert mounted.wait(20) == 0


def _dead(target):
    try:
        os.listdir(target)
    except OSError as error:
        return error.errno == errno.ENOTCONN
    return False


def test_wrong_command_lines(cluster, tmp_path):
    done = run_cairn("mount", "-fs", cluster.uri, tmp_path / "missing")
    assert done.returncode == 1 and b"missing" in done.stderr
    done = run_cairn("mount", "-fs", cluster.uri, tmp_path, "--path", "/no/such")
    assert done.returncode == 1 and b"/no/such" in done.stderr and b"-mkdir -p" in done.stderr
    assert run_cairn("mount", "--nonsense").returncode == 1

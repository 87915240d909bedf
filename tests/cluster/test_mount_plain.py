"""A mount of what HDFS has words for: not by the namenode's superuser, or of any other HDFS."""
import concurrent.futures
import errno
import fcntl
import mmap
import os
import stat
import subprocess
import tempfile
import threading

import pytest

from lib.cluster import Cluster
from lib.data import MIB
from lib.mounts import Mount
from lib.posix_mounts import here, path_in_dfs
from lib.replicas import replicas_synced
from lib.waiting import wait_for


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mount-plain")
    mount = tempfile.mkdtemp(prefix="cairn-mount-")  # where other users may go too
    os.chmod(mount, 0o755)
    with Cluster(folder / "cluster", nodes=3, properties={"dfs.blocksize": 4 * MIB}) as running:
        running.fs("-chmod", "777", "/", check=True)
        with Mount(running, mount, folder / "mount.log", user="ann"):
            running.mount = mount
            yield running
    os.rmdir(mount)


def replace_elsewhere(cluster, path, content):
    """Another client gives the name to another file."""
    cluster.fs("-put", "-f", "-", path_in_dfs(cluster, path), stdin=content, check=True)
    cluster.fs("-chmod", "666", path_in_dfs(cluster, path), check=True)


def test_who_has_a_file_open_sees_what_was_written_after_a_truncation(here):
    open(here + "/f", "w").write("what it was, and long")
    reading = os.open(here + "/f", os.O_RDONLY)
    assert os.pread(reading, 100, 0) == b"what it was, and long"
    open(here + "/f", "w").write("what it is")
    assert os.pread(reading, 100, 0) == b"what it is"
    os.truncate(here + "/f", 4)
    open(here + "/f", "a").write(" now")
    assert os.pread(reading, 100, 0) == b"what now"
    os.close(reading)


def test_a_file_is_read_on_under_its_new_name(here):
    """A log that is rotated while it is read, and still written."""
    open(here + "/log", "w").write("one ")
    reading = os.open(here + "/log", os.O_RDONLY)
    assert os.pread(reading, 100, 0) == b"one "
    os.rename(here + "/log", here + "/log.1")
    open(here + "/log", "w").write("another file of that name")
    open(here + "/log.1", "a").write("two")
    assert os.fstat(reading).st_size == 7
    assert os.pread(reading, 100, 0) == b"one two"
    os.close(reading)


def test_a_file_that_was_read_and_unlinked_is_written_and_read_on(here):
    both = os.open(here + "/f", os.O_RDWR | os.O_CREAT)
    os.write(both, b"first ")
    assert os.pread(both, 100, 0) == b"first "
    os.unlink(here + "/f")
    os.write(both, b"second")
    assert os.pread(both, 100, 0) == b"first second"
    assert (os.fstat(both).st_nlink, os.fstat(both).st_size) == (0, 12)
    os.close(both)


def test_a_file_without_a_name_is_refused(here):
    for _ in range(2):
        with pytest.raises(OSError) as refused:
            os.open(here, os.O_TMPFILE | os.O_RDWR, 0o600)
        assert refused.value.errno == errno.EOPNOTSUPP


def test_a_directory_that_was_removed_is_still_one_for_who_is_in_it(here):
    os.mkdir(here + "/d", 0o750)
    folder = os.open(here + "/d", os.O_RDONLY)
    os.rmdir(here + "/d")
    st = os.fstat(folder)
    assert (st.st_mode, st.st_nlink) == (stat.S_IFDIR | 0o750, 0)
    assert os.listdir(folder) == []
    os.close(folder)


def test_what_is_written_elsewhere_is_not_appended(cluster, here):
    """O_APPEND is what the descriptor has at the time, and is nothing for a mapping."""
    both = os.open(here + "/f", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    os.write(both, b"x" * 8192)
    with mmap.mmap(both, 8192) as mapping:
        mapping[:5] = b"12345"
        with pytest.raises(OSError):
            mapping.flush()
    fcntl.fcntl(both, fcntl.F_SETFL, 0)
    with pytest.raises(OSError) as refused:
        os.pwrite(both, b"y", 3)
    assert refused.value.errno == errno.EOPNOTSUPP
    assert cluster.fs("-cat", path_in_dfs(cluster, here) + "/f").stdout == b"x" * 8192
    os.close(os.dup(both))
    cluster.fs("-appendToFile", "-", path_in_dfs(cluster, here) + "/f", stdin=b"another's", check=True)
    fcntl.fcntl(both, fcntl.F_SETFL, os.O_APPEND)
    os.write(both, b" and mine")
    os.close(both)
    assert cluster.fs("-cat", path_in_dfs(cluster, here) + "/f").stdout == b"x" * 8192 + b"another's and mine"


def test_a_name_that_is_too_long_is_said_to_be(here):
    for length, want in (255, errno.ENOENT), (256, errno.ENAMETOOLONG), (1000, errno.ENAMETOOLONG):
        for ask in os.stat, os.unlink, os.rmdir, os.listdir, lambda name: os.open(name, os.O_RDONLY):
            with pytest.raises(OSError) as error:
                ask(here + "/" + "n" * length)
            assert error.value.errno == want
    with pytest.raises(OSError) as error:
        open(here + "/" + "n" * 256, "w")
    assert error.value.errno == errno.ENAMETOOLONG


def test_a_directory_that_may_not_be_read_is_not_opened(here):
    os.mkdir(here + "/d", 0o711)
    os.mkdir(here + "/d/e")
    script = "import os\nfor name in 'd', 'd/e':\n try: os.close(os.open(name, os.O_RDONLY)); print('open')\n except PermissionError: print('denied')"
    as_nobody = ["setpriv", "--reuid", "65534", "--clear-groups", "/usr/bin/python3", "-c", script]
    assert subprocess.run(as_nobody, cwd=here, capture_output=True, check=True).stdout == b"denied\nopen\n"
    folder = os.open(here + "/d", os.O_RDONLY)
    os.rmdir(here + "/d/e")
    os.mkdir(here + "/d/new")
    assert os.listdir(folder) in (["e"], ["new"])  # as it was when it was opened, or is now
    assert os.listdir(folder) == ["new"]
    os.close(folder)


def test_what_is_done_to_a_link_is_not_done_to_what_it_leads_to(here):
    open(here + "/f", "w").close()
    os.symlink("f", here + "/s")
    os.utime(here + "/f", (1400000000, 1400000000))
    os.utime(here + "/s", (1500000000, 1500000000), follow_symlinks=False)
    with pytest.raises(OSError) as refused:
        os.chown(here + "/s", 0, 0, follow_symlinks=False)
    assert refused.value.errno == errno.EOPNOTSUPP
    assert os.stat(here + "/f").st_mtime == 1400000000
    os.utime(here + "/s", (1300000000, 1300000000))
    assert os.stat(here + "/f").st_mtime == 1300000000


def test_what_another_client_put_in_its_place_is_not_changed(cluster, here):
    writing = os.open(here + "/f", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(writing, b"mine")
    os.close(os.dup(writing))  # which completes it
    replace_elsewhere(cluster, here + "/f", b"another's, and longer")
    for change in (lambda: os.write(writing, b"late"), lambda: os.ftruncate(writing, 3)):
        with pytest.raises(OSError) as refused:
            change()
        assert refused.value.errno == errno.ENOENT
        assert cluster.fs("-cat", path_in_dfs(cluster, here) + "/f").stdout == b"another's, and longer"
    os.close(writing)


def test_a_name_that_was_believed_too_long_is_looked_up_again(cluster, here):
    for text in b"first", b"second", b"3":
        replace_elsewhere(cluster, here + "/f", text)
        assert open(here + "/f", "rb").read() == text
    os.stat(here + "/f")
    replace_elsewhere(cluster, here + "/f", b"fourth")
    open(here + "/f", "w").write("by the mount")
    assert cluster.fs("-cat", path_in_dfs(cluster, here) + "/f").stdout == b"by the mount"
    os.stat(here + "/f")
    replace_elsewhere(cluster, here + "/f", b"fifth")
    os.truncate(here + "/f", 3)
    assert cluster.fs("-cat", path_in_dfs(cluster, here) + "/f").stdout == b"fif"


def test_what_is_written_through_a_mapping_is_refused_and_not_kept(here):
    open(here + "/f", "w").write("x" * 8192)
    both = os.open(here + "/f", os.O_RDWR)
    mapping = mmap.mmap(both, 8192)
    mapping[:5] = b"12345"
    with pytest.raises(OSError) as refused:
        mapping.flush()
    assert refused.value.errno == errno.EOPNOTSUPP
    mapping.close()
    os.close(both)
    assert open(here + "/f").read() == "x" * 8192


def test_a_cairn_namenode_takes_names_of_any_bytes(here):
    for name in b"a\xff", b"a\xfe", b"\xed\xa0\x80":
        open(os.path.join(os.fsencode(here), name), "wb").write(name)
    assert sorted(os.listdir(os.fsencode(here))) == [b"a\xfe", b"a\xff", b"\xed\xa0\x80"]
    assert open(os.fsencode(here) + b"/a\xff", "rb").read() == b"a\xff"


def test_fsync_covers_what_another_handle_has_completed(cluster, here):
    with open(here + "/f", "wb", buffering=0) as f:
        f.write(os.urandom(5 * MIB))
        before = replicas_synced(cluster)
        os.close(os.dup(f.fileno()))
        assert replicas_synced(cluster) == before
        os.fsync(f.fileno())
        assert replicas_synced(cluster) == before + 2 * 3


def test_a_hidden_file_goes_when_somebody_else_closes_it(cluster, here):
    """Who has it open may read it, but change nothing in its directory."""
    open(here + "/f", "w").write("still here")
    reader = subprocess.Popen(
        ["setpriv", "--reuid", "65534", "--clear-groups", "sh", "-c", "exec 3<f; echo open; read line; cat <&3"],
        cwd=here, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert reader.stdout.readline() == b"open\n"
    os.unlink(here + "/f")
    assert b".cairn-unlinked-" in cluster.fs("-ls", path_in_dfs(cluster, here)).stdout
    assert reader.communicate(b"\n", timeout=60)[0] == b"still here"
    wait_for(lambda: cluster.fs("-ls", path_in_dfs(cluster, here)).stdout == b"", 10, "the hidden file to go")


def test_a_file_that_is_replaced_is_written_and_read_on(cluster, here):
    open(here + "/f", "w").write("what it was")
    both = os.open(here + "/f", os.O_RDWR | os.O_APPEND)
    open(here + "/new", "w").write("what it is")
    os.rename(here + "/new", here + "/f")
    assert os.write(both, b", and more") == 10
    assert os.pread(both, 100, 0) == b"what it was, and more"
    assert (os.fstat(both).st_nlink, os.listdir(here)) == (0, ["f"])
    assert open(here + "/f").read() == "what it is"
    os.close(both)
    wait_for(lambda: cluster.fs("-ls", path_in_dfs(cluster, here)).stdout.count(b"/") == 2, 10, "the hidden file to go")


def test_who_opens_a_file_that_is_replaced_finds_the_old_or_the_new_one(here):
    contents = [f"version {i} ".encode() * 1000 for i in range(100)]
    open(here + "/f", "wb").write(contents[0])
    found, has_ended = set(), threading.Event()

    def look():
        while not has_ended.is_set():
            try:
                with open(here + "/f", "rb") as f:
                    found.add(f.read())
            except OSError as error:
                assert error.errno == errno.ESTALE, error  # it was replaced twice while the kernel looked for it

    with concurrent.futures.ThreadPoolExecutor() as threads:
        looking = [threads.submit(look) for _ in range(3)]
        for content in contents:
            with open(here + "/f", "rb"):
                open(here + "/new", "wb").write(content)
                os.rename(here + "/new", here + "/f")
        has_ended.set()
    for each in looking:
        each.result()
    assert found <= set(contents)


def test_a_file_that_was_not_replaced_keeps_its_name(cluster, here):
    cluster.fs("-mkdir", path_in_dfs(cluster, here) + "/locked", check=True)
    cluster.fs("-put", "-", path_in_dfs(cluster, here) + "/locked/f", stdin=b"stays there", check=True)
    cluster.fs("-chmod", "755", path_in_dfs(cluster, here) + "/locked", check=True)
    open(here + "/f", "w").write("what it is")
    with open(here + "/f", "a", buffering=1) as f:
        with pytest.raises(PermissionError):
            os.rename(here + "/locked/f", here + "/f")
        f.write(" still\n")
        assert os.fstat(f.fileno()).st_nlink == 1
    assert open(here + "/f").read() == "what it is still\n"
    assert cluster.fs("-cat", path_in_dfs(cluster, here) + "/f").stdout == b"what it is still\n"


def test_a_file_that_could_not_be_closed_can_be_written_again(cluster, here):
    """Though the mount goes on writing others, and so keeps what it has open."""
    other = os.open(here + "/other", os.O_WRONLY | os.O_CREAT)
    os.write(other, b"begun")
    writing = os.open(here + "/f", os.O_WRONLY | os.O_CREAT)
    os.write(writing, b"reached the datanodes, ")
    os.fsync(writing)
    killed = [cluster.kill(f"datanode-{i}")["name"] for i in (1, 2, 3)]
    os.write(writing, b"did not")
    with pytest.raises(OSError):
        os.close(writing)
    for name in killed:
        cluster.start_again(name)
    cluster.wait_for_datanodes()

    def appends():
        try:
            with open(here + "/f", "ab", buffering=0) as f:
                return f.write(b"and went on")
        except OSError as error:
            assert error.errno in (errno.EBUSY, errno.EAGAIN, errno.EIO), error
            return 0

    wait_for(appends, 60, "the file to be writable again")
    assert open(here + "/f", "rb").read() in (b"reached the datanodes, and went on", b"reached the datanodes, did notand went on")
    os.close(other)

"""Stock Java `hdfs dfs`: the same commands against Apache's servers, which proves the test, and against ours."""
import re

import pytest

from lib import data
from lib.waiting import wait_for

SIZES = {"empty": 0, "one-byte": 1, "odd": 100_001, "two-blocks": 3 * data.MIB + 17}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Local files of SIZES and their hashes: {name: (path, size, SHA-256)}."""
    folder = tmp_path_factory.mktemp("files")
    made = {}
    for seed, (name, size) in enumerate(SIZES.items()):
        path = str(folder / name)
        made[name] = (path, size, data.write_file(path, size, seed))
    return made


def small_blocks(*args):
    return ("-D", f"dfs.blocksize={data.MIB}", *args)


def test_mkdir_and_ls(server, where):
    server.java("-mkdir", f"{where}/plain")
    server.java("-mkdir", "-p", f"{where}/a/b/c")
    lines = server.java("-ls", "-R", where).decode().splitlines()
    assert [line.split()[-1] for line in lines] == [f"{where}/{name}" for name in ("a", "a/b", "a/b/c", "plain")]
    assert all(re.match(r"drwxr-xr-x   - root +supergroup +0 \d{4}-\d\d-\d\d \d\d:\d\d /", line) for line in lines)
    again = server.java("-mkdir", f"{where}/plain", check=False)
    assert (again.returncode, again.stderr.decode()) == (1, f"mkdir: `{where}/plain': File exists\n")
    orphan = server.java("-mkdir", f"{where}/no/such/parent", check=False)
    assert orphan.returncode == 1 and b"No such file or directory" in orphan.stderr


@pytest.mark.parametrize("name", SIZES)
def test_put_get_cat_stat(server, where, files, tmp_path, name):
    path, size, sha256 = files[name]
    server.java(*small_blocks("-put", path, f"{where}/{name}"))
    assert data.sha256_bytes(server.java("-cat", f"{where}/{name}")) == sha256
    server.java("-get", f"{where}/{name}", str(tmp_path / "back"))
    assert data.sha256_file(tmp_path / "back") == sha256
    assert server.java("-stat", "%n %b %F %o %r %u %g %a", f"{where}/{name}").decode() == (
        f"{name} {size} regular file {data.MIB} 3 root supergroup 644\n"
    )
    assert server.java("-ls", f"{where}/{name}").decode().split()[:5] == ["-rw-r--r--", "3", "root", "supergroup", str(size)]
    again = server.java("-put", path, f"{where}/{name}", check=False)
    assert (again.returncode, again.stderr.decode()) == (1, f"put: `{where}/{name}': File exists\n")


def test_300_mb(server, where, tmp_path):
    sha256 = data.write_file(str(tmp_path / "big"), 300_000_000, 7)
    server.java("-D", f"dfs.blocksize={64 * data.MIB}", "-put", str(tmp_path / "big"), where)
    server.java("-get", f"{where}/big", str(tmp_path / "back"))
    assert data.sha256_file(tmp_path / "back") == sha256
    assert server.java("-du", "-s", where).decode().split() == ["300000000", "900000000", where]
    report = server.fsck(where, "-files", "-blocks")
    assert "5 block(s)" in report and "is HEALTHY" in report and re.search(r"Under-replicated blocks:\s+0 ", report)
    server.java("-rm", "-skipTrash", f"{where}/big")


def test_many_files(server, where, tmp_path):
    for number in range(200):
        data.write_file(str(tmp_path / f"in/d{number % 7}/f{number}"), number * 37, number)
    server.java("-put", "-t", "4", str(tmp_path / "in"), where)
    server.java("-get", "-t", "4", f"{where}/in", str(tmp_path / "out"))
    assert data.tree_hashes(tmp_path / "out") == data.tree_hashes(tmp_path / "in")
    total = 37 * sum(range(200))
    assert server.java("-count", where).decode().split() == ["9", "200", str(total), where]


def test_mv_and_rm(server, where, files):
    path, _, sha256 = files["two-blocks"]
    server.java("-mkdir", "-p", f"{where}/a/deep", f"{where}/b")
    server.java(*small_blocks("-put", path, f"{where}/a/deep/file"))
    server.java("-mv", f"{where}/a", f"{where}/b")
    server.java("-mv", f"{where}/b/a/deep/file", f"{where}/renamed")
    assert data.sha256_bytes(server.java("-cat", f"{where}/renamed")) == sha256
    missing = server.java("-mv", f"{where}/nope", f"{where}/x", check=False)
    assert (missing.returncode, missing.stderr.decode()) == (1, f"mv: `{where}/nope': No such file or directory\n")
    into_itself = server.java("-mv", f"{where}/b", f"{where}/b/a/deep", check=False)
    assert into_itself.returncode == 1
    refused = server.java("-rm", f"{where}/b", check=False)
    assert (refused.returncode, refused.stderr.decode()) == (1, f"rm: `{where}/b': Is a directory\n")
    assert server.java("-rm", "-r", f"{where}/b").decode() == f"Deleted {where}/b\n"
    assert server.java("-test", "-e", f"{where}/b", check=False).returncode == 1
    server.java("-rm", f"{where}/renamed")
    assert server.java("-ls", where) == b""


def test_du(server, where, files):
    server.java("-mkdir", f"{where}/sub")
    for name in "odd", "two-blocks":
        server.java("-put", files[name][0], f"{where}/sub/{name}")
    server.java("-setrep", "1", f"{where}/sub/odd")
    odd, two = SIZES["odd"], SIZES["two-blocks"]
    rows = [line.split() for line in server.java("-du", f"{where}/sub").decode().splitlines()]
    assert rows == [[str(odd), str(odd), f"{where}/sub/odd"], [str(two), str(3 * two), f"{where}/sub/two-blocks"]]
    assert server.java("-du", "-s", where).decode().split()[:2] == [str(odd + two), str(odd + 3 * two)]


def test_checksum(server, where, files):
    """The composite checksum does not depend on blocks, so it is known beforehand; the MD5 one must not depend on
    which replica or client is asked."""
    server.java(*small_blocks("-put", files["two-blocks"][0], f"{where}/small"))
    server.java("-put", files["two-blocks"][0], f"{where}/large")
    md5 = [server.java("-checksum", f"{where}/{name}").decode().split()[1:] for name in ("small", "large", "small")]
    assert md5[0] == md5[2] != md5[1]
    assert md5[0][0] == "MD5-of-2048MD5-of-512CRC32C" and len(md5[0][1]) == 56
    composite = [
        server.java("-D", "dfs.checksum.combine.mode=COMPOSITE_CRC", "-checksum", f"{where}/{name}").decode().split()[1:]
        for name in ("small", "large")
    ]
    assert composite[0] == composite[1] and composite[0][0] == "COMPOSITE-CRC32C"


def test_checksum_is_the_same_on_both_servers(apache_server, cairn_server, files):
    answers = set()
    for server in apache_server, cairn_server:
        server.java(*small_blocks("-put", "-f", files["two-blocks"][0], "/same-checksum"))
        answers.add(server.java("-checksum", "/same-checksum"))
    assert len(answers) == 1


def test_head_and_tail(server, where, files):
    path = files["odd"][0]
    server.java("-put", path, f"{where}/odd")
    content = open(path, "rb").read()
    assert server.java("-tail", f"{where}/odd") == content[-1024:]
    assert server.java("-head", f"{where}/odd") == content[:1024]


def test_append_and_truncate(server, where, files):
    first, second = (files[name][0] for name in ("odd", "two-blocks"))
    server.java(*small_blocks("-put", first, f"{where}/file"))
    # An append extends the replicas that are known by then; a late report of the third would make it fail on Apache.
    wait_for(lambda: "Live_repl=3" in server.fsck(where, "-files", "-blocks"), 20, "three reported replicas")
    server.java("-appendToFile", second, f"{where}/file")
    content = open(first, "rb").read() + open(second, "rb").read()
    assert server.java("-cat", f"{where}/file") == content
    server.java("-truncate", "-w", "70000", f"{where}/file")
    assert server.java("-cat", f"{where}/file") == content[:70000]


def test_chmod_chown(server, where, files):
    server.java("-put", files["one-byte"][0], f"{where}/file")
    server.java("-chmod", "-R", "750", where)
    server.java("-chmod", "u+x,o+r", f"{where}/file")
    server.java("-chown", "alice:staff", f"{where}/file")
    assert server.java("-stat", "%a %A %u %g", f"{where}/file").decode() == "754 rwxr-xr-- alice staff\n"
    server.java("-chmod", "1777", where)
    assert server.java("-ls", "-d", where).decode().startswith("drwxrwxrwt ")


def test_permissions_hold_for_others(server, where, files):
    """Another user may not write into a folder of ours; the client says who, what and where."""
    server.java("-put", files["one-byte"][0], f"{where}/mine")
    server.java("-chmod", "600", f"{where}/mine")
    server.java("-mkdir", f"{where}/hers")
    server.java("-chown", "alice", f"{where}/hers")
    server.java("-mkdir", f"{where}/hers/sub", user="alice")
    assert server.java("-stat", "%u", f"{where}/hers/sub", user="bob") == b"alice\n"
    for args, access, inode in (
        (("-mkdir", f"{where}/new"), "WRITE", f'"{where}":root:supergroup:drwxr-xr-x'),
        (("-cat", f"{where}/mine"), "READ", f'"{where}/mine":root:supergroup:-rw-------'),
        (("-rm", f"{where}/mine"), "WRITE", f'"{where}":root:supergroup:drwxr-xr-x'),
    ):
        refused = server.java(*args, user="alice", check=False)
        assert refused.returncode == 1
        assert f"Permission denied: user=alice, access={access}, inode={inode}" in refused.stderr.decode()
    refused = server.java("-chown", "bob", f"{where}/hers", user="alice", check=False)
    assert refused.returncode == 1 and b"chown: changing ownership of" in refused.stderr

def test_setrep_waits(server, where, files):
    server.java("-D", "dfs.replication=1", *small_blocks("-put", files["two-blocks"][0], f"{where}/file"))
    output = server.java("-setrep", "-w", "2", f"{where}/file").decode()
    assert output.startswith(f"Replication 2 set: {where}/file\nWaiting for {where}/file ...") and output.endswith(" done\n")
    assert server.java("-stat", "%r", f"{where}/file").decode() == "2\n"
    assert server.java("-setrep", "1", f"{where}/file").decode() == f"Replication 1 set: {where}/file\n"

    def live_replicas(count):
        return server.fsck(where, "-files", "-blocks", "-locations").count(f"Live_repl={count}") == 4

    wait_for(lambda: live_replicas(1), 20, "four blocks with one replica each")


def test_touchz_test_count_find(server, where):
    server.java("-touchz", f"{where}/zero")
    server.java("-mkdir", f"{where}/dir")
    for flag, path, code in ("-e", "zero", 0), ("-z", "zero", 0), ("-d", "zero", 1), ("-d", "dir", 0), ("-f", "dir", 1):
        assert server.java("-test", flag, f"{where}/{path}", check=False).returncode == code, (flag, path)
    assert server.java("-count", where).decode().split() == ["2", "1", "0", where]
    assert server.java("-find", where, "-name", "z*").decode() == f"{where}/zero\n"


def test_getmerge_cp_concat(server, where, files, tmp_path):
    for name in "odd", "one-byte":
        server.java("-put", files[name][0], f"{where}/{name}")
    server.java("-cp", f"{where}/odd", f"{where}/copy")
    both = open(files["odd"][0], "rb").read() + open(files["one-byte"][0], "rb").read()
    server.java("-getmerge", f"{where}/odd", f"{where}/one-byte", str(tmp_path / "merged"))
    assert (tmp_path / "merged").read_bytes() == both
    server.java("-concat", f"{where}/copy", f"{where}/one-byte", f"{where}/odd")
    assert server.java("-cat", f"{where}/copy") == both + both[:-1]
    assert server.java("-ls", "-C", where).decode() == f"{where}/copy\n"


def test_glob(server, where):
    for name in "part-00000", "part-00001", "_SUCCESS", "other":
        server.java("-touchz", f"{where}/{name}")
    rows = server.java("-ls", "-C", f"{where}/part-*", f"{where}/{{_S*,oth?r}}").decode().splitlines()
    assert rows == [f"{where}/{name}" for name in ("part-00000", "part-00001", "_SUCCESS", "other")]


def test_df_and_report(server):
    size, used, available = map(int, server.java("-df", "/").decode().splitlines()[1].split()[1:4])
    assert size > available > 0 and used >= 0
    report = server.dfsadmin("-report")
    assert "Live datanodes (3):" in report and re.search(r"^Configured Capacity: \d+ ", report, re.M)
    assert server.dfsadmin("-safemode", "get") == "Safe mode is OFF\n"
    assert "Rack: /default-rack" in server.dfsadmin("-printTopology")


def test_safe_mode_refuses_writes(server, where):
    assert server.dfsadmin("-safemode", "enter") == "Safe mode is ON\n"
    try:
        refused = server.java("-mkdir", f"{where}/no", check=False)
        assert refused.returncode == 1 and b"Name node is in safe mode" in refused.stderr
        server.java("-ls", where)
    finally:
        server.dfsadmin("-safemode", "leave")
    server.java("-mkdir", f"{where}/yes")

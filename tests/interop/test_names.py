"""Files of several names and special files, which HDFS does not know, as its own shell sees them."""
import os
import stat

from lib.posix_names import Names


def test_java_takes_every_name_for_a_file(cairn_server, tmp_path):
    cairn_server.java("-mkdir", "-p", "/names/in")
    (tmp_path / "first").write_bytes(b"first\n")
    cairn_server.java("-put", "-f", str(tmp_path / "first"), "/names/a")
    with Names(cairn_server.cluster) as names:
        names.link(names.id("/names/a"), names.id("/names/in"), "b")
    cairn_server.java("-appendToFile", str(tmp_path / "first"), "/names/in/b")
    assert cairn_server.java("-cat", "/names/a") == b"first\nfirst\n"
    cairn_server.java("-setrep", "2", "/names/in/b")
    assert cairn_server.java("-stat", "%r %b", "/names/a") == b"2 12\n"
    assert cairn_server.java("-count", "/names").split()[:3] == [b"2", b"2", b"24"]
    assert cairn_server.java("-du", "-s", "/names").split()[:2] == [b"24", b"24"]  # two copies of one content
    cairn_server.java("-mv", "/names/a", "/names/c")
    cairn_server.java("-rm", "-r", "-skipTrash", "/names/in")
    assert cairn_server.java("-cat", "/names/c") == b"first\nfirst\n"


def test_java_takes_special_files_for_empty_ones(cairn_server, tmp_path):
    cairn_server.java("-mkdir", "-p", "/special")
    with Names(cairn_server.cluster) as names:
        folder = names.id("/special")
        for name, mode in [("fifo", stat.S_IFIFO), ("socket", stat.S_IFSOCK), ("block", stat.S_IFBLK)]:
            names.make(folder, name, mode | 0o6755)
    listing = cairn_server.java("-ls", "/special").decode().splitlines()[1:]
    assert [(line.split()[0], line.split()[4]) for line in listing] == [("-rwxr-xr-x", "0")] * 3
    cairn_server.java("-cp", "/special", "/copies")
    cairn_server.java("-get", "/special", str(tmp_path / "back"))
    for name in ["fifo", "socket", "block"]:
        assert cairn_server.java("-cat", f"/special/{name}") == b""
        assert os.path.getsize(tmp_path / "back" / name) == 0
    assert cairn_server.java("-count", "/copies").split()[:3] == [b"1", b"3", b"0"]
    cairn_server.java("-chmod", "1777", "/special/fifo")
    cairn_server.java("-rm", "-r", "-skipTrash", "/special")

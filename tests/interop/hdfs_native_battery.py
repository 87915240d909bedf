"""What hdfs-native, the client written in Rust, can do: hdfs_native_battery.py URI prints one line for each step, in
which nothing depends on the server but its answers. Whatever it raises is an answer, too."""
import hashlib
import json
import re
import sys
import time

from hdfs_native import AclEntry, Client, WriteOptions

MIB = 1 << 20
steps = []


def step(function):
    steps.append(function)
    return function


def status(s):
    return [s.path, s.length, s.isdir, oct(s.permission), s.owner, s.group, s.replication, s.blocksize]


def put(client, path, content, **options):
    with client.create(path, WriteOptions(**options)) as file:
        for start in range(0, len(content), 700_001):
            file.write(content[start : start + 700_001])


def content(size):
    return bytes(hashlib.shake_128(str(size).encode()).digest(size))


@step
def directories(c):
    c.mkdirs("/native/a/b", create_parent=True)
    c.mkdirs("/native/c", permission=0o700)
    yield [status(s) for s in sorted(c.list_status("/native"), key=lambda s: s.path)]
    yield c.mkdirs("/native/no/parent")


@step
def write_and_read(c):
    for size in 0, 1, 100_001, 5 * MIB + 17:
        put(c, f"/native/f{size}", content(size), block_size=MIB, replication=2)
        with c.read(f"/native/f{size}") as file:
            yield size, len(file), file.read() == content(size)
    yield status(c.get_file_info("/native/f100001"))


@step
def read_ranges(c):
    data = content(5 * MIB + 17)
    with c.read(f"/native/f{len(data)}") as file:
        yield file.read_range(MIB - 3, 10) == data[MIB - 3 : MIB + 7]
        yield b"".join(file.read_range_stream(100, 3 * MIB)) == data[100 : 100 + 3 * MIB]
        file.seek(4 * MIB)
        yield file.read(2 * MIB) == data[4 * MIB :]


@step
def append_and_hsync(c):
    with c.append("/native/f100001") as file:
        file.write(b"more")
        file.hsync()
        with c.read("/native/f100001") as reader:
            yield len(reader)
    with c.read("/native/f100001") as reader:
        yield reader.read() == content(100_001) + b"more"


@step
def overwrite(c):
    yield put(c, "/native/f1", b"again", overwrite=True)
    yield c.get_file_info("/native/f1").length
    yield put(c, "/native/f1", b"again")


@step
def rename_and_delete(c):
    yield c.rename("/native/f1", "/native/a/f1")
    yield c.rename("/native/a/f1", "/native/f0", overwrite=True)
    yield c.delete("/native/f0"), c.delete("/native/f0")
    yield c.delete("/native/a")


@step
def attributes(c):
    path = "/native/f100001"
    c.set_permission(path, 0o640)
    c.set_owner(path, "alice", "staff")
    c.set_times(path, 1234567890123, 1234567891123)
    yield c.set_replication(path, 1)
    s = c.get_file_info(path)
    yield status(s), s.modification_time, s.access_time


@step
def acl(c):
    path = "/native/c"
    entry = lambda kind, name, rwx, scope: AclEntry(kind, scope, rwx, name)
    c.modify_acl_entries(path, [entry("user", "bob", "r-x", "access"), entry("user", "eve", "rwx", "default")])
    got = c.get_acl_status(path)
    yield got.owner, got.group, got.sticky, sorted(str([e.type, e.scope, e.permissions, e.name]) for e in got.entries)
    c.remove_default_acl(path)
    yield len(c.get_acl_status(path).entries)
    c.remove_acl(path)
    yield len(c.get_acl_status(path).entries)


@step
def glob_and_summary(c):
    yield sorted(s.path for s in c.glob_status("/native/f*"))
    s = c.get_content_summary("/native")
    yield s.length, s.file_count, s.directory_count, s.quota, s.space_consumed, s.space_quota
    yield sorted(s.path for s in c.list_status("/native", recursive=True))


@step
def many_names(c):
    for i in range(1100):
        c.mkdirs(f"/native/many/{i:04}", create_parent=True)
    yield len(list(c.list_status("/native/many")))


@step
def lease(c):
    file = c.create("/native/open")
    file.write(b"x" * 1000)
    file.hsync()
    for _ in range(300):
        if c.recover_lease("/native/open"):
            break
        time.sleep(0.1)
    yield c.get_file_info("/native/open").length


@step
def what_is_not_there(c):
    yield c.get_file_info("/native/none")


def main():
    uri = sys.argv[1]
    client = Client(uri, {"fs.defaultFS": uri})
    client.delete("/native", recursive=True)
    for function in steps:
        answers = []
        try:
            for answer in function(client):
                answers.append(answer)
        except Exception as error:
            text = re.sub(r"(\\n\\tat |\n\s+at ).*", "", str(error), flags=re.S).rstrip('")')  # without Apache's own stack
            answers.append(f"{type(error).__name__}: {text}".strip())
        print(json.dumps([function.__name__, answers], default=str))


main()

"""The command lines on which `cairn fs` is held against Hadoop's own shell, as data.

READ_ONLY cases run one after the other on the tree that READ_ONLY_TREE builds. Every case of CHANGING starts from
nothing: an empty folder /w in the file system and an empty local folder {local}, then its `given` lines, by Java.

`given` and `run` are command lines of `hadoop fs`, one per line, split as a shell does; "text > line" pipes text
(with \\n) into a command. Local files come from `files`: {name below {local}: content}."""
from dataclasses import dataclass, field


@dataclass
class Case:
    run: str
    given: str = ""
    files: dict = field(default_factory=dict)
    mask: str = ""  # one more regular expression whose matches may differ
    stdout: str = "all"  # or "first": only the first line must be the same
    stderr: str = "all"  # or "first": only the first line must be the same; or "any"
    name: str = ""

    def __str__(self):
        return self.name or self.run.replace("{local}", "LOCAL").replace("\n", " ; ")[:90]


READ_ONLY_TREE = r"""
    -mkdir -p /w/dir/sub/deep /w/empty-dir /w/dir/other
    hello\nworld\n > -put - /w/hello
    a\n > -put - /w/dir/a.txt
    bb\n > -put - /w/dir/b.txt
    ccc\n > -put - /w/dir/sub/c.csv
    x > -put - "/w/dir/with space"
    -put {local}/lines /w/lines
    -put {local}/gz.gz /w/gz.gz
    -D dfs.blocksize=1048576 -put {local}/large /w/dir/large
    -touchz /w/zero
    -setrep 2 /w/hello
    -setrep 1 /w/dir/large
    -chmod 600 /w/dir/a.txt
    -chmod 1777 /w/empty-dir
    -chown alice:staff /w/dir/b.txt
    -touch -t 20200102:030405 /w/dir/a.txt
    -touch -t 20200102:030406 /w/dir/b.txt
    -touch -t 20200102:030407 /w/hello
    -touch -t 20200102:030408 /w/lines
    -touch -t 20200102:030409 /w/zero
    -touch -t 20200102:030410 /w/gz.gz
"""

READ_ONLY = [Case(f"-help {command}", stdout="first") for command in ("ls", "put", "stat", "count")]
READ_ONLY += [
    Case(line.strip())
    for line in r"""
        -ls /w
        -ls /w/hello
        -ls -d /w
        -ls -d /w /w/dir
        -ls -R /w
        -ls -h /w/dir
        -ls -C /w
        -ls -C -R /w
        -ls -q /w
        -ls -r /w
        -ls -S /w
        -ls -S -r /w
        -ls -t -r /w/hello /w/lines
        -ls -u /w/hello
        -ls /w/nope
        -ls /w/nope /w/hello
        -ls /w/empty-dir
        -ls /w/hello /w/dir
        -ls /w/*.gz /w/dir/*
        -ls /w/dir/*.nope
        -ls '/w/{hello,lines,nope}'
        -ls /w/dir/[ab].txt
        -ls /w/dir/[^a].txt
        -ls /w/dir/?.txt
        -ls '/w/dir/with space'
        -ls /w//dir/../hello
        -ls -e /w/dir
        -ls -bogus /w
        -lsr /w/dir
        -cat /w/hello
        -cat /w/hello /w/dir/a.txt
        -cat /w/dir
        -cat /w/nope
        -cat /w/nope /w/hello
        -cat /w/dir/*.txt
        -cat
        -text /w/hello
        -text /w/gz.gz
        -text /w/nope
        -head /w/lines
        -head /w/hello
        -head /w/dir
        -tail /w/lines
        -tail /w/hello
        -tail /w/nope
        -tail /w/dir
        -tail /w/hello /w/lines
        -stat /w/hello
        -stat '%n %b %o %r %F %a %A %u %g' /w/hello /w/dir /w/zero
        -stat '%y %Y %x %X' /w/hello
        -stat 'a%%b' /w/hello
        -stat '%q%n' /w/hello
        -stat %n /w/nope
        -stat %n /w/dir/*
        -du /w
        -du -s /w
        -du -h /w
        -du -s -h /w /w/dir
        -du -v /w/dir
        -du -x /w/dir
        -du /w/nope
        -du /w/hello
        -du -s /w/dir/*.txt /w/nope
        -dus /w/dir
        -count /w
        -count -h /w
        -count -q /w
        -count -q -h /w
        -count -v /w
        -count -q -v /w
        -count -u /w
        -count -h -v /w/hello
        -count /w/nope
        -count /w/dir/* /w/zero
        -test -e /w/hello
        -test -e /w/nope
        -test -d /w/dir
        -test -d /w/hello
        -test -f /w/hello
        -test -f /w/dir
        -test -z /w/zero
        -test -z /w/hello
        -test -s /w/hello
        -test -s /w/zero
        -test -r /w/hello
        -test -w /w/hello
        -test -e
        -test /w/hello
        -test -q /w/hello
        -checksum /w/hello
        -checksum /w/zero
        -checksum /w/dir/large
        -checksum /w/hello /w/lines
        -checksum /w/dir
        -checksum /w/nope
        -checksum -v /w/hello
        -D dfs.checksum.combine.mode=COMPOSITE_CRC -checksum /w/dir/large
        -find /w
        -find /w -name '*.txt'
        -find /w -iname '*.TXT' -print
        -find /w/dir -name a.txt -o -name b.txt
        -find /w/dir /w/hello
        -find /w/nope
        -find /w -name '*.txt' -print0
        -find /w -bogus
        -usage ls
        -usage nope
        -help nope
        -getfacl /w/hello
        -getfacl /w/empty-dir
        -cat /w/dir/large /w/zero
        -ls hdfs:///w/hello
        -ls file:///nope
        -ls bogus://x/y
        -ls
        ls
        -mkdir
        -put
        -get
        -rm
        -mv /w/hello
        -cp /w/hello
        -stat
        -tail
        -head
        -touchz
        -chmod 755
        -chmod
        -setrep 3
        -setrep /w/hello
        -count
        -checksum
        -rmdir
        -getmerge
        -truncate
        -du -q /w
    """.splitlines()
    if line.strip()
]
READ_ONLY += [
    Case("-df /", mask=r"\d+", name="-df /"),
    Case("-df -h /w", mask=r"[\d.]+( [KMGT])?", name="-df -h /w"),
    Case("-df /nope"),
    Case("-bogus", stderr="first"),
    Case("-cat hdfs://127.0.0.1:1/x", stderr="any", name="namenode that is not there"),
]

HELLO = r"hello\nworld\n > -put - /w/f"
PAIR = HELLO + "\n-mkdir /w/d"
# One replica: all are reported when -put ends. With three, an append right after sees as many as were reported by then.
ONCE = r"hello\nworld\n > -D dfs.replication=1 -put - /w/f"
CHANGING = [
    # mkdir
    Case("-mkdir /w/a"),
    Case("-mkdir /w/a /w/b"),
    Case("-mkdir /w"),
    Case("-mkdir -p /w"),
    Case("-mkdir /w/a/b/c"),
    Case("-mkdir -p /w/a/b/c"),
    Case("-mkdir /w/f/x", HELLO),
    Case("-mkdir -p /w/f/x", HELLO),
    Case("-mkdir /w/f", HELLO),
    Case("-mkdir -p /w/f", HELLO),
    Case("-D fs.permissions.umask-mode=077 -mkdir /w/private"),
    # put
    Case("-put {local}/x /w", files={"x": "data"}),
    Case("-put {local}/x /w/y", files={"x": "data"}),
    Case("-put {local}/x /w/", files={"x": "data"}),
    Case("-put {local}/x /w/f", HELLO, files={"x": "data"}),
    Case("-put -f {local}/x /w/f", HELLO, files={"x": "data"}),
    Case("-put {local}/nope /w"),
    Case("-put {local}/x {local}/y /w/d", PAIR, files={"x": "1", "y": "2"}),
    Case("-put {local}/x {local}/y /w/nope", files={"x": "1", "y": "2"}),
    Case("-put {local}/x {local}/y /w/f", HELLO, files={"x": "1", "y": "2"}),
    Case("-put {local}/t /w", files={"t/x": "1", "t/u/y": "2", "t/u/z": ""}),
    Case("-put {local}/t /w/new", files={"t/x": "1", "t/u/y": "2"}),
    Case("-put {local}/t /w/d", PAIR, files={"t/x": "1", "t/u/y": "2"}),
    Case("-put {local}/x /w/no/parent", files={"x": "1"}),
    Case("-put {local}/x /w/f/x", HELLO, files={"x": "1"}),
    Case("-put -p {local}/x /w", files={"x": "1"}),
    Case("-put -d {local}/x /w", files={"x": "1"}),
    Case("-put -l {local}/x /w", files={"x": "1"}),
    Case("-put {local}/*.a /w", files={"1.a": "1", "2.a": "2", "3.b": "3"}),
    # Not here: -put of a local name with a blank in it. Hadoop takes it for a URI and does not find it; we do.
    Case("-put -bogus {local}/x /w", files={"x": "1"}),
    Case(r"from stdin\n > -put - /w/in"),
    Case(r"from stdin\n > -put -f - /w/f", HELLO),
    Case(r"from stdin\n > -put - /w/f", HELLO),
    Case("-put -t 3 {local}/t /w", files={f"t/{n}": str(n) for n in range(12)}),
    Case("-D dfs.replication=1 -D dfs.blocksize=1048576 -put {local}/x /w", files={"x": "1"}),
    Case("-D dfs.bytes-per-checksum=1024 -put {local}/x /w", files={"x": "1" * 5000}),
    Case("-D dfs.checksum.type=CRC32 -put {local}/x /w", files={"x": "1" * 5000}),
    Case("-copyFromLocal {local}/x /w", files={"x": "1"}),
    Case("-copyFromLocal -f {local}/x /w/f", HELLO, files={"x": "1"}),
    Case("-moveFromLocal {local}/x /w", files={"x": "1"}),
    Case("-moveFromLocal {local}/t /w", files={"t/x": "1"}),
    Case("-moveFromLocal {local}/x /w/f", HELLO, files={"x": "1"}),
    # get
    Case("-get /w/f {local}", HELLO),
    Case("-get /w/f {local}/g", HELLO),
    Case("-get /w/f {local}/g", HELLO, files={"g": "old"}),
    Case("-get -f /w/f {local}/g", HELLO, files={"g": "old"}),
    Case("-get /w/nope {local}"),
    Case("-get /w/f {local}/no/parent", HELLO),
    Case("-get /w/d {local}", PAIR + "\n1 > -put - /w/d/x\n-mkdir /w/d/e"),
    Case("-get /w/d {local}/new", PAIR + "\n1 > -put - /w/d/x"),
    Case("-get /w/f /w/d {local}", PAIR),
    Case("-get '/w/*' {local}", PAIR),
    Case("-get -p /w/f {local}/g", HELLO + "\n-chmod 640 /w/f\n-touch -t 20200102:030405 /w/f"),
    Case("-get -crc /w/f {local}/g", HELLO),
    Case("-copyToLocal /w/f {local}/g", HELLO),
    Case("-moveToLocal /w/f {local}/g", HELLO),
    Case("-getmerge /w/d {local}/m", "-mkdir /w/d\n1 > -put - /w/d/a\n2 > -put - /w/d/b\n-mkdir /w/d/sub\n3 > -put - /w/d/sub/c"),
    Case("-getmerge -nl /w/d {local}/m", "-mkdir /w/d\n1 > -put - /w/d/a\n2 > -put - /w/d/b\n-touchz /w/d/c"),
    Case("-getmerge -nl -skip-empty-file /w/d {local}/m", "-mkdir /w/d\n1 > -put - /w/d/a\n-touchz /w/d/c"),
    Case("-getmerge /w/f /w/f {local}/m", HELLO),
    Case("-getmerge /w/nope {local}/m"),
    # mv, cp
    Case("-mv /w/f /w/g", HELLO),
    Case("-mv /w/f /w/d", PAIR),
    Case("-mv /w/f /w/f", HELLO),
    Case("-mv /w/d /w/d/sub", PAIR),
    Case("-mv /w/f /w/no/g", HELLO),
    Case("-mv /w/nope /w/g"),
    Case("-mv /w/f /w/g", HELLO + "\n-touchz /w/g"),
    Case("-mv /w/f /w/g /w/d", PAIR + "\n-touchz /w/g"),
    Case("-mv /w/f /w/g /w/nope", PAIR + "\n-touchz /w/g"),
    Case("-mv /w/d /w/f", PAIR),
    Case("-mv /w/f file:///tmp/x", HELLO),
    Case("-cp /w/f /w/g", HELLO),
    Case("-cp /w/f /w/d", PAIR),
    Case("-cp /w/f /w/g", HELLO + "\n-touchz /w/g"),
    Case("-cp -f /w/f /w/g", HELLO + "\n-touchz /w/g"),
    Case("-cp /w/d /w/e", PAIR + "\n1 > -put - /w/d/x"),
    Case("-cp /w/d /w/d/sub", PAIR + "\n1 > -put - /w/d/x"),
    Case("-cp /w/f /w/f", HELLO),
    Case("-cp -p /w/f /w/g", HELLO + "\n-chmod 640 /w/f\n-chown alice:staff /w/f\n-touch -t 20200102:030405 /w/f"),
    Case("-cp /w/nope /w/g"),
    Case("-cp '/w/*' /w/d", PAIR + "\n-touchz /w/g"),
    Case("-cp file://{local}/x /w/y", files={"x": "1"}),
    # rm
    Case("-rm /w/f", HELLO),
    Case("-rm -skipTrash /w/f", HELLO),
    Case("-rm /w/nope"),
    Case("-rm -f /w/nope"),
    Case("-rm /w/nope /w/f", HELLO),
    Case("-rm /w/d", PAIR),
    Case("-rm -r /w/d", PAIR + "\n-touchz /w/d/x"),
    Case("-rm -R /w/d", PAIR),
    Case("-rm -r -f /w/d /w/nope", PAIR),
    Case("-rm '/w/*.x'", "-touchz /w/1.x\n-touchz /w/2.x\n-touchz /w/3.y"),
    Case("-rm '/w/*.nope'"),
    Case("-rm -f '/w/*.nope'"),
    Case("-rmr /w/d", PAIR),
    Case("-rm -r /", stderr="first"),
    Case("-D fs.trash.interval=60 -rm /w/f", HELLO),
    Case("-D fs.trash.interval=60 -rm -skipTrash /w/f", HELLO),
    Case("-D fs.trash.interval=60 -rm -r /w/d /w/f", PAIR + "\n-touchz /w/d/x"),
    Case("-D fs.trash.interval=60 -expunge"),
    Case("-D fs.trash.interval=60 -expunge -immediate", HELLO + "\n-D fs.trash.interval=60 -rm /w/f"),
    Case("-rmdir /w/d", PAIR),
    Case("-rmdir /w/f", HELLO),
    Case("-rmdir /w/nope"),
    Case("-rmdir /w/d", PAIR + "\n-touchz /w/d/x"),
    Case("-rmdir --ignore-fail-on-non-empty /w/d", PAIR + "\n-touchz /w/d/x"),
    # touch
    Case("-touchz /w/z"),
    Case("-touchz /w/f", HELLO),
    Case("-touchz /w/z", "-touchz /w/z"),
    Case("-touchz /w/no/z"),
    Case("-touchz /w/d", PAIR),
    Case("-touch /w/z /w/y"),
    Case("-touch -c /w/z"),
    Case("-touch -t 20210203:040506 /w/f\n-stat '%y %x' /w/f", HELLO),
    Case("-touch -m -t 20210203:040506 /w/f\n-stat '%y' /w/f", HELLO),
    Case("-touch -a -t 20210203:040506 /w/f\n-stat '%x' /w/f", HELLO),
    Case("-touch -t nonsense /w/f", HELLO),
    # permissions
    Case("-chmod 640 /w/f", HELLO),
    Case("-chmod u=rwx,g+w,o-r /w/f", HELLO),
    Case("-chmod a+X /w/f /w/d", PAIR),
    Case("-chmod +t /w/d", PAIR),
    Case("-chmod 01777 /w/d", PAIR),
    Case("-chmod -R 700 /w/d", PAIR + "\n-touchz /w/d/x"),
    Case("-chmod -R go-rx /w/d", PAIR + "\n-touchz /w/d/x"),
    Case("-chmod 999 /w/f", HELLO, stderr="first"),
    Case("-chmod bogus /w/f", HELLO, stderr="first"),
    Case("-chmod 644 /w/nope"),
    Case("-chown alice /w/f", HELLO),
    Case("-chown alice:staff /w/f", HELLO),
    Case("-chown :staff /w/f", HELLO),
    Case("-chown -R bob:users /w/d", PAIR + "\n-touchz /w/d/x"),
    Case("-chown 'a b' /w/f", HELLO, stderr="first"),
    Case("-chown alice /w/nope"),
    Case("-chgrp staff /w/f", HELLO),
    Case("-chgrp -R staff /w/d /w/f", PAIR + "\n-touchz /w/d/x"),
    # replication, append, truncate, concat
    Case("-setrep 1 /w/f", HELLO),
    Case("-setrep -R 2 /w/d", PAIR + "\n1 > -put - /w/d/x"),
    Case("-setrep 2 /w/d /w/f", PAIR + "\n1 > -put - /w/d/x"),
    Case("-setrep -w 3 /w/f", HELLO, mask=r"\.+ done"),  # a dot for each time it looked
    Case("-setrep 0 /w/f", HELLO, stderr="first"),
    Case("-setrep x /w/f", HELLO, stderr="first"),
    Case("-setrep 2 /w/nope"),
    Case("-setrep 1000 /w/f", HELLO, stderr="first"),
    Case("-appendToFile {local}/x /w/f", ONCE, files={"x": "more"}),
    Case("-appendToFile {local}/x {local}/y /w/f", ONCE, files={"x": "more", "y": "and more"}),
    Case("-appendToFile {local}/x /w/new", files={"x": "more"}),
    Case(r"piped > -appendToFile - /w/f", ONCE),
    Case("-appendToFile {local}/nope /w/f", ONCE),
    Case("-appendToFile {local}/x /w/d", PAIR, files={"x": "1"}),
    Case("-truncate -w 3 /w/f", ONCE),
    Case("-truncate 12 /w/f", ONCE),
    Case("-truncate 100 /w/f", ONCE),
    Case("-truncate -1 /w/f", ONCE, stderr="first"),
    Case("-truncate x /w/f", ONCE, stderr="first"),
    Case("-truncate 0 /w/f", ONCE),
    Case("-truncate 3 /w/nope"),
    Case("-truncate 3 /w/d", PAIR),
    Case("-concat /w/f /w/g /w/h", ONCE + "\n1 > -D dfs.replication=1 -put - /w/g\n2 > -D dfs.replication=1 -put - /w/h"),
    Case("-concat /w/f /w/g", ONCE + "\n1 > -D dfs.replication=1 -put - /w/g"),
    Case("-concat /w/f /w/nope /w/g", ONCE + "\n1 > -D dfs.replication=1 -put - /w/g"),
]

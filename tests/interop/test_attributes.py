"""ACLs, extended attributes, quotas and storage policies: the same command lines, one after the other, on stock Java's
client and on ours, with Apache's servers and with ours. What Java prints on Apache is what all have to print."""
import re
import shlex

import pytest

from interop.servers import CairnClient, JavaClient

# One command per line: [USER:] TOOL ARGUMENTS. W is the folder of the script.
ACLS = """
fs -mkdir W/d W/d/sub
fs -touchz W/d/file
fs -getfacl W/d
fs -setfacl -m user:alice:rwx,group:dev:r-- W/d
fs -getfacl W/d
fs -ls W
fs -ls -d W/d
fs -setfacl -m mask::r-x W/d
fs -getfacl W/d
fs -setfacl -m default:user:bob:rw-,default:group::r-x W/d
fs -getfacl W/d
fs -mkdir W/d/made
fs -touchz W/d/created
fs -getfacl W/d/made
fs -getfacl W/d/created
fs -getfacl -R W/d
fs -D fs.permissions.umask-mode=077 -mkdir -p W/d/strict/deep
fs -D fs.permissions.umask-mode=077 -touchz W/d/strict/file
fs -getfacl -R W/d/strict
fs -chmod 700 W/d/made
fs -getfacl W/d/made
fs -setfacl -x user:alice W/d
fs -getfacl W/d
fs -setfacl -x mask:: W/d
fs -setfacl -x user:: W/d
fs -setfacl -k W/d
fs -getfacl W/d
fs -setfacl -b W/d
fs -getfacl W/d
fs -setfacl --set user::rw-,group::r--,other::---,user:carol:r-x W/d
fs -getfacl W/d
fs -setfacl --set user:carol:r-x W/d
fs -setfacl -m user:x:rwx,user:x:r-- W/d/file
fs -setfacl -m default:user:bob:r-x W/d/file
fs -setfacl -m mask:alice:r-x W/d/file
fs -setfacl -R -m user:eve:r-x,default:user:eve:r-- W/d
fs -getfacl -R W/d
fs -setfacl -m user:alice W/d
fs -setfacl -m user:alice:rwz W/d
fs -setfacl -m usr:alice:rwx W/d
fs -setfacl -m user:alice:rwx:more W/d
fs -setfacl -m : W/d
fs -setfacl -m , W/d
fs -setfacl -x user:alice:rwx W/d
fs -setfacl -m W/d
fs -setfacl -m
fs -setfacl -b
fs -setfacl W/d
fs -setfacl -b -m user:alice:rwx W/d
fs -setfacl -b W/d W/e
fs -setfacl -q W/d
fs -setfacl -b W/missing
fs -getfacl W/missing
fs -getfacl
fs -getfacl W/d W/e
alice: fs -setfacl -m user:alice:rwx W/d
fs -mkdir W/closed
fs -chmod 700 W/closed
fs -touchz W/closed/file
alice: fs -ls W/closed
fs -setfacl -m user:alice:r-x W/closed
alice: fs -ls -C W/closed
alice: fs -touchz W/closed/no
fs -setfacl -m mask::--- W/closed
alice: fs -ls W/closed
fs -cp -p W/d/sub W/copy-p
fs -getfacl W/copy-p
fs -cp -pa W/d W/copy-pa
fs -getfacl -R W/copy-pa
fs -chmod 1777 W/d/sub
fs -getfacl W/d/sub
"""

XATTRS = """
fs -touchz W/f
fs -mkdir W/d W/d/sub
fs -getfattr -d W/f
fs -setfattr -n user.a -v text W/f
fs -setfattr -n user.b -v 0x0102ff W/f
fs -setfattr -n user.c -v 0sSGVsbG8= W/f
fs -setfattr -n user.quoted -v '"a \\"b\\""' W/f
fs -setfattr -n user.none W/f
fs -setfattr -n trusted.t -v 1 W/f
fs -getfattr -d W/f
fs -getfattr -n user.a W/f
fs -getfattr -n user.a -e hex W/f
fs -getfattr -n user.b -e hex W/f
fs -getfattr -n user.b -e base64 W/f
fs -getfattr -n user.c W/f
fs -getfattr -n user.none W/f
fs -getfattr -n USER.a W/f
fs -getfattr -d -e base64 W/f
alice: fs -getfattr -d W/f
alice: fs -getfattr -n trusted.t W/f
alice: fs -setfattr -n user.z -v 1 W/f
alice: fs -setfattr -n trusted.z -v 1 W/f
fs -setfattr -n user.a -v other W/f
fs -getfattr -n user.a W/f
fs -setfattr -x user.a W/f
fs -getfattr -n user.a W/f
fs -setfattr -x user.a W/f
fs -setfattr -x trusted.t W/f
fs -setfattr -n system.s -v 1 W/f
fs -setfattr -n security.s -v 1 W/f
fs -setfattr -n raw.r -v 1 W/f
fs -setfattr -n raw.r -v 1 /.reserved/rawW/f
fs -getfattr -d /.reserved/rawW/f
fs -getfattr -d W/f
fs -setfattr -n nothing -v 1 W/f
fs -setfattr -n user. -v 1 W/f
fs -setfattr -n other.a -v 1 W/f
fs -getfattr -n nothing W/f
fs -setfattr -n user.a -v 0x1 W/f
fs -setfattr -n user.a -v 0xgg W/f
fs -setfattr -n user.a -x user.b W/f
fs -setfattr W/f
fs -setfattr -n user.a
fs -setfattr -n
fs -setfattr -n user.a -v 1 W/f W/d
fs -getfattr W/f
fs -getfattr -d
fs -getfattr -d -e wrong W/f
fs -getfattr -d W/missing
fs -setfattr -n user.a -v 1 W/missing
fs -setfattr -n user.d -v 1 W/d
fs -setfattr -n user.s -v 2 W/d/sub
fs -getfattr -R -d W/d
fs -cp -px W/d W/copy-px
fs -getfattr -R -d W/copy-px
fs -cp -p W/d W/copy-p
fs -getfattr -R -d W/copy-p
fs -put README W/secret
fs -setfattr -n security.hdfs.unreadable.by.superuser W/d
fs -setfattr -n security.hdfs.unreadable.by.superuser -v x W/secret
fs -setfattr -n security.hdfs.unreadable.by.superuser W/secret
fs -cat W/secret
fs -setfattr -x security.hdfs.unreadable.by.superuser W/secret
fs -getfattr -d W/secret
fs -setfattr -n user.1 -v 1 W/d
fs -setfattr -n user.22 -v 1 W/d
fs -setfattr -n user.333 -v 1 W/d
fs -setfattr -n user.4444 -v 1 W/d
fs -setfattr -n user.55555 -v 1 W/d
fs -setfattr -n user.abc -v 1 W/d
fs -setfattr -n user.def -v 1 W/d
fs -setfattr -n user.ghi -v 1 W/d
fs -setfattr -n user.jkl -v 1 W/d
fs -setfattr -n user.mno -v 1 W/d
fs -setfattr -n user.pqr -v 1 W/d
fs -setfattr -n user.stu -v 1 W/d
fs -setfattr -n user.vwx -v 1 W/d
fs -setfattr -n user.yzö -v ü W/d
fs -getfattr -d W/d
"""

QUOTAS = """
fs -mkdir -p W/d/sub
fs -count -q -v W/d
fs -count -q -u W/d
dfsadmin -setQuota 4 W/d
fs -count -q -v W/d
fs -touchz W/d/1
fs -touchz W/d/2
fs -mkdir W/d/3
fs -put README W/d/3
fs -count -q W/d
dfsadmin -setSpaceQuota 10m W/d
fs -count -q -h -v W/d
fs -count -u -v W/d
fs -count -q W/d W
dfsadmin -clrQuota W/d
fs -D dfs.blocksize=1048576 -put README W/d/file
fs -count -q W/d
fs -D dfs.blocksize=1048576 -setrep 1 W/d/file
fs -count -q W/d
fs -put README W/d/too-much
fs -D dfs.blocksize=4194304 -put README W/d/too-much
fs -rm -skipTrash W/d/too-much._COPYING_ W/d/too-much
fs -count -q W/d
dfsadmin -setSpaceQuota 1k W/d
fs -setrep 3 W/d/file
fs -D dfs.blocksize=1048576 -appendToFile README W/d/file
fs -count -q -v W/d
dfsadmin -clrSpaceQuota W/d
fs -setrep 3 W/d/file
fs -count -q W/d
dfsadmin -setQuota 2 W/d/sub
fs -mkdir W/big W/big/a W/big/b
fs -mv W/big W/d/sub
fs -mv W/big W/d
fs -count -q W/d W/d/sub
fs -mv W/d/big/a W/d/sub/a
fs -mv W/d/big/b W/d/sub/b
fs -rm -r -skipTrash W/d/sub/a
fs -mv W/d/big/b W/d/sub/b
fs -count -q W/d/sub
dfsadmin -setSpaceQuota 100m -storageType DISK W/d
fs -count -q -t -v W/d
fs -count -u -t DISK,SSD -v W/d
fs -count -q -t ssd W/d
storagepolicies -setStoragePolicy -path W/d/sub -policy ONE_SSD
fs -D dfs.blocksize=1048576 -D dfs.replication=1 -put README W/d/sub/typed
dfsadmin -setSpaceQuota 1m -storageType DISK W/d
storagepolicies -setStoragePolicy -path W/d -policy HOT
fs -D dfs.blocksize=1048576 -D dfs.replication=2 -put README W/d/typed
dfsadmin -clrSpaceQuota -storageType DISK W/d
fs -count -q -t -v W/d
dfsadmin -setQuota 0 W/d
dfsadmin -setQuota -1 W/d
dfsadmin -setQuota x W/d
dfsadmin -setQuota 5
dfsadmin -setQuota
dfsadmin -setSpaceQuota 1z W/d
dfsadmin -setSpaceQuota 10 -storageType WRONG W/d
dfsadmin -setQuota 5 W/missing
dfsadmin -setQuota 5 W/d/file
dfsadmin -clrQuota W/missing W/d/file
alice: dfsadmin -setQuota 5 W/d
alice: dfsadmin -clrQuota W/d
fs -count -q -x W/d
fs -count -e -v W/d W/d/file
fs -count -t W/d
"""

POLICIES = """
storagepolicies -listPolicies
fs -mkdir -p W/d/sub
fs -touchz W/d/f W/d/sub/f
storagepolicies -getStoragePolicy -path W/d
storagepolicies -setStoragePolicy -path W/d -policy ONE_SSD
storagepolicies -getStoragePolicy -path W/d
storagepolicies -getStoragePolicy -path W/d/f
storagepolicies -getStoragePolicy -path W/d/sub/f
storagepolicies -setStoragePolicy -path W/d/sub/f -policy all_ssd
storagepolicies -getStoragePolicy -path W/d/sub/f
storagepolicies -unsetStoragePolicy -path W/d
storagepolicies -getStoragePolicy -path W/d/f
storagepolicies -getStoragePolicy -path W/d/sub/f
storagepolicies -setStoragePolicy -path W/d -policy LUKEWARM
storagepolicies -setStoragePolicy -path W/missing -policy HOT
storagepolicies -getStoragePolicy -path W/missing
storagepolicies -unsetStoragePolicy -path W/missing
storagepolicies -setStoragePolicy -path W/d/f -policy LAZY_PERSIST
storagepolicies -setStoragePolicy -path W/d -policy LAZY_PERSIST
storagepolicies -satisfyStoragePolicy -path W/d
alice: storagepolicies -setStoragePolicy -path W/d -policy HOT
alice: storagepolicies -unsetStoragePolicy -path W/d
storagepolicies -setStoragePolicy -path
"""

SNAPSHOTS = """
fs -mkdir -p W/d/a/deep W/d/b W/d/c
fs -put README W/d/a/1
fs -put README W/d/a/deep/2
fs -put README W/d/b/3
dfsadmin -allowSnapshot W/d
fs -createSnapshot W/d s1
fs -count -v W/d
fs -rm -skipTrash W/d/b/3
fs -count W/d
fs -count -x W/d
fs -count -s -v W/d
fs -du -s W/d
fs -du -s -x W/d
fs -rm -r -skipTrash W/d/a
fs -put README W/d/b/4
fs -createSnapshot W/d s2
fs -rm -r -skipTrash W/d/b W/d/c
fs -count W/d W
fs -count -x W/d W
fs -count -s W/d W
fs -du W
fs -du -x W
fs -count W/d/.snapshot/s1 W/d/.snapshot/s2 W/d/.snapshot/s1/a
fs -du -s W/d/.snapshot/s1
fs -setfattr -n user.a -v 1 W/d
fs -setfacl -m user:alice:r-- W/d
fs -getfattr -d W/d/.snapshot/s1
fs -getfacl W/d/.snapshot/s1
fs -setfattr -n user.b -v 1 W/d/.snapshot/s1
fs -setfacl -m user:alice:r-- W/d/.snapshot/s1/b
dfsadmin -setQuota 100 W/d/.snapshot/s1/b
fs -deleteSnapshot W/d s1
fs -deleteSnapshot W/d s2
dfsadmin -disallowSnapshot W/d
"""

# What only snapshots hold is charged; -u prints what the quotas were charged, where -q counts.
HELD = """
fs -mkdir -p W/d/a/deep W/d/b W/d/late W/out
fs -D dfs.blocksize=1048576 -put README W/d/a/1
fs -D dfs.blocksize=1048576 -put README W/d/a/deep/2
fs -D dfs.blocksize=1048576 -put README W/d/b/3
fs -D dfs.blocksize=1048576 -put README W/d/b/4
dfsadmin -setQuota 100 W/d
dfsadmin -setSpaceQuota 1g W/d W/d/b
dfsadmin -setQuota 50 W/d/a
dfsadmin -allowSnapshot W/d
fs -createSnapshot W/d s1
fs -count -u W/d W/d/a W/d/b
fs -rm -skipTrash W/d/a/1
fs -count -u W/d W/d/a W/d/b
fs -setrep 1 W/d/b/3
fs -count -u W/d W/d/b
fs -D dfs.blocksize=1048576 -appendToFile README W/d/b/4
fs -count -u W/d W/d/b
fs -D dfs.blocksize=1048576 -put -f README W/d/b/4
fs -count -u W/d W/d/b
fs -setrep 3 W/d/b/3
fs -count -u W/d W/d/b
fs -touchz W/d/a/late
fs -rm -skipTrash W/d/a/late
fs -count -u W/d/a
fs -mkdir W/d/a/made
fs -rm -r -skipTrash W/d/a/deep
fs -count -u W/d W/d/a
fs -createSnapshot W/d s2
fs -touchz W/d/empty
fs -mv W/d/empty W/d/other
fs -count -u W/d
fs -createSnapshot W/d s3
fs -mv W/d/other W/d/again
fs -count -u W/d
fs -mv W/d/again W/out/again
fs -count -u W/d
fs -mv W/d/late W/d/later
fs -count -u W/d
dfsadmin -setQuota 14 W/d
fs -mkdir W/d/one
fs -mv W/d/b/3 W/d/b/5
fs -touchz W/d/two
fs -rm -r -skipTrash W/d/a
fs -count -u W/d
dfsadmin -clrQuota W/d
dfsadmin -clrSpaceQuota W/d
dfsadmin -setQuota 100 W/d
fs -count -u W/d W/d/b
fs -deleteSnapshot W/d s2
fs -count -u W/d W/d/b
fs -deleteSnapshot W/d s3
fs -count -u W/d W/d/b
fs -deleteSnapshot W/d s1
fs -count -u W/d W/d/b
dfsadmin -disallowSnapshot W/d
"""

SCRIPTS = {"snapshots": SNAPSHOTS, "held": HELD, "acls": ACLS, "xattrs": XATTRS, "quotas": QUOTAS, "policies": POLICIES}


def masked(text):
    text = text.decode(errors="replace")
    text = re.sub(r"\nUsage: hadoop fs \[generic options\]\n.*", "\nUSAGE", text, flags=re.DOTALL)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "DATE", text)
    text = re.sub(r"hdfs://127\.0\.0\.1:\d+", "hdfs://NAMENODE", text)
    return re.sub(r"blk_\d+_\d+", "BLOCK", text)


def run_script(client, name, readme):
    """[(line, exit code, stdout, stderr)]"""
    where = f"/attributes-{name}"
    for snapshot in "s1", "s2", "s3":
        client.server.java("-deleteSnapshot", f"{where}/d", snapshot, check=False)
    client.server.java("-rm", "-r", "-f", "-skipTrash", where)
    client.server.java("-mkdir", "-p", where)
    results = []
    for line in SCRIPTS[name].strip().splitlines():
        user, command = re.fullmatch(r"(?:(\w+): )?(.*)", line).groups(default="")
        tool, *args = shlex.split(re.sub(r"\bREADME\b", readme, re.sub(r"W(?=$|[/ ])", where, command)))
        done = client._run(tool, [*client.server.generic_options(), *args], b"", user)
        results.append((line, done.returncode, masked(done.stdout), masked(done.stderr)))
    return results


@pytest.fixture(scope="module")
def readme(tmp_path_factory):
    path = tmp_path_factory.mktemp("readme") / "README"
    path.write_bytes(b"Cairn\n" * 700)
    return str(path)


@pytest.fixture(scope="module")
def expected(apache_server, readme):
    known = {}

    def of(name):
        if name not in known:
            known[name] = run_script(JavaClient(apache_server), name, readme)
        return known[name]

    return of


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("pair", ["java-on-cairn", "cairn-on-apache", "cairn-on-cairn"])
def test_same_as_java_on_apache(pair, name, expected, readme, request):
    client, _, server = pair.partition("-on-")
    wanted = expected(name)
    shell = {"java": JavaClient, "cairn": CairnClient}[client](request.getfixturevalue(f"{server}_server"))
    differences = [
        f"{line}\n  Java on Apache: {before}\n  {pair}: {after}"
        for (line, *before), (_, *after) in zip(wanted, run_script(shell, name, readme), strict=True)
        if before != after
    ]
    assert not differences, f"{len(differences)} of {len(wanted)} commands differ:\n" + "\n".join(differences)

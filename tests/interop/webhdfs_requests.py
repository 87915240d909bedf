"""Raw WebHDFS requests, each tried on both servers: the recipes of the REST specification, and what goes wrong with them.

They run in order; later ones stand on what earlier ones made. {d} is the folder of the run."""
import http.client
import json
import re
import urllib.parse

USER = "root"


class Request:
    """VERB PATH?op=OP&k=v; body: for the second step of CREATE and APPEND, which then is taken."""

    def __init__(self, verb, path, op, user=USER, body=None, headers=None, **parameters):
        self.verb, self.path, self.op, self.user, self.body, self.headers = verb, path, op, user, body, headers or {}
        self.part = None  # what the namenode must have for it
        self.parameters = {name.replace("__", "."): value for name, value in parameters.items()}

    def query(self):
        pairs = ([("op", self.op)] if self.op is not None else []) + ([("user.name", self.user)] if self.user else [])
        for name, value in self.parameters.items():
            pairs += [(name, one) for one in (value if isinstance(value, list) else [value])]
        return "&".join(f"{name}={urllib.parse.quote(str(value), safe='/')}" for name, value in pairs)

    def url(self, folder):
        path = self.path.replace("{d}", folder)
        query = self.query().replace(urllib.parse.quote("{d}"), folder)
        return "/webhdfs/v1" + urllib.parse.quote(path, safe="/%;") + (f"?{query}" if query else "")

    def __str__(self):
        return f"{self.verb} {self.path}?{self.query()}".replace("user.name=root&", "").replace("&user.name=root", "")


def send(address, verb, url, body=None, headers=None):
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    try:
        connection.request(verb, url, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def run(address, request, folder):
    """(status, type, location, body) of a request, masked so that two servers can be compared."""
    status, headers, body = send(address, request.verb, request.url(folder), headers=request.headers)
    if status == 307 and request.body is not None:
        where = urllib.parse.urlsplit(headers["location"])
        upload = {"Content-Type": "application/octet-stream"}
        status, headers, body = send(where.netloc, request.verb, f"{where.path}?{where.query}", request.body, upload)
    kind = headers.get("content-type", "").split(";")[0]
    location = masked_url(headers["location"]) if "location" in headers else None
    return {"status": status, "type": kind, "location": location, "body": masked_body(kind, body)}


# ---- what differs from run to run ----

VARYING = {
    "accessTime", "modificationTime", "fileId", "blockId", "blockPoolId", "generationStamp", "storageID", "ipAddr", "name",
    "hostName", "infoPort", "infoSecurePort", "ipcPort", "xferPort", "capacity", "dfsUsed", "remaining", "blockPoolUsed",
    "lastUpdate", "lastUpdateMonotonic", "lastBlockReportTime", "lastBlockReportMonotonic", "xceiverCount", "used",
    "names", "hosts", "topologyPaths", "access_time", "modification_time", "snapshotID", "dirId", "long", "nonDfsUsed",
    "urlString", "cacheCapacity",
}  # fmt: skip


# Java orders names by bytes with a sign, which puts what is not ASCII first; and Java's sets have no order.
UNORDERED = {"FileStatus", "XAttrs", "createList", "deleteList", "diffList", "ErasureCodingPolicyInfo"}


def masked_text(text):
    text = text.split("\n\tat ")[0]  # a datanode of Apache's passes the namenode's stack trace on
    text = re.sub(r"(?:127\.0\.0\.\d+|localhost):\d+", "HOST", text)
    text = re.sub(r"\(inode \d+\)", "(inode N)", text)
    text = re.sub(r"(Superuser privilege is required) for operation \w+", r"\1", text)
    text = re.sub(r"(DFSClient|CAIRN)_[-\w]+", "CLIENT", text)
    return text


def masked(value, key=None):
    if key in VARYING and not isinstance(value, (dict, bool)) and not (key == "name" and isinstance(value, str) and ":" not in value):
        return type(value).__name__
    if isinstance(value, dict):
        return {name: masked(inner, name) for name, inner in sorted(value.items())}
    if isinstance(value, list):
        values = [masked(inner, key) for inner in value]
        return sorted(values, key=json.dumps) if key in UNORDERED else values
    return masked_text(value) if isinstance(value, str) else value


def masked_body(kind, body):
    if kind == "application/json" and body:
        value = json.loads(body)
        if isinstance(value, dict) and isinstance(value.get("Location"), str):
            return {"Location": masked_url(value["Location"])}
        return masked(value)
    return body.decode(errors="replace")


def masked_url(url):
    parts = urllib.parse.urlsplit(url)
    query = {name: value for name, value in urllib.parse.parse_qsl(parts.query, keep_blank_values=True)}
    query.pop("namenoderpcaddress", None)
    return {"scheme": parts.scheme, "path": parts.path, "query": dict(sorted(query.items()))}


# ---- the table ----

GET, PUT, POST, DELETE = (
    (lambda path, op, verb=verb, **more: Request(verb, path, op, **more)) for verb in ("GET", "PUT", "POST", "DELETE")
)
TEXT = b"hello, world\n" * 100

SNAPSHOTS = [
    PUT("{d}/snap/in", "MKDIRS"),
    PUT("{d}/snap/old", "MKDIRS"),
    PUT("{d}/snap", "CREATESNAPSHOT", snapshotname="early"),
    PUT("{d}/snap", "ALLOWSNAPSHOT"),
    PUT("{d}/snap", "ALLOWSNAPSHOT", user="ada"),
    PUT("{d}/snap", "CREATESNAPSHOT", snapshotname="s1"),
    PUT("{d}/snap", "CREATESNAPSHOT", snapshotname="s1"),
    PUT("{d}/snap/new", "CREATE", body=b"x"),
    DELETE("{d}/snap/old", "DELETE"),  # and so Apache, which shows today's number of children in a snapshot, shows the right one
    PUT("{d}/snap/in", "RENAME", destination="{d}/snap/moved"),
    PUT("{d}/snap", "CREATESNAPSHOT", snapshotname="s2"),
    PUT("{d}/snap", "RENAMESNAPSHOT", oldsnapshotname="s2", snapshotname="s3"),
    PUT("{d}/snap", "RENAMESNAPSHOT", snapshotname="s3"),
    GET("{d}/snap", "GETSNAPSHOTDIFF", oldsnapshotname="s1", snapshotname="s3"),
    GET("{d}/snap", "GETSNAPSHOTDIFF", oldsnapshotname="s1", snapshotname="nope"),
    GET("{d}/snap", "GETSNAPSHOTDIFFLISTING", oldsnapshotname="s1", snapshotname="s3"),
    GET("{d}/snap", "GETSNAPSHOTLIST"),
    GET("{d}/a", "GETSNAPSHOTLIST"),
    GET("/", "GETSNAPSHOTTABLEDIRECTORYLIST"),
    GET("{d}/snap", "GETFILESTATUS"),
    GET("{d}/snap/.snapshot", "LISTSTATUS"),
    GET("{d}/snap/.snapshot/s1", "LISTSTATUS"),
    PUT("{d}/snap/.snapshot/s1/x", "MKDIRS"),
    DELETE("{d}/snap", "DELETE", recursive="true"),
    PUT("{d}/snap", "DISALLOWSNAPSHOT"),
    DELETE("{d}/snap", "DELETESNAPSHOT", snapshotname="s1"),
    DELETE("{d}/snap", "DELETESNAPSHOT", snapshotname="s1"),
    DELETE("{d}/snap", "DELETESNAPSHOT"),
    DELETE("{d}/snap", "DELETESNAPSHOT", snapshotname="s3"),
    PUT("{d}/snap", "DISALLOWSNAPSHOT"),
]
for request in SNAPSHOTS:
    request.part = "snapshots"

REQUESTS = [
    # directories
    PUT("{d}", "MKDIRS"),
    PUT("{d}/a/b/c", "MKDIRS"),
    PUT("{d}/p", "MKDIRS", permission="711"),
    PUT("{d}/sticky", "MKDIRS", permission="1777"),
    PUT("{d}/none", "MKDIRS", permission="0"),
    PUT("{d}/um", "MKDIRS", permission="750", unmaskedpermission="777"),
    PUT("{d}/a", "MKDIRS"),
    PUT("{d}/x", "MKDIRS", permission="abc"),
    PUT("{d}/x", "MKDIRS", permission="2777"),
    PUT("{d}/x", "MKDIRS", permission="-1"),
    PUT("{d}/x", "MKDIRS", permission="8"),
    PUT("{d}/x", "MKDIRS", permission=""),
    PUT("{d}/a//b", "MKDIRS"),
    PUT("{d}/a/../b", "MKDIRS"),
    PUT("{d}/a/./b", "MKDIRS"),
    PUT("{d}/a:b", "MKDIRS"),
    PUT("{d}/sp ace", "MKDIRS"),
    PUT("{d}/pl+us", "MKDIRS"),
    PUT("{d}/per%25cent", "MKDIRS"),
    PUT("{d}/ünïcödé-漢字-😀", "MKDIRS"),
    PUT("{d}/q?m=1&x", "MKDIRS"),
    PUT("{d}/quote'\"<>", "MKDIRS"),
    PUT("{d}/" + "n" * 256, "MKDIRS"),
    PUT("{d}/a/", "MKDIRS"),
    # writing
    PUT("{d}/f", "CREATE", body=TEXT),
    PUT("{d}/f", "CREATE", body=TEXT),
    PUT("{d}/f", "CREATE", body=TEXT + b"more", overwrite="true"),
    PUT("{d}/mode", "CREATE", body=b"x", permission="600"),
    PUT("{d}/repl", "CREATE", body=b"x", replication="1", blocksize="1048576"),
    PUT("{d}/new/parent/f", "CREATE", body=b"x"),
    PUT("{d}/other/parent/f", "CREATE", body=b"x", createparent="false"),
    PUT("{d}/flag", "CREATE", body=b"x", createflag="create,overwrite"),
    PUT("{d}/flag2", "CREATE", body=b"x", createflag="overwrite"),
    PUT("{d}/flag2", "CREATE", body=b"x", createflag="append"),
    PUT("{d}/flag", "CREATE", body=b"x", createflag="create"),
    PUT("{d}/lazy", "CREATE", body=b"x", createflag="create,lazy_persist"),
    GET("{d}/lazy", "GETFILESTATUS"),
    PUT("{d}/empty", "CREATE", body=b""),
    PUT("{d}/sp ace/f +%25 &?", "CREATE", body=b"odd"),
    PUT("{d}/a", "CREATE", body=b"x"),
    PUT("{d}/f/under", "CREATE", body=b"x"),
    PUT("{d}/f2", "CREATE", noredirect="true"),
    PUT("{d}/f2", "CREATE"),
    PUT("{d}/f2", "CREATE", overwrite="maybe"),
    PUT("{d}/f2", "CREATE", replication="0"),
    PUT("{d}/f2", "CREATE", replication="99999"),
    PUT("{d}/f2", "CREATE", blocksize="-5"),
    PUT("{d}/f2", "CREATE", blocksize="x"),
    PUT("{d}/f2", "CREATE", buffersize="0"),
    PUT("{d}/f2", "CREATE", createflag="nonsense"),
    PUT("{d}/a//f2", "CREATE"),
    PUT("{d}/sticky/notmine", "CREATE", user="ada", body=b"x"),
    PUT("{d}/p/denied", "CREATE", user="ada", body=b"x"),
    # Who may not write there is told so, or what is there: in the server's order.
    PUT("{d}/closed/sub", "MKDIRS"),
    PUT("{d}/closed/file", "CREATE", body=b"x"),
    PUT("{d}/closed/sub", "CREATE", user="ada", body=b"x"),
    PUT("{d}/closed/sub", "CREATE", user="ada", body=b"x", overwrite="true"),
    PUT("{d}/closed/file", "CREATE", user="ada", body=b"x"),
    PUT("{d}/closed/new", "CREATE", user="ada", body=b"x", blocksize="512"),
    PUT("{d}/closed/no/new", "CREATE", user="ada", body=b"x", createparent="false"),
    PUT("{d}/closed/file", "MKDIRS", user="ada"),
    PUT("{d}/closed/sub", "MKDIRS", user="ada"),
    PUT("{d}/closed/missing", "RENAME", user="ada", destination="{d}/x"),
    PUT("{d}/closed/missing", "RENAME", user="ada", destination="{d}/x", renameoptions="NONE"),
    PUT("{d}/closed/no/missing", "RENAME", user="ada", destination="/there-is-none"),
    DELETE("{d}/closed/missing", "DELETE", user="ada"),
    DELETE("{d}/closed/no/missing", "DELETE", user="ada"),
    POST("{d}/closed/sub", "TRUNCATE", user="ada", newlength="0"),
    POST("{d}/closed/missing", "TRUNCATE", user="ada", newlength="0"),
    PUT("{d}/closed/sub", "SETREPLICATION", user="ada", replication="2"),
    PUT("{d}/closed/missing", "SETREPLICATION", user="ada", replication="2"),
    POST("{d}/closed/sub", "APPEND", user="ada", body=b"x"),
    POST("{d}/f", "APPEND", body=b"tail"),
    POST("{d}/f", "APPEND", noredirect="true"),
    POST("{d}/f", "APPEND"),
    POST("{d}/missing", "APPEND"),
    POST("{d}/a", "APPEND", body=b"x"),
    POST("{d}/mode", "APPEND", body=b"x", user="ada"),
    # looking
    GET("{d}/f", "GETFILESTATUS"),
    GET("{d}/f", "getfilestatus"),
    GET("{d}/f/", "GETFILESTATUS"),
    GET("{d}/f", "GETFILESTATUS", user=None),
    GET("{d}", "GETFILESTATUS"),
    GET("{d}/missing", "GETFILESTATUS"),
    GET("{d}/f/under", "GETFILESTATUS"),
    GET("{d}/sp ace/f +%25 &?", "GETFILESTATUS"),
    GET("{d}/sticky", "GETFILESTATUS"),
    GET("{d}/none", "GETFILESTATUS"),
    GET("{d}/um", "GETFILESTATUS"),
    GET("{d}/new/parent/f", "GETFILESTATUS"),
    GET("{d}/mode", "GETFILESTATUS"),
    GET("{d}/repl", "GETFILESTATUS"),
    GET("{d}/sticky/notmine", "GETFILESTATUS"),
    GET("{d}/f", "GETFILESTATUS", user="12!"),
    GET("{d}/f", "GETFILESTATUS", user=""),
    GET("{d}/f", "GETFILESTATUS", delegation="nonsense"),
    GET("{d}/f", "GETFILESTATUS", user="Ada-1._x$"),
    GET("{d}/f", "GETFILELINKSTATUS"),
    GET("{d}/missing", "GETFILELINKSTATUS"),
    GET("{d}", "LISTSTATUS"),
    GET("{d}/f", "LISTSTATUS"),
    GET("{d}/missing", "LISTSTATUS"),
    GET("{d}/a/b/c", "LISTSTATUS"),
    GET("{d}/none", "LISTSTATUS", user="ada"),
    GET("{d}", "LISTSTATUS_BATCH"),
    GET("{d}/new", "LISTSTATUS_BATCH", startafter="abc"),
    GET("{d}/missing", "LISTSTATUS_BATCH"),
    GET("{d}", "GETCONTENTSUMMARY"),
    GET("{d}/f", "GETCONTENTSUMMARY"),
    GET("{d}/missing", "GETCONTENTSUMMARY"),
    GET("{d}", "GETQUOTAUSAGE"),
    GET("{d}/missing", "GETQUOTAUSAGE"),
    GET("{d}/f", "GETFILECHECKSUM", noredirect="true"),
    GET("{d}/f", "GETFILECHECKSUM"),
    GET("{d}/f", "GETFILECHECKSUM", body=b""),
    GET("{d}/empty", "GETFILECHECKSUM", body=b""),
    GET("{d}/missing", "GETFILECHECKSUM"),
    GET("{d}/a", "GETFILECHECKSUM", body=b""),
    GET("/", "GETHOMEDIRECTORY"),
    GET("/", "GETHOMEDIRECTORY", user="ada"),
    GET("/", "GETHOMEDIRECTORY", user=None),
    GET("{d}", "GETTRASHROOT"),
    GET("{d}", "GETTRASHROOTS"),
    GET("{d}", "GETTRASHROOTS", allusers="true"),
    GET("/", "GETSTATUS"),
    GET("/", "GETSERVERDEFAULTS"),
    GET("{d}/f", "GET_BLOCK_LOCATIONS"),
    GET("{d}/f", "GET_BLOCK_LOCATIONS", offset="5", length="10"),
    GET("{d}/empty", "GET_BLOCK_LOCATIONS"),
    GET("{d}/missing", "GET_BLOCK_LOCATIONS"),
    GET("{d}/a", "GET_BLOCK_LOCATIONS"),
    GET("{d}/f", "GETFILEBLOCKLOCATIONS"),
    GET("{d}/empty", "GETFILEBLOCKLOCATIONS"),
    GET("{d}/f", "CHECKACCESS", fsaction="rw-"),
    GET("{d}/f", "CHECKACCESS", fsaction="rwx", user="ada"),
    GET("{d}/f", "CHECKACCESS"),
    GET("{d}/f", "CHECKACCESS", fsaction="rwz"),
    GET("{d}/missing", "CHECKACCESS", fsaction="r--"),
    # reading
    GET("{d}/f", "OPEN"),
    GET("{d}/f", "OPEN", noredirect="true"),
    GET("{d}/f", "OPEN", offset="7", length="5"),
    GET("{d}/f", "OPEN", body=b""),
    GET("{d}/f", "OPEN", body=b"", offset="7", length="5"),
    GET("{d}/f", "OPEN", body=b"", offset="1300"),
    GET("{d}/f", "OPEN", body=b"", length="0"),
    GET("{d}/f", "OPEN", body=b"", length="999999"),
    GET("{d}/empty", "OPEN", body=b""),
    GET("{d}/empty", "OPEN", body=b"", offset="5"),
    GET("{d}/sp ace/f +%25 &?", "OPEN", body=b""),
    GET("{d}/f", "OPEN", offset="999999"),
    GET("{d}/f", "OPEN", offset="-1"),
    GET("{d}/f", "OPEN", offset="x"),
    GET("{d}/f", "OPEN", offset=""),
    GET("{d}/f", "OPEN", length="-1"),
    GET("{d}/f", "OPEN", length="99999999999999999999"),
    GET("{d}/f", "OPEN", buffersize="0"),
    GET("{d}/f", "OPEN", noredirect="x"),
    GET("{d}/missing", "OPEN"),
    GET("{d}/a", "OPEN", body=b""),
    GET("{d}/mode", "OPEN", user="ada", body=b""),
    # changing
    PUT("{d}/mode", "RENAME", destination="{d}/renamed"),
    PUT("{d}/mode", "RENAME", destination="{d}/renamed"),
    PUT("{d}/renamed", "RENAME", destination="{d}/f"),
    PUT("{d}/renamed", "RENAME", destination="{d}/a"),
    PUT("{d}/a/renamed", "RENAME", destination="{d}/mode", renameoptions="none"),
    PUT("{d}/mode", "RENAME", destination="{d}/flag", renameoptions="NONE"),
    PUT("{d}/mode", "RENAME", destination="{d}/flag", renameoptions="overwrite"),
    PUT("{d}/mode", "RENAME", destination="{d}/flag", renameoptions="OVERWRITE"),
    PUT("{d}/flag", "RENAME", destination="{d}/x", renameoptions="bogus"),
    PUT("{d}/flag", "RENAME"),
    PUT("{d}/flag", "RENAME", destination="relative"),
    PUT("{d}/a", "RENAME", destination="{d}/a/b"),
    PUT("{d}/f", "SETREPLICATION", replication="1"),
    PUT("{d}/f", "SETREPLICATION"),
    PUT("{d}/a", "SETREPLICATION", replication="1"),
    PUT("{d}/missing", "SETREPLICATION", replication="1"),
    PUT("{d}/f", "SETREPLICATION", replication="x"),
    PUT("{d}/f", "SETOWNER", owner="ada", group="staff"),
    PUT("{d}/f", "SETOWNER"),
    PUT("{d}/f", "SETOWNER", owner="root", user="ada"),
    PUT("{d}/missing", "SETOWNER", owner="ada"),
    PUT("{d}/f", "SETPERMISSION", permission="640"),
    PUT("{d}/f", "SETPERMISSION"),
    PUT("{d}/f", "SETPERMISSION", permission="777", user="eve"),
    PUT("{d}/missing", "SETPERMISSION", permission="777"),
    PUT("{d}/f", "SETTIMES", modificationtime="1000", accesstime="2000"),
    PUT("{d}/f", "SETTIMES"),
    PUT("{d}/f", "SETTIMES", modificationtime="-2"),
    PUT("{d}/missing", "SETTIMES", modificationtime="1000"),
    GET("{d}/f", "GETFILESTATUS"),
    POST("{d}/f", "TRUNCATE", newlength="100"),
    POST("{d}/repl", "TRUNCATE", newlength="99999"),
    POST("{d}/f", "TRUNCATE"),
    POST("{d}/f", "TRUNCATE", newlength="-1"),
    POST("{d}/missing", "TRUNCATE", newlength="1"),
    PUT("{d}/c1", "CREATE", body=b"1" * 1024, blocksize="1024"),
    PUT("{d}/c2", "CREATE", body=b"2" * 1024, blocksize="1024"),
    POST("{d}/c1", "CONCAT", sources="{d}/c2"),
    GET("{d}/c1", "OPEN", body=b""),
    POST("{d}/c1", "CONCAT"),
    POST("{d}/c1", "CONCAT", sources="{d}/missing"),
    POST("{d}/c1", "CONCAT", sources="{d}/c1"),
    PUT("{d}/links", "MKDIRS"),
    PUT("{d}/links/link", "CREATESYMLINK", destination="{d}/f"),
    PUT("{d}/links/link", "CREATESYMLINK"),
    PUT("{d}/links/x/y", "CREATESYMLINK", destination="{d}/f", createparent="false"),
    GET("{d}/links/link", "GETLINKTARGET"),
    GET("{d}/links/link", "GETFILELINKSTATUS"),
    GET("{d}/f", "GETLINKTARGET"),
    # access control lists
    GET("{d}/f", "GETACLSTATUS"),
    PUT("{d}/f", "MODIFYACLENTRIES", aclspec="user:ada:rw-,group::r--"),
    GET("{d}/f", "GETACLSTATUS"),
    GET("{d}/f", "GETFILESTATUS"),
    PUT("{d}/a", "SETACL", aclspec="user::rwx,group::r-x,other::---,default:user:ada:rwx"),
    GET("{d}/a", "GETACLSTATUS"),
    PUT("{d}/a/inherits", "MKDIRS"),
    GET("{d}/a/inherits", "GETACLSTATUS"),
    PUT("{d}/a/file", "CREATE", body=b"x", permission="640", unmaskedpermission="666"),
    GET("{d}/a/file", "GETACLSTATUS"),
    PUT("{d}/a/masked", "CREATE", body=b"x", permission="640"),
    GET("{d}/a/masked", "GETACLSTATUS"),
    PUT("{d}/f", "REMOVEACLENTRIES", aclspec="user:ada:"),
    PUT("{d}/f", "REMOVEACLENTRIES", aclspec="user:ada:rwx"),
    PUT("{d}/a", "REMOVEDEFAULTACL"),
    PUT("{d}/f", "REMOVEACL"),
    PUT("{d}/f", "SETACL"),
    PUT("{d}/f", "SETACL", aclspec="bogus"),
    PUT("{d}/f", "SETACL", aclspec="user:ada:rww"),
    PUT("{d}/f", "SETACL", aclspec="user:ada:rw-"),
    PUT("{d}/f", "MODIFYACLENTRIES", aclspec="user:ada:"),
    PUT("{d}/missing", "MODIFYACLENTRIES", aclspec="user:ada:rw-"),
    GET("{d}/missing", "GETACLSTATUS"),
    # extended attributes
    PUT("{d}/f", "SETXATTR", xattr__name="user.a", xattr__value='"v"', flag="CREATE"),
    PUT("{d}/f", "SETXATTR", xattr__name="user.b", xattr__value="0x0102", flag="CREATE"),
    PUT("{d}/f", "SETXATTR", xattr__name="user.c", xattr__value="0sAQID", flag="CREATE"),
    PUT("{d}/f", "SETXATTR", xattr__name="user.e", flag="CREATE"),
    PUT("{d}/f", "SETXATTR", xattr__name="user.a", xattr__value='"v"', flag="CREATE"),
    PUT("{d}/f", "SETXATTR", xattr__name="user.a", xattr__value='"w"', flag="REPLACE"),
    PUT("{d}/f", "SETXATTR", xattr__name="user.a", xattr__value='"w"'),
    PUT("{d}/f", "SETXATTR", xattr__name="bogus", xattr__value='"w"', flag="CREATE"),
    PUT("{d}/f", "SETXATTR", xattr__name="user.a", flag="bogus"),
    PUT("{d}/f", "SETXATTR", flag="CREATE"),
    GET("{d}/f", "GETXATTRS", encoding="text"),
    GET("{d}/f", "GETXATTRS", xattr__name="user.b", encoding="hex"),
    GET("{d}/f", "GETXATTRS", xattr__name=["user.a", "user.c"], encoding="BASE64"),
    GET("{d}/f", "GETXATTRS", xattr__name="user.missing", encoding="hex"),
    GET("{d}/f", "GETXATTRS", encoding="bogus"),
    GET("{d}/f", "GETXATTRS"),
    GET("{d}/f", "LISTXATTRS"),
    GET("{d}/a", "LISTXATTRS"),
    PUT("{d}/f", "REMOVEXATTR", xattr__name="user.a"),
    PUT("{d}/f", "REMOVEXATTR", xattr__name="user.a"),
    PUT("{d}/f", "REMOVEXATTR"),
    *SNAPSHOTS,
    # policies and quotas
    GET("/", "GETALLSTORAGEPOLICY"),
    GET("{d}/f", "GETSTORAGEPOLICY"),
    PUT("{d}/a", "SETSTORAGEPOLICY", storagepolicy="COLD"),
    GET("{d}/a", "GETSTORAGEPOLICY"),
    PUT("{d}/a", "SETSTORAGEPOLICY", storagepolicy="nonsense"),
    PUT("{d}/a", "SETSTORAGEPOLICY"),
    POST("{d}/a", "UNSETSTORAGEPOLICY"),
    PUT("{d}/a", "SATISFYSTORAGEPOLICY"),
    PUT("{d}/quota", "MKDIRS"),
    PUT("{d}/quota", "SETQUOTA", namespacequota="3", storagespacequota="1000000000"),
    GET("{d}/quota", "GETQUOTAUSAGE"),
    GET("{d}/quota", "GETCONTENTSUMMARY"),
    PUT("{d}/quota/1", "MKDIRS"),
    PUT("{d}/quota/1/2", "MKDIRS"),
    PUT("{d}/quota/1/2/3", "MKDIRS"),
    PUT("{d}/quota", "SETQUOTA", namespacequota="-1", storagespacequota="-1"),
    PUT("{d}/quota", "SETQUOTA", namespacequota="x"),
    PUT("{d}/quota", "SETQUOTA", namespacequota="null"),
    PUT("{d}/quota", "SETQUOTABYSTORAGETYPE", storagetype="SSD", storagespacequota="null"),
    PUT("{d}/quota", "SETQUOTA", namespacequota="-2"),
    PUT("{d}/quota", "SETQUOTA", namespacequota="3", user="ada"),
    PUT("{d}/quota", "SETQUOTABYSTORAGETYPE", storagetype="SSD", storagespacequota="1000"),
    GET("{d}/quota", "GETQUOTAUSAGE"),
    PUT("{d}/quota", "SETQUOTABYSTORAGETYPE", storagetype="SSD", storagespacequota="-1"),
    PUT("{d}/quota", "SETQUOTABYSTORAGETYPE", storagespacequota="1000"),
    PUT("{d}/quota", "SETQUOTABYSTORAGETYPE", storagetype="TAPE", storagespacequota="1000"),
    # erasure coding: queries
    GET("{d}/a", "GETECPOLICY"),
    GET("{d}/missing", "GETECPOLICY"),
    GET("/", "GETECPOLICIES"),
    GET("/", "GETECCODECS"),
    PUT("{d}/a", "SETECPOLICY"),
    PUT("/", "ENABLEECPOLICY"),
    # tokens
    GET("/", "GETDELEGATIONTOKEN", renewer="root"),
    PUT("/", "RENEWDELEGATIONTOKEN"),
    PUT("/", "RENEWDELEGATIONTOKEN", token="!"),
    PUT("/", "CANCELDELEGATIONTOKEN"),
    # acting for another
    GET("/", "GETHOMEDIRECTORY", user="gate", doas="ada"),
    GET("/", "GETHOMEDIRECTORY", user="gate", doas="bob"),
    GET("/", "GETHOMEDIRECTORY", user="ada", doas="ada"),
    GET("/", "GETHOMEDIRECTORY", user="eve", doas="ada"),
    # what is no operation
    GET("{d}", None),
    GET("{d}", ""),
    GET("{d}", "BOGUS"),
    GET("{d}", "MKDIRS"),
    PUT("{d}", "LISTSTATUS"),
    PUT("{d}", None),
    POST("{d}", "BOGUS"),
    POST("{d}", None),
    DELETE("{d}", "BOGUS"),
    DELETE("{d}", None),
    GET("", "GETHOMEDIRECTORY"),
    # deleting
    DELETE("{d}/a", "DELETE"),
    DELETE("{d}/a", "DELETE", recursive="x"),
    DELETE("{d}/a", "DELETE", recursive="true", user="eve"),
    DELETE("{d}/a", "DELETE", recursive="TRUE"),
    DELETE("{d}/a", "DELETE", recursive="true"),
    DELETE("{d}/f", "DELETE"),
    DELETE("/", "DELETE", recursive="true"),
    DELETE("{d}", "DELETE", recursive="true"),
]

"""WebHDFS as its clients use it: raw requests compared with Apache's answers, and the programs that people run."""
import json
import time
import urllib.parse

import pytest

from interop import webhdfs_requests
from interop.webhdfs_requests import REQUESTS, send
from lib.waiting import wait_for

# Where we differ on purpose, and why.
DIFFERENT = {
    "CREATESYMLINK": "Apache switches symbolic links off; our mounts need them",
    "GETLINKTARGET": "the same",
    "GETFILELINKSTATUS {d}/links/link": "the same",
    "GETECPOLICIES": "Apache switches one of them on",
    "GETECCODECS": "Apache lists the coders of its own JVM",
}
# What a namenode that does not have it yet says; then the requests that go with it prove nothing.
NOT_THERE = ("RpcNoSuchMethodException", "is not supported by this namenode", "are not supported by this namenode")


def settle(address, request, folder):
    """A truncate in the middle of a block ends when its last block is recovered; until then answers differ by chance."""
    if request.op == "TRUNCATE" and request.parameters.get("newlength") == "100":
        status = webhdfs_requests.Request("GET", request.path, "GETFILESTATUS").url(folder)
        wait_for(lambda: json.loads(send(address, "GET", status)[2])["FileStatus"]["length"] == 100, 60, "the truncate's end")


@pytest.fixture(scope="module")
def answers(apache_server, cairn_server):
    """{index of the request: (Apache's answer, ours)}, made in one go."""
    made = {}
    for address, name in ((apache_server.namenode_http, "apache"), (cairn_server.namenode_http, "cairn")):
        webhdfs_requests.run(address, webhdfs_requests.DELETE("/raw", "DELETE", recursive="true"), "/raw")
        for index, request in enumerate(REQUESTS):
            made[index, name] = webhdfs_requests.run(address, request, "/raw")
            settle(address, request, "/raw")
    return made


def is_missing(answer):
    return any(text in json.dumps(answer) for text in NOT_THERE)


@pytest.mark.parametrize("index", range(len(REQUESTS)), ids=[f"{i}-{r.verb}-{r.op}" for i, r in enumerate(REQUESTS)])
def test_answers_as_apache_does(answers, index):
    request = REQUESTS[index]
    for name in (str(request.op), f"{request.op} {request.path}"):
        if name in DIFFERENT:
            pytest.skip(DIFFERENT[name])
    apache, cairn = answers[index, "apache"], answers[index, "cairn"]
    part = [i for i, other in enumerate(REQUESTS) if other.part == request.part]
    if request.part and any(is_missing(answers[i, "cairn"]) for i in part):
        pytest.skip(f"this namenode has no {request.part}")
    assert cairn == apache, str(request)


def test_a_datanode_wants_the_namenodes_address(apache_server, cairn_server):
    for server in apache_server, cairn_server:
        url = webhdfs_requests.PUT("/unaddressed", "CREATE").url("")
        status, headers, _ = send(server.namenode_http, "PUT", url)
        assert status == 307
        where = urllib.parse.urlsplit(headers["location"])
        pairs = [pair for pair in urllib.parse.parse_qsl(where.query) if pair[0] != "namenoderpcaddress"]
        assert len(pairs) < len(urllib.parse.parse_qsl(where.query))
        status, _, body = send(where.netloc, "PUT", f"{where.path}?{urllib.parse.urlencode(pairs)}")
        assert (status, json.loads(body)["RemoteException"]["exception"]) == (400, "IllegalArgumentException")

"""Jobs through REST."""
import io
import json
import urllib.error
import urllib.request
import zipfile

from lib.cluster import Cluster
from lib.jobs import job, output, put, running
from lib.postgres import free_port
from lib.waiting import wait_for


def rest(address, method, path, body=None, content_type="application/json"):
    request = urllib.request.Request(f"http://{address}{path}", method=method, data=None if body is None else json.dumps(body).encode(),
                                     headers={"Content-Type": content_type})
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_rest_submits_shows_and_kills(running):
    put(running, "/rest/in", b"b\na\n")
    at = running.scheduler_http
    status, made = rest(at, "POST", "/v1/jobs?user.name=root", {"name": "by REST", "inputs": ["/rest/in"], "output": "/rest/out", "mapper": "cat",
                                                               "reducer": "cat", "properties": {"mapreduce.job.priority": "HIGH"}})
    assert status == 201, made
    assert job(running, "-wait", made["id"]).returncode == 0
    assert output(running, "/rest/out") == b"a\t\nb\t\n"
    shown = rest(at, "GET", f"/v1/jobs/{made['id']}")[1]["job"]
    assert (shown["name"], shown["priority"], shown["user"]) == ("by REST", 1, "root")
    again = {"inputs": ["/rest/in"], "output": "/rest/out", "mapper": "cat"}
    assert rest(at, "POST", "/v1/jobs?user.name=root", again)[0] == 409
    assert rest(at, "POST", "/v1/jobs", again)[0] == 401
    assert rest(at, "POST", "/v1/jobs?user.name=root", again, content_type="text/plain")[0] == 415
    for wrong in ({}, [], {"inputs": ["/rest/in"], "output": "x", "mapper": "cat"}, {"inputs": [1], "output": "/x", "mapper": "cat"}):
        assert rest(at, "POST", "/v1/jobs?user.name=root", wrong)[0] == 400, wrong
    for field in ({"reducers": "cat"}, {"reduces": "2"}, {"reduces": -1}, {"reducer": ["cat"]}, {"properties": {"mapreduce.map.maxattempts": 3}}, {"properties": ["a"]}):
        status, why = rest(at, "POST", "/v1/jobs?user.name=root", again | {"output": "/rest/fields"} | field)
        name = next(iter(field))
        assert status == 400 and (name in why or "mapreduce.map.maxattempts" in why), (field, status, why)
    refused = {"inputs": ["/rest/in"], "output": "/rest/refused", "mapper": "cat", "properties": {"mapreduce.map.maxattempts": "many"}}
    assert rest(at, "POST", "/v1/jobs?user.name=root", refused)[0] == 400
    assert running.fs("-test", "-e", "/rest/refused").returncode == 1, "nobody could use its output folder again"
    slow = rest(at, "POST", "/v1/jobs?user.name=root", {"inputs": ["/rest/in"], "output": "/rest/slow", "mapper": "sleep 1000"})[1]["id"]
    assert rest(at, "DELETE", f"/v1/jobs/{slow}?user.name=daemon")[0] == 403
    assert rest(at, "DELETE", f"/v1/jobs/{slow}?user.name=root") == (200, {"killed": True})
    assert job(running, "-wait", slow).returncode == 1
    assert rest(at, "DELETE", "/v1/jobs/job_1_0001?user.name=root")[0] == 404
    workers = rest(at, "GET", "/v1/workers")[1]
    assert {worker["name"] for worker in workers} == {"127.0.0.1", "127.0.0.2", "127.0.0.3"}


def test_rest_ships_files_that_are_in_the_file_system(running):
    put(running, "/rest/in", b"b\na\n")
    put(running, "/rest/upper.sh", b"#!/bin/sh\ntr a-z A-Z <words | cat - >/dev/null && tr a-z A-Z && cat words pack/inner\n")
    put(running, "/rest/words.txt", b"w\n")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("inner", "i\n")
    put(running, "/rest/pack.zip", archive.getvalue())
    at = running.scheduler_http
    job_of = {"inputs": ["/rest/in"], "output": "/rest/shipped", "mapper": "upper.sh", "files": ["/rest/upper.sh", "/rest/words.txt#words"],
              "archives": ["/rest/pack.zip#pack"]}
    for wrong in ({"files": ["rest/upper.sh"]}, {"files": ["/rest/none"]}, {"files": ["/rest"]}, {"files": ["/rest/upper.sh#a/b"]}, {"files": "x"}, {"files": [1]},
                  {"files": ["/rest/upper.sh", "/rest/words.txt#upper.sh"]}):
        status, why = rest(at, "POST", "/v1/jobs?user.name=root", job_of | wrong)
        assert status == 400, (wrong, why)
        assert running.fs("-test", "-e", "/rest/shipped").returncode == 1
    status, made = rest(at, "POST", "/v1/jobs?user.name=root", job_of)
    assert status == 201, made
    assert job(running, "-wait", made["id"]).returncode == 0, job(running, "-status", made["id"]).stdout
    assert output(running, "/rest/shipped") == b"B\nA\nw\ni\n"


def test_rest_has_a_port_of_its_own(tmp_path):
    port = free_port()
    with Cluster(tmp_path / "cluster", properties={}) as cluster:
        cluster.kill("scheduler")
        daemon = cluster.daemon("scheduler")
        daemon["command"] += ["-D", f"cairn.scheduler.rest-address=127.0.0.1:{port}"]
        again = cluster.start_again("scheduler")
        try:
            wait_for(lambda: len(rest(f"127.0.0.1:{port}", "GET", "/v1/workers")[1]) == 3, 20, "the workers")
            assert rest(f"127.0.0.1:{port}", "GET", "/v1/jobs") == (200, [])
        finally:
            again.stop()

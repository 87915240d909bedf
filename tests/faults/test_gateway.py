"""The gateway while a datanode hangs."""
import http.client
import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor

from lib.cluster import Cluster
from lib.waiting import wait_for

UPLOADS = 100  # more than the gateway has threads


def ask(address, verb, path, body=None):
    connection = http.client.HTTPConnection(*address.split(":"), timeout=100)
    connection.request(verb, f"/webhdfs/v1{path}&user.name=root", body, {"Content-Type": "application/octet-stream"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_uploads_that_wait_for_a_datanode_keep_nobody_from_looking(tmp_path):
    with Cluster(tmp_path / "cluster", nodes=2, properties={"dfs.replication": 2}) as cluster, ThreadPoolExecutor(UPLOADS) as pool:
        hung = cluster.pid("datanode-2")
        os.kill(hung, signal.SIGSTOP)
        try:
            uploads = [pool.submit(ask, cluster.httpfs, "PUT", f"/up/{i}?op=CREATE&data=true", b"x" * 500000) for i in range(UPLOADS)]

            def begun():
                status, body = ask(cluster.namenode_http, "GET", "/up?op=LISTSTATUS")
                return status == 200 and len(json.loads(body)["FileStatuses"]["FileStatus"]) == UPLOADS

            wait_for(begun, 30, "all uploads to have begun")
            assert ask(cluster.httpfs, "GET", "/up?op=GETFILESTATUS")[0] == 200
            assert not any(upload.done() for upload in uploads), "they wait all the while"
        finally:
            os.kill(hung, signal.SIGCONT)
        assert {upload.result()[0] for upload in uploads} == {201}

"""Maps beside their blocks."""
import json

import pytest

from lib.cluster import Cluster, run_cairn
from lib.jobs import SMALL_BLOCKS, WORDS, counter, job, put, run, running, start


def one_replica_job(cluster):
    """(maps, local maps) of a job whose blocks have one replica each."""
    run_cairn("fs", "-fs", cluster.uri, "-D", "dfs.replication=1", "-D", "dfs.blocksize=32768", "-put", "-f", "-", "/local",
              stdin=WORDS * 2, check=True)
    text = run(cluster, "-mapper", "cat", "-numReduceTasks", 0, "-input", "/local", out="/o-local")
    assert counter(text, "maps_local") + counter(text, "maps_remote") == counter(text, "Launched map tasks") > 10
    return text


def test_maps_run_where_their_block_is(running):
    text = one_replica_job(running)
    assert counter(text, "maps_local") >= 0.9 * counter(text, "Launched map tasks")
    assert counter(text, "bytes_local") >= 0.9 * (counter(text, "bytes_local") + counter(text, "bytes_remote"))


def test_locality_is_a_measurement(tmp_path):
    """Switched off, maps run anywhere, and the counters say so."""
    with Cluster(tmp_path / "cluster", properties=SMALL_BLOCKS | {"cairn.scheduler.locality": "false"}) as cluster:
        text = one_replica_job(cluster)
        assert counter(text, "maps_local") <= 0.7 * counter(text, "Launched map tasks")
        assert counter(text, "bytes_remote") > 0


@pytest.mark.parametrize("locality", ["true", "false"])
def test_locality_on_eight_nodes(tmp_path, locality):
    """200 blocks with three replicas on eight nodes, two jobs at once: next to the blocks, or, switched off, 3/8 of the time."""
    with Cluster(tmp_path / "cluster", nodes=8, properties=SMALL_BLOCKS | {"cairn.scheduler.locality": locality}) as cluster:
        for name in ("/a", "/b"):
            for part in range(8):  # written by clients elsewhere, so that first replicas are spread
                run_cairn("fs", "-fs", cluster.uri, "-D", "dfs.blocksize=512", "-D", f"cairn.client.local-address=127.0.0.{part + 1}", "-put", "-",
                          f"{name}/{part}", stdin=(b"x" * 511 + b"\n") * 25, check=True)
        jobs = [start(cluster, "-lazyOutput", "-mapper", "true", "-numReduceTasks", 0, "-input", name, out=f"/o{name}") for name in ("/a", "/b")]
        shown = []
        for name in jobs:
            assert job(cluster, "-wait", name).returncode == 0
            shown.append(json.loads(cluster.http_get(f"/v1/jobs/{name}", cluster.scheduler_http)))
        placed, local = (sum(one["job"][key] for one in shown) for key in ("maps_placed", "maps_local"))
        assert placed >= 400
        if locality == "true":
            assert local >= 0.99 * placed
        else:
            assert 0.2 * placed <= local <= 0.6 * placed
        for one in shown:
            for attempt in one["attempts"]:
                assert (attempt["locality"] != "node-local") == ("locality_reason" in attempt)

"""`cairn httpfs` on its own, before any HDFS."""
import contextlib
import urllib.request

from lib.cluster import cairn_path, client_env
from lib.ports import port_block, release_port_block
from lib.process import Daemon
from lib.waiting import wait_for


@contextlib.contextmanager
def gateway(fs_uri, folder, **properties):
    """host:port of a gateway to fs_uri; it ends with the block."""
    port = port_block()
    settings = {"fs.defaultFS": fs_uri, "httpfs.http.hostname": "127.0.0.1", "httpfs.http.port": port} | properties
    options = [word for name, value in settings.items() for word in ("-D", f"{name}={value}")]
    daemon = Daemon("httpfs", [cairn_path(), "httpfs", *options], f"{folder}/httpfs.log", env=client_env())

    def answers():
        daemon.check_alive()
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5):
            return True

    try:
        wait_for(answers, 30, "the gateway")
        yield f"127.0.0.1:{port}"
    finally:
        daemon.kill()
        daemon.stop()
        release_port_block(port)

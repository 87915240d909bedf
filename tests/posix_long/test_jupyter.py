"""Notebooks kept on each file system: saved, checkpointed, changed and restored through a Jupyter server's own interface."""
import json
import os
import urllib.error
import urllib.request

import pytest

from lib import venv
from lib.needs import missing
from lib.ports import port_block, release_port_block
from lib.process import Daemon
from lib.waiting import wait_for

PACKAGE, VERSION = "jupyter-server", "2.14.2"


def notebook(text):
    cell = {"cell_type": "code", "source": text, "metadata": {}, "outputs": [], "execution_count": None, "id": "a"}
    return {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


class Server:
    """A Jupyter server whose notebooks are in `folder`."""

    def __init__(self, python, folder, state, port):
        self.url = f"http://127.0.0.1:{port}/api/"
        options = {"ip": "127.0.0.1", "port": port, "port_retries": 0, "root_dir": folder, "allow_root": True, "open_browser": False}
        command = [python, "-m", "jupyter_server", "--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True"]
        env = os.environ | {f"JUPYTER_{kind}_DIR": f"{state}/{kind}" for kind in ("CONFIG", "DATA", "RUNTIME")}
        self.daemon = Daemon("jupyter", [*command, *(f"--ServerApp.{k}={v}" for k, v in options.items())], f"{state}/log", env=env)

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def is_up(self):
        return self.daemon.check_alive() and self.ask("GET", "status")


@pytest.fixture
def server(place, tmp_path):
    try:
        python = venv.python_with(PACKAGE, VERSION)
    except venv.Unavailable as error:
        missing(f"{PACKAGE} cannot be installed: {error}")
    port = port_block()
    running = Server(python, place, tmp_path, port)
    try:
        wait_for(running.is_up, 60, "the Jupyter server")
        yield running
    finally:
        running.daemon.stop()
        release_port_block(port)


def _source(server, name):
    return server.ask("GET", f"contents/{name}")["content"]["cells"][0]["source"]


def test_notebooks_and_checkpoints(server, place):
    for i in range(20):
        name = f"n{i % 3}.ipynb"
        server.ask("PUT", f"contents/{name}", {"type": "notebook", "content": notebook(f"version {i}" * 100)})
        assert _source(server, name) == f"version {i}" * 100
    kept = server.ask("POST", "contents/n0.ipynb/checkpoints")
    server.ask("PUT", "contents/n0.ipynb", {"type": "notebook", "content": notebook("a mistake")})
    assert _source(server, "n0.ipynb") == "a mistake"
    assert [c["id"] for c in server.ask("GET", "contents/n0.ipynb/checkpoints")] == [kept["id"]]
    server.ask("POST", f"contents/n0.ipynb/checkpoints/{kept['id']}")
    assert _source(server, "n0.ipynb") == "version 18" * 100
    server.ask("PATCH", "contents/n0.ipynb", {"path": "renamed.ipynb"})
    assert [c["id"] for c in server.ask("GET", "contents/renamed.ipynb/checkpoints")] == [kept["id"]]
    server.ask("DELETE", "contents/n1.ipynb")
    listed = {entry["name"] for entry in server.ask("GET", "contents")["content"]}
    assert listed == {"renamed.ipynb", "n2.ipynb"}
    assert {"renamed.ipynb", "n2.ipynb"} <= set(os.listdir(place)) <= listed | {".ipynb_checkpoints"}
    with pytest.raises(urllib.error.HTTPError):
        server.ask("GET", "contents/n1.ipynb")

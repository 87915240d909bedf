"""A private container engine: its own data folder, socket and pid file, stopped by that pid. Whatever it changes in the
host's packet filter and forwarding is put back."""
import os
import shutil
import signal
import subprocess
import tempfile

from lib.waiting import wait_for

CACHE = os.environ.get("CAIRN_CACHE") or os.path.expanduser("~/.cache/cairn-interop")
BASE_IMAGE = "debian:bookworm-slim"
TOOLS = {"dockerd": "docker.io", "docker": "docker.io", "docker-compose": "docker-compose", "debootstrap": "debootstrap",
         "iptables": "iptables"}


class Unavailable(Exception):
    """No engine can run here; the text says why."""


def _run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, **options)


def base_rootfs():
    """A tar of a minimal Debian, made once by debootstrap and kept in the cache."""
    path = os.path.join(CACHE, "bookworm-rootfs.tar")
    if os.path.exists(path):
        return path
    os.makedirs(CACHE, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        root = os.path.join(folder, "root")
        _run("debootstrap", "--variant=minbase", "bookworm", root)
        for name in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(os.path.join(root, name), ignore_errors=True)
        os.makedirs(os.path.join(root, "var/cache/apt/archives/partial"))
        _run("tar", "-C", root, "--one-file-system", "-cf", path + ".part", ".")
        os.rename(path + ".part", path)
    return path


class Engine:
    """As a context manager: a running dockerd with BASE_IMAGE in it."""

    def __init__(self):
        for tool, package in TOOLS.items():
            if not shutil.which(tool):
                raise Unavailable(f"'{tool}' is not installed (Debian package {package}); run tools/deps container")
        if os.getuid() != 0:
            raise Unavailable("a container engine needs root")
        self.folder = tempfile.mkdtemp(prefix="cairn-engine-")
        self.pid_file = os.path.join(self.folder, "dockerd.pid")
        self.socket = os.path.join(self.folder, "docker.sock")
        self.env = os.environ | {"DOCKER_HOST": "unix://" + self.socket, "DOCKER_BUILDKIT": "0",
                                 "COMPOSE_DOCKER_CLI_BUILD": "0"}

    def docker(self, *args, check=True, **options):
        return subprocess.run(["docker", *args], env=self.env, check=check, capture_output=True, text=True, **options)

    def _answers(self):
        return self.docker("info", check=False).returncode == 0

    def _restore_rules(self):
        for table, chains in (("filter", ("INPUT", "FORWARD", "OUTPUT")), ("nat", ()), ("raw", ())):
            if f"*{table}".encode() not in self.saved_rules:  # it was not in use: leave it empty
                for chain in chains:
                    subprocess.run(["iptables", "-t", table, "-P", chain, "ACCEPT"], capture_output=True)
                for action in ("-F", "-X"):
                    subprocess.run(["iptables", "-t", table, action], capture_output=True)
        subprocess.run(["iptables-restore"], input=self.saved_rules, check=True)

    def __enter__(self):
        self.saved_rules = _run("iptables-save").stdout
        with open("/proc/sys/net/ipv4/ip_forward") as f:
            self.saved_forward = f.read()
        log = open(os.path.join(self.folder, "log"), "wb")
        subprocess.Popen(
            ["dockerd", "--data-root", self.folder + "/root", "--exec-root", self.folder + "/run", "-p", self.pid_file,
             "-H", "unix://" + self.socket],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_for(self._answers, 30, "the container engine to answer")
        except AssertionError as error:
            with open(log.name, errors="replace") as f:
                raise Unavailable(f"dockerd does not start: {f.read()[-800:]}") from error
        with open(base_rootfs(), "rb") as tar:
            subprocess.run(["docker", "import", "-c", 'CMD ["bash"]', "-", BASE_IMAGE], env=self.env, stdin=tar, check=True,
                           capture_output=True)
        return self

    def __exit__(self, *_):
        with open(self.pid_file) as f:
            os.kill(int(f.read()), signal.SIGTERM)
        wait_for(lambda: not os.path.exists(self.pid_file), 60, "the container engine to stop")
        subprocess.run(["ip", "link", "delete", "docker0"], capture_output=True)
        self._restore_rules()
        with open("/proc/sys/net/ipv4/ip_forward", "w") as f:
            f.write(self.saved_forward)
        shutil.rmtree(self.folder, ignore_errors=True)

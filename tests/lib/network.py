"""A network of its own, made of network namespaces: an inside with one namespace per host, and a gateway between the
inside and this machine, which knows no way in: only what the gateway publishes can be reached from here.

    this machine 10.213.N.1  --  10.213.N.2 gateway 10.212.N.1  --  hosts 10.212.N.11, .12, ..."""
import itertools
import os
import shutil
import subprocess



class Unavailable(Exception):
    """Network namespaces cannot be made here; the text says why."""


_numbers = itertools.count(1 + os.getpid() % 200)


def _run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"{' '.join(command)}: {done.stderr.strip()}")


FORWARDER = """
import socket, sys, threading
def pump(a, b):
    try:
        while data := a.recv(1 << 16): b.sendall(data)
    except OSError: pass
    for s in a, b:
        try: s.shutdown(socket.SHUT_RDWR)
        except OSError: pass
def serve(listener, to):
    while True:
        near, _ = listener.accept()
        try: far = socket.create_connection(to, 10)
        except OSError:
            near.close()
            continue
        far.settimeout(None)
        for a, b in (near, far), (far, near): threading.Thread(target=pump, args=(a, b), daemon=True).start()
for word in sys.argv[1:]:
    port, host, to = word.split(",")
    listener = socket.create_server(("", int(port)), backlog=128)
    threading.Thread(target=serve, args=(listener, (host, int(to))), daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""


class Network:
    """hosts are names; their addresses are ip(name). A context manager; everything is gone after it."""

    def __init__(self, hosts):
        number = next(_numbers) % 250
        self._tag = f"cn{os.getpid() % 100000}-{number}"
        self._inside, self._outside = f"10.212.{number}", f"10.213.{number}"
        self.hosts = list(hosts)
        self._spaces, self._forwarders = [], []
        self._link = f"cn{number}x{os.getpid() % 10000}"

    def ip(self, host):
        return f"{self._inside}.{11 + self.hosts.index(host)}"

    @property
    def gateway_inside(self):
        return f"{self._inside}.1"

    @property
    def gateway_outside(self):
        return f"{self._outside}.2"

    def prefix(self, host):
        """What makes a command run on that host."""
        return ["ip", "netns", "exec", f"{self._tag}-{host}"]

    def _space(self, name):
        space = f"{self._tag}-{name}"
        _run("ip", "netns", "add", space)
        self._spaces.append(space)
        _run("ip", "-n", space, "link", "set", "lo", "up")
        # Names come from a file of the host's own: there is no name server to be reached, and waiting for it is long.
        own = f"/etc/netns/{space}"
        os.makedirs(own, exist_ok=True)
        with open(f"{own}/nsswitch.conf", "w") as file:
            file.write("hosts: files\npasswd: files\ngroup: files\n")
        with open(f"{own}/hosts", "w") as file:
            file.write("127.0.0.1 localhost\n" + "".join(f"{self.ip(host)} {host}\n" for host in self.hosts))
        return space

    def __enter__(self):
        try:
            gateway = self._space("gateway")
            _run("ip", "-n", gateway, "link", "add", "br0", "type", "bridge")
            _run("ip", "-n", gateway, "addr", "add", f"{self.gateway_inside}/24", "dev", "br0")
            _run("ip", "-n", gateway, "link", "set", "br0", "up")
            for index, host in enumerate(self.hosts):
                space = self._space(host)
                _run("ip", "-n", gateway, "link", "add", f"v{index}", "type", "veth", "peer", "name", "eth0", "netns", space)
                _run("ip", "-n", gateway, "link", "set", f"v{index}", "master", "br0", "up")
                _run("ip", "-n", space, "addr", "add", f"{self.ip(host)}/24", "dev", "eth0")
                _run("ip", "-n", space, "link", "set", "eth0", "up")
                _run("ip", "-n", space, "route", "add", "default", "via", self.gateway_inside)
            _run("ip", "link", "add", self._link, "type", "veth", "peer", "name", "out", "netns", gateway)
            _run("ip", "addr", "add", f"{self._outside}.1/24", "dev", self._link)
            _run("ip", "link", "set", self._link, "up")
            _run("ip", "-n", gateway, "addr", "add", f"{self.gateway_outside}/24", "dev", "out")
            _run("ip", "-n", gateway, "link", "set", "out", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def publish(self, ports):
        """{port of the gateway: (host, port)}: connections to the one go to the other, as with published ports."""
        words = [f"{port},{self.ip(host)},{to}" for port, (host, to) in ports.items()]
        process = subprocess.Popen(
            [*self.prefix("gateway"), "/usr/bin/python3", "-c", FORWARDER, *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        self._forwarders.append(process)
        assert process.stdout.readline().strip() == b"ready", process.stderr.read()

    def change_address(self, host, ip):
        space = f"{self._tag}-{host}"
        _run("ip", "-n", space, "addr", "flush", "dev", "eth0")
        _run("ip", "-n", space, "addr", "add", f"{ip}/24", "dev", "eth0")
        _run("ip", "-n", space, "route", "replace", "default", "via", self.gateway_inside)

    def add_address(self, host, ip, name):
        """A second address of the host, under a name that all hosts know."""
        _run("ip", "-n", f"{self._tag}-{host}", "addr", "add", f"{ip}/24", "dev", "eth0")
        for each in self.hosts:
            with open(f"/etc/netns/{self._tag}-{each}/hosts", "a") as file:
                file.write(f"{ip} {name}\n")

    def refuse(self, host, ip, port):
        """Nobody gets a connection to that port of that address of the host."""
        rule = ["INPUT", "-p", "tcp", "-d", ip, "--dport", str(port), "-j", "REJECT", "--reject-with", "tcp-reset"]
        _run(*self.prefix(host), "iptables", "-A", *rule)

    def free_ip(self, last=200):
        return f"{self._inside}.{last}"

    def __exit__(self, *_):
        for process in self._forwarders:
            process.kill()
            process.wait()
            for pipe in process.stdin, process.stdout, process.stderr:
                pipe.close()
        subprocess.run(["ip", "link", "del", self._link], capture_output=True)
        for space in self._spaces:
            subprocess.run(["ip", "netns", "del", space], capture_output=True)
            shutil.rmtree(f"/etc/netns/{space}", ignore_errors=True)

"""One round of a Java writer whose pipeline loses a datanode at a known stage, on our servers."""
import os
import signal

from lib.nodes import Nodes
from lib.sockets import unread_bytes
from lib.waiting import wait_for

NODES = (1, 2, 3, 4)  # three are needed: a lost one can be replaced


class Rounds:
    def __init__(self, folder, writer_of):
        self.nodes = Nodes(folder / "nodes", properties={"dfs.namenode.heartbeat.recheck-interval": 1000})
        self._writer_of, self._folder = writer_of, folder

    def __enter__(self):
        self.nodes.start_namenode()
        for number in NODES:
            self.nodes.start_datanode(number)
        self.nodes.wait_live(4)
        self.writer = self._writer_of(self._folder, self.nodes.uri)
        return self

    def __exit__(self, *error):
        if getattr(self, "writer", None):
            self.writer.stop()
        self.nodes.__exit__(*error)

    def log_tails(self):
        return self.nodes.log_tails()

    def address(self, number):
        return f"127.0.0.1:{self.nodes.transfer_port(number)}"

    def _number_of(self, address):
        return next(number for number in NODES if self.address(number) == address)

    def _stop_then_kill(self, number, meanwhile):
        """A stopped node holds the writer up in what it is doing; then it dies there."""
        daemon = self.nodes.daemons[f"datanode{number}"]
        os.kill(daemon.pid, signal.SIGSTOP)
        try:
            meanwhile()
        finally:
            daemon.kill()
            daemon.stop()

    def _revive(self, number):
        self.nodes.start_datanode(number)
        self.nodes.wait_registered(number)
        self.nodes.wait_live(4)

    def run(self, stage, position, mib, block_mib, flush_mib, seed):
        """Returns the number of the datanode that was killed. The content is read back by Java and compared."""
        path, writer = f"/{stage}-{seed}", self.writer
        favored = [1 + (seed + i) % 4 for i in range(3)]
        victim = favored[position]
        writer.tell("write", path, mib, block_mib, flush_mib, seed, ",".join(map(self.address, favored)))
        writer.hear("created")

        def begin_block():
            writer.tell("go")
            # Nothing is acknowledged while a node of the pipeline is stopped, so the writer comes to stand.
            port = self.nodes.transfer_port(victim)
            wait_for(lambda: unread_bytes(port) > 0, 30, "the set-up of a pipeline that has the stopped node")

        if stage == "setup":
            self._stop_then_kill(victim, begin_block)
        else:
            writer.tell("go")
        if stage == "streaming":
            words = writer.hear("at")
            while int(words[1]) < mib // 2 or words[2] == "-":
                words = writer.hear("at")
            victim = self._number_of(words[2].split(",")[position])
            self.nodes.daemons[f"datanode{victim}"].kill()
        words = writer.hear("closing", deadline_s=240)
        if stage == "close":
            victim = self._number_of(words[1].split(",")[position])
            self._stop_then_kill(victim, lambda: writer.tell("go"))
        else:
            writer.tell("go")
        md5 = writer.hear("done", deadline_s=240)[1]
        assert writer.ask("read", path, answer="read")[1:] == [str(mib << 20), md5]
        self._revive(victim)
        self.nodes.fs("-rm", "-skipTrash", path, check=True)
        return victim

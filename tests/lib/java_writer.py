"""Hadoop's own client as a writer that a test steers: tests/faults/FaultyWriter.java."""
import queue
import subprocess
import threading

from lib import jars
from lib.apache import DEPENDENCIES, JVM, QUICK_START, write_conf
from lib.cluster import client_env
from lib.process import log_tail


class JavaWriter:
    """One JVM. tell() sends it a line, hear() waits for one that begins with a word; a failure is an AssertionError."""

    def __init__(self, folder, uri, properties=None, heap="512m"):
        conf = f"{folder}/conf"
        write_conf(conf, {"hadoop.tmp.dir": f"{folder}/tmp"}, properties or {}, "WARN")
        path = jars.class_path(DEPENDENCIES, jars.java_files("faults/FaultyWriter.java"))
        self.log = f"{folder}/writer.log"
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [*JVM, *QUICK_START, f"-Xmx{heap}", "-cp", f"{conf}:{path}", "FaultyWriter", uri],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=client_env(),
            )
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self._process.stdout:
            self._lines.put(line.decode().split())
        self._lines.put(None)

    def tell(self, *words):
        self._process.stdin.write((" ".join(map(str, words)) + "\n").encode())
        self._process.stdin.flush()

    def hear(self, *wanted, deadline_s=120):
        """The next line whose first word is one of these, as words; others are passed over."""
        while True:
            try:
                line = self._lines.get(timeout=deadline_s)
            except queue.Empty:
                raise AssertionError(f"no {wanted} within {deadline_s} s\n{log_tail(self.log)}") from None
            assert line is not None, f"the writer ended\n{log_tail(self.log)}"
            assert line[0] != "failed", f"{' '.join(line)}\n{log_tail(self.log)}"
            if line[0] in wanted:
                return line

    def ask(self, *words, answer):
        self.tell(*words)
        return self.hear(answer)

    def kill(self):
        self._process.kill()
        self._process.wait()

    def stop(self):
        self.kill()
        self._process.stdin.close()
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

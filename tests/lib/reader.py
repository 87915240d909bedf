"""Who reads a file while others replace it."""
import threading

from lib.libhdfs import Hdfs


class Reader(threading.Thread):
    """Reads a small file over and over; what it saw, one after the other."""

    def __init__(self, cluster, path):
        super().__init__()
        self.file_system, self.path = Hdfs(cluster.uri), path
        self.seen, self.looks, self.left = [], 0, threading.Event()

    def run(self):
        while not self.left.is_set():
            try:
                text = self.file_system.get(self.path).decode()
            except OSError as error:
                text = f"error: {error}"
            self.looks += 1
            if self.seen[-1:] != [text]:
                self.seen.append(text)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.left.set()
        self.join()
        self.file_system.disconnect()

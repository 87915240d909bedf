"""Threads that write files and know at every instant what must be in them: an overwritten block that shows what was
there before is a wrong one, which fio would not see."""
import multiprocessing
import os
import random
import threading

from lib.waiting import wait_for

PAGE = 4096
PAGES = 256  # in a file that is changed all over


class Writer:
    """Writes pages anywhere in a file, or appends them, and reads others, until end() or an error.

    flags: for open(2) beside O_RDWR | O_CREAT; with O_DSYNC what was written is synced."""

    def __init__(self, path, seed, appends=False, flags=0):
        self.path, self._appends, self._rng = path, appends, random.Random(seed)
        self._bytes = bytearray(0 if appends else PAGES * PAGE)
        self._last = 0, b""
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | flags)
        os.pwrite(self._fd, self._bytes, 0)
        self.writes, self.error, self._left = 0, None, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        try:
            while not self._left.is_set():
                offset = len(self._bytes) if self._appends else self._rng.randrange(PAGES) * PAGE
                self._last = offset, self._rng.randbytes(PAGE)
                os.pwrite(self._fd, self._last[1], offset)
                self._apply_last()
                self.writes += 1
                offset = self._rng.randrange(len(self._bytes) // PAGE) * PAGE
                read = os.pread(self._fd, PAGE, offset)
                assert read == self._bytes[offset : offset + PAGE], f"{self.path}: wrong bytes at {offset} after {self.writes} writes"
        except Exception as error:
            self.error = error

    def _apply_last(self):
        offset, page = self._last
        self._bytes[offset : offset + PAGE] = page

    def end(self):
        """No wrong byte was read. The error that ended it, or None."""
        self._left.set()
        self._thread.join(120)
        assert not self._thread.is_alive(), f"{self.path}: a request has not come back"
        if isinstance(self.error, AssertionError):
            raise self.error
        try:
            os.close(self._fd)
        except OSError as error:
            self.error = self.error or error
        return self.error

    def check(self):
        """After the end: the file has what was written; a write that did not return may be there or not."""
        with open(self.path, "rb") as file:
            found = file.read()
        if found != self._bytes:
            self._apply_last()
        wrong = [i for i in range(0, max(len(found), len(self._bytes)), PAGE) if found[i : i + PAGE] != self._bytes[i : i + PAGE]]
        assert not wrong, f"{self.path}: {len(wrong)} wrong pages of {len(self._bytes) // PAGE}, at {wrong[:5]}"


def _serve(pipe, folder, name, synced):
    """A process of Writers: does what it is asked, and answers what came of it or what went wrong."""
    kinds = [(appends, flags) for appends in (False, True) for flags in (os.O_DSYNC * synced, os.O_DSYNC)]
    writers = [Writer(f"{folder}/{name}{i}", i, *kind) for i, kind in enumerate(kinds)]
    does = {"writes": lambda writer: writer.writes, "end": Writer.end, "check": Writer.check}
    while asked := pipe.recv():
        try:
            pipe.send([does[asked](writer) for writer in writers])
        except Exception as error:
            pipe.send(error)


class Writers:
    """Four of them in one folder: two that change a file, two that append; of each one, or both, synced. As a context
    manager they end without an error, and what they wrote is there.

    They are a process of their own: one with open files cannot start a daemon on which these wait, since a child closes
    its copies of them first, and so saves what was written."""

    def __init__(self, folder, name="w", synced=False):
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, folder, name, synced), daemon=True)
        self._process.start()

    def _ask(self, what, deadline_s=180):
        self._pipe.send(what)
        assert self._pipe.poll(deadline_s), f"the writers do not answer to '{what}'"
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def wait_writes(self, each, deadline_s=60):
        """Each of them writes so many pages from now on, or has failed."""
        ends = [writes + each for writes in self._ask("writes")]
        wait_for(lambda: all(now >= end for now, end in zip(self._ask("writes"), ends)), deadline_s, "writes")

    def end(self):
        """The error of each, or None."""
        return self._ask("end")

    def check(self):
        self._ask("check")

    def close(self):
        self._process.kill()
        self._process.join()

    def __enter__(self):
        return self

    def __exit__(self, error_type, *_):
        try:
            if not error_type:
                errors = self.end()
                assert not any(errors), errors
                self.check()
        finally:
            self.close()

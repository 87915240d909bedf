"""fio in the background, which writes, reads back what it wrote and compares, while a test does harm."""
import json
import mmap
import signal
import subprocess

from lib.waiting import wait_for

# Every block has its checksum and its place in it, and is read back soon after. That it is the newest is not seen:
# lib.writers does.
VERIFY = ["--verify=crc32c", "--verify_fatal=1", "--do_verify=1", "--verify_state_save=0", "--verify_backlog=16"]
MODES = {
    "direct": ["--rw=randwrite", "--bs=16k", "--direct=1"],
    "synced": ["--rw=randrw", "--bs=8k", "--fdatasync=8"],
    "sequential": ["--rw=write", "--bs=128k"],
    "mapped": ["--rw=randwrite", "--bs=4k", "--ioengine=mmap", "--fsync=32"],
}


def _words(printed):
    """What fio says beside its report."""
    return "\n".join(line for line in printed.splitlines() if line.startswith(("fio:", "verify:", '      "error"')))


class Fio:
    """Two jobs of one mode in a folder until end(); files of size_mib each."""

    def __init__(self, fio, folder, mode, size_mib=8):
        command = [fio, f"--name={mode}", f"--directory={folder}", "--numjobs=2", "--thread", "--randseed=42", f"--size={size_mib}m",
                   "--time_based", "--runtime=1d", "--output-format=json", *VERIFY, *MODES[mode]]
        self._is_mapped = mode == "mapped"
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")

    def is_running(self):
        return self._process.poll() is None

    def _bytes_moved(self):
        """By its reads and writes so far, or page faults."""
        if self._is_mapped:
            with open(f"/proc/{self._process.pid}/stat") as file:
                return mmap.PAGESIZE * int(file.read().rsplit(")", 1)[1].split()[7])
        with open(f"/proc/{self._process.pid}/io") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith(("rchar", "wchar")))

    def _check_running(self):
        assert self.is_running(), f"fio ended with {self._process.returncode}:\n{_words(self._process.communicate()[0])}"
        return True

    def wait_moves(self, deadline_s, at_least=1 << 20):
        """It reads and writes so many bytes from now on."""
        self._check_running()
        end = self._bytes_moved() + at_least
        wait_for(lambda: self._check_running() and self._bytes_moved() >= end, deadline_s, "more input and output of fio")

    def end(self, deadline_s=120):
        """No wrong byte and no error so far; returns the longest that any request took, in seconds."""
        self._check_running()
        self._process.send_signal(signal.SIGINT)
        printed = self._process.communicate(timeout=deadline_s)[0]
        assert self._process.returncode == 128, f"fio ended with {self._process.returncode}:\n{_words(printed)}"
        jobs = json.loads(printed[printed.index("{") :])["jobs"]
        assert len(jobs) == 2 and not any(job["error"] for job in jobs), _words(printed)
        assert sum(job["read"]["total_ios"] for job in jobs) and sum(job["write"]["total_ios"] for job in jobs), "nothing was read back"
        assert "verify: bad" not in printed
        return max(job[kind]["lat_ns"]["max"] for job in jobs for kind in ("read", "write", "sync")) / 1e9

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.is_running():
            self._process.kill()
            self._process.communicate(timeout=60)

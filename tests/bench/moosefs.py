"""MooseFS 3 as Debian has it: a master, three chunkservers and a mount, in a folder of their own, ended by pid. They talk
over the loopback interface of a network namespace of their own, since a chunkserver refuses to be reached at 127.0.0.1.
It needs root, and nothing of it is left."""
import os
import shutil
import subprocess

from lib.process import Daemon, log_tail
from lib.waiting import wait_for

COPIES = 3
ADDRESS = "192.0.2.1"  # reserved for examples; nobody else is in that network
EMPTY_METADATA = "/var/lib/mfs/metadata.mfs.empty"
PROGRAMS = {"mfsmaster": "moosefs-master", "mfschunkserver": "moosefs-chunkserver", "mfsmount": "moosefs-client"}


def missing():
    """What has to be installed first, or nothing."""
    lacking = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    return lacking or ([] if os.path.exists(EMPTY_METADATA) else ["moosefs-master"])


class MooseFs:
    """Up inside `with`; mount is the folder of its mount, with COPIES copies of everything and without a trash."""

    def __init__(self, folder):
        self.folder, self.mount = folder, f"{folder}/mount"
        self.daemons = {}  # {name: Daemon}

    def __enter__(self):
        os.makedirs(self.folder)
        try:
            self._make_network()
            self._start_master()
            for number in range(1, 4):
                self._start_chunkserver(number)
            self._start_mount()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if os.path.ismount(self.mount):
            subprocess.run(["umount", "-l", self.mount], check=False)
        for daemon in reversed(self.daemons.values()):
            daemon.stop(patience_s=60)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def mount_pids(self):
        return [self.daemons["mount"].pid]

    @property
    def server_pids(self):
        return [daemon.pid for name, daemon in self.daemons.items() if name not in ("network", "mount")]

    def _inside(self, *command):
        return ["nsenter", f"--net=/proc/{self.daemons['network'].pid}/ns/net", *command]

    def _start(self, name, command):
        self.daemons[name] = Daemon(name, command, f"{self.folder}/{name}.log", cwd=self.folder)

    def _said(self, name, words, times=1):
        """Whether its log has them, so often."""
        for daemon in self.daemons.values():
            daemon.check_alive()
        return log_tail(self.daemons[name].log, lines=1000).count(words) >= times

    def _make_network(self):
        """The namespace lasts as long as the process that was started in it."""
        commands = f"ip link set lo up && ip address add {ADDRESS}/32 dev lo && echo ready && exec sleep infinity"
        self._start("network", ["unshare", "--net", "sh", "-c", commands])
        wait_for(lambda: self._said("network", "ready"), 60, "a network namespace")

    def _settings(self, name, **more):
        """Its defaults, but for places and addresses, and for a priority above everybody else's."""
        os.makedirs(f"{self.folder}/{name}", exist_ok=True)
        settings = {
            "WORKING_USER": "root",
            "WORKING_GROUP": "root",
            "NICE_LEVEL": os.nice(0),
            "DISABLE_OOM_KILLER": 0,
            "DATA_PATH": f"{self.folder}/{name}",
        }
        path = f"{self.folder}/{name}.cfg"
        with open(path, "w") as file:
            file.writelines(f"{key} = {value}\n" for key, value in (settings | more).items())
        return path

    def _start_master(self):
        exports, topology = f"{self.folder}/exports.cfg", f"{self.folder}/topology.cfg"
        with open(exports, "w") as file:
            file.write(f"{ADDRESS} / rw,alldirs,admin,maproot=0:0\n")
        open(topology, "w").close()
        config = self._settings("master", EXPORTS_FILENAME=exports, TOPOLOGY_FILENAME=topology)
        shutil.copy(EMPTY_METADATA, f"{self.folder}/master/metadata.mfs")
        self._start("master", self._inside("mfsmaster", "-f", "-c", config, "start"))
        wait_for(lambda: self._said("master", "initialized properly"), 60, "the master of MooseFS")  # a mount would not wait

    def _start_chunkserver(self, number):
        name = f"chunkserver-{number}"
        os.makedirs(f"{self.folder}/{name}-disk")
        with open(f"{self.folder}/{name}-disks.cfg", "w") as file:
            file.write(f"{self.folder}/{name}-disk\n")
        config = self._settings(
            name,
            HDD_CONF_FILENAME=f"{self.folder}/{name}-disks.cfg",
            MASTER_HOST=ADDRESS,
            CSSERV_LISTEN_PORT=9421 + number,
        )
        self._start(name, self._inside("mfschunkserver", "-f", "-c", config, "start"))

    def _start_mount(self):
        os.makedirs(self.mount)
        options = f"mfsmaster={ADDRESS},mfsnice={os.nice(0)},mfsallowoomkiller"
        self._start("mount", self._inside("mfsmount", self.mount, "-f", "-o", options))
        wait_for(lambda: self._said("mount", "") and os.path.ismount(self.mount), 60, "the mount of MooseFS")
        wait_for(lambda: self._said("master", "chunkserver register end", 3), 60, "three chunkservers of MooseFS")
        for command in ["mfssetgoal", "-r", str(COPIES)], ["mfssettrashtime", "-r", "0"]:
            subprocess.run(self._inside(*command, self.mount), check=True, stdout=subprocess.DEVNULL)

"""What tasks may use, who they are, and that nothing of them stays."""
import glob
import os
import subprocess
import tempfile
import urllib.error

import pytest

from lib import sanitizer
from lib.cluster import Cluster
from lib.jobs import job, job_id, output, put, run, running, start, submit
from lib.waiting import wait_for


def processes_with(text):
    return [line for line in subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True).stdout.splitlines()
            if text in line and "ps -eo" not in line and "streaming" not in line]


def test_nothing_of_a_task_is_left_behind(running):
    """Not what went into a session of its own either, whether the task ends well, badly, or by its timeout."""
    put(running, "/left/in", b"a\n")
    for number, (end, good) in enumerate([("cat", True), ("exit 1", False), ("sleep 7000", False)]):
        marker = f"6{os.getpid()}{number}"
        done = submit(running, "-D", "mapreduce.map.maxattempts=1", "-D", "mapreduce.task.timeout=1500", "-numReduceTasks", 0,
                      "-mapper", f"sh -c 'setsid sh -c \"sleep {marker}; true\" >/dev/null 2>&1 & sleep 0.2; {end}'", "-input", "/left/in", out=f"/o/left{number}")
        assert (done.returncode == 0) == good, done.stderr
        wait_for(lambda: not processes_with(f"sleep {marker}"), 10, "end of what the task left behind")


def has_memory_groups():
    return os.geteuid() == 0 and (os.access("/sys/fs/cgroup/memory", os.W_OK) or os.path.exists("/sys/fs/cgroup/cgroup.controllers"))


@pytest.mark.skipif(not has_memory_groups(), reason="no control groups for memory that we may use")
def test_too_much_memory_is_said(running):
    put(running, "/oom/in", b"a\n")
    done = submit(running, "-D", "mapreduce.map.memory.mb=64", "-D", "mapreduce.map.maxattempts=1", "-numReduceTasks", 0,
                  "-mapper", "python3 -c 'x = bytearray(300 << 20)'", "-input", "/oom/in", out="/o/oom")
    text = done.stderr.decode()
    assert done.returncode == 1
    assert "out of memory: it needed more than 64 MB (mapreduce.map.memory.mb)" in text
    assert "/oom/in, bytes 0 to 2" in text


@pytest.mark.skipif(not has_memory_groups(), reason="no control groups for memory that we may use")
def test_control_groups_end_with_their_worker(tmp_path):
    """What a killed worker leaves is ended by the next one, and no group stays when that ends."""
    with Cluster(tmp_path / "cluster", nodes=1) as cluster:
        put(cluster, "/in", b"a\n")
        marker = f"7{os.getpid()}"
        name = start(cluster, "-numReduceTasks", 0, "-mapper", f"sh -c 'case $mapreduce_task_attempt_id in *_0) setsid sleep {marker};; esac; cat'",
                     "-input", "/in", out="/out")
        wait_for(lambda: processes_with(f"sleep {marker}"), 20, "the sleeper")
        with open(os.path.join(cluster.folder, "worker-1", "instance")) as file:
            groups = f"/sys/fs/cgroup/**/cairn-{file.read()[:16]}"
        assert glob.glob(groups, recursive=True)
        cluster.kill("worker-1")
        again = cluster.start_again("worker-1")
        wait_for(lambda: not processes_with(f"sleep {marker}"), 20, "the sleeper's end")
        assert job(cluster, "-wait", name).returncode == 0
        again.stop()
        assert not glob.glob(groups, recursive=True)


# A worker that sees this machine's control groups with some controllers only: in a mount namespace of its own.
WITHOUT_MEMORY = {
    "version 1": "mount --rbind /sys/fs/cgroup/pids $1 && mount -t tmpfs none /sys/fs/cgroup && mkdir /sys/fs/cgroup/pids && mount --move $1 /sys/fs/cgroup/pids",
    "version 2": "mount -t cgroup2 none /sys/fs/cgroup && ! grep -qw memory /sys/fs/cgroup/cgroup.controllers",
}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can have a mount namespace")
@pytest.mark.skipif(bool(sanitizer.kind()), reason="a sanitizer takes more memory than the limit that is tested")
@pytest.mark.parametrize("version", WITHOUT_MEMORY)
def test_memory_is_bounded_where_groups_do_not_bound_it(tmp_path, version):
    (tmp_path / "aside").mkdir()
    view = ["unshare", "-m", "sh", "-c", f'{WITHOUT_MEMORY[version]} || exit 1; shift; exec "$@"', "sh", str(tmp_path / "aside")]
    if subprocess.run([*view, "true"], check=False).returncode != 0:
        pytest.skip(f"control groups of {version} cannot be had here without their memory controller")
    with Cluster(tmp_path / "cluster", nodes=1) as cluster:
        put(cluster, "/in", b"a\n")
        cluster.kill("worker-1")
        again = cluster.start_again("worker-1", through=view)
        options = ["-D", "mapreduce.map.memory.mb=64", "-D", "mapreduce.map.maxattempts=1", "-numReduceTasks", 0]
        done = submit(cluster, *options, "-mapper", "python3 -c 'x = bytearray(300 << 20)'", "-input", "/in", out="/much")
        assert done.returncode == 1 and "MemoryError" in done.stderr.decode()
        assert submit(cluster, *options, "-mapper", "cat", "-input", "/in", out="/little").returncode == 0
        again.stop()


def test_limits_of_size_processor_and_time(running):
    put(running, "/limit/in", b"a\n")
    for number, (setting, mapper, words) in enumerate([
            ("cairn.task.max-file-mb=1", "sh -c 'head -c 5000000 /dev/zero > big'", "exit status 153"),
            ("cairn.task.max-cpu-seconds=1", "sh -c 'while :; do :; done'", "signal 24"),
            ("cairn.task.max-seconds=2", "sleep 1000", "ran for 2 seconds")]):
        done = submit(running, "-D", setting, "-D", "mapreduce.map.maxattempts=1", "-numReduceTasks", 0, "-mapper", mapper, "-input", "/limit/in",
                      out=f"/o/limit{number}")
        assert done.returncode == 1 and words in done.stderr.decode(), done.stderr


def test_tasks_may_open_as_many_files_as_the_worker_was_given(tmp_path):
    """The worker itself takes all it can get. Programs that close every descriptor they may have, or keep sets of them, do not want that many."""
    with Cluster(tmp_path / "cluster", nodes=1) as cluster:
        put(cluster, "/in", b"a\n")
        cluster.kill("worker-1")
        again = cluster.start_again("worker-1", through=("prlimit", "--nofile=700:5000"))
        run(cluster, "-numReduceTasks", 0, "-mapper", "sh -c 'ulimit -Sn; ulimit -Hn'", "-input", "/in", out="/out")
        assert output(cluster, "/out").split() == [b"700", b"5000"]
        again.stop()


def test_failure_shows_the_last_forty_lines(running):
    put(running, "/forty/in", b"a\nb\n")
    done = submit(running, "-D", "mapreduce.map.maxattempts=1", "-numReduceTasks", 0, "-mapper", "sh -c 'cat >/dev/null; seq -f line-%g 100 >&2; exit 7'",
                  "-input", "/forty/in", out="/o/forty")
    text = done.stderr.decode()
    assert "exit status 7" in text and "/forty/in, bytes 0 to 4, about record 2" in text
    assert "line-62\n" in text and "line-100\ncairn task: " in text and "line-61\n" not in text


def test_log_is_capped(tmp_path):
    with Cluster(tmp_path / "cluster", properties={"cairn.worker.log-max": 65536}) as cluster:
        put(cluster, "/in", b"a\n")
        text = run(cluster, "-numReduceTasks", 0, "-mapper", "sh -c 'cat; seq 100000 >&2'", "-input", "/in", out="/out")
        log = job(cluster, "-logs", job_id(text), check=True).stdout
        assert len(log) < 70000 and b"bytes are left out" in log and log.rstrip().endswith(b"100000")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run tasks as somebody else")
def test_tasks_run_as_who_submitted_them():
    with tempfile.TemporaryDirectory(prefix="cairn-user-") as folder:
        os.chmod(folder, 0o755)
        with Cluster(os.path.join(folder, "cluster"), properties={"dfs.permissions.enabled": "false"}) as cluster:
            put(cluster, "/in", b"a\n")
            for user, who in (("daemon", "daemon"), ("someone-elsewhere", "nobody"), ("root", "root")):
                out = f"/out-{user}"
                env = {"HADOOP_USER_NAME": user}
                run(cluster, "-mapper", "sh -c 'cat; id -un; touch mine; id -G'", "-reducer", "sh -c 'cat; id -un'", "-input", "/in", out=out, env=env)
                lines = [line.rstrip("\t") for line in output(cluster, out).decode().splitlines()]
                assert lines.count(who) == 2, lines
                if who != "root":
                    assert "0" not in lines, "groups of root stay"


def test_map_output_that_leads_elsewhere_is_not_served(running, tmp_path):
    """A task's folder is its user's: what he puts there must not make the worker read out what is not his."""
    put(running, "/leads/in", b"a\n")
    name = start(running, "-mapper", "cat", "-reducer", "sh -c 'sleep 3; cat'", "-input", "/leads/in", out="/o/leads")
    found = wait_for(lambda: glob.glob(f"{running.folder}/worker-*/jobs/{name}/output/*/file.out"), 20, "map output")[0]
    attempt = os.path.basename(os.path.dirname(found))
    worker = next(d for d in running.daemons_named("worker") if f"/{d['name']}/" in found)
    get = f"/shuffle?map={attempt}&reduce=0"
    assert wait_for(lambda: running.http_get(get, worker["address"]), 10, "the output")
    os.rename(found, f"{found}.aside")
    try:
        (tmp_path / "secret").write_text("s" * 100000)
        os.symlink(tmp_path / "secret", found)
        with pytest.raises(urllib.error.HTTPError) as refused:
            running.http_get(get, worker["address"])
        assert refused.value.code == 404
        os.unlink(found)
        if os.geteuid() == 0:
            (tmp_path / "others").write_text("s" * 100000)
            os.chown(tmp_path / "others", 1, 1)
            os.link(tmp_path / "others", found)
            with pytest.raises(urllib.error.HTTPError):
                running.http_get(get, worker["address"])
            os.unlink(found)
    finally:
        os.rename(f"{found}.aside", found)
    assert job(running, "-wait", name).returncode == 0

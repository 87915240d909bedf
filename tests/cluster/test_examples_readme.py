"""The commands of examples/README.md, as whoever copies them runs them."""
import os
import re
import subprocess

from lib import sanitizer
from lib.cluster import ROOT, cairn_path, client_env
from lib.jobs import output, running


def commands():
    """The indented lines."""
    with open(os.path.join(ROOT, "examples", "README.md")) as file:
        return re.findall(r"^    (.*)\n", file.read(), re.M)


def test_commands_of_the_readme(running):
    build = os.path.relpath(os.path.dirname(cairn_path()), ROOT)
    script = "\n".join(["set -eu", *commands()]).replace("build/release", build)
    env = client_env() | {"CAIRN_DIR": running.folder, "PROGRAMS": f"{os.path.dirname(cairn_path())}/examples/programs", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(["sh", "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, timeout=200 * sanitizer.slowness())
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^pi\t3\.14\d+\t\d+\t1600000$", done.stdout, re.M)
    assert re.search(r"^2014-08-01\t98392\t100\t1890\t5\.797569\d+\t16601839\.18\d*$", done.stdout, re.M)
    words = output(running, "/out/words").splitlines()
    for other in "/out/words-python", "/out/words-c":
        assert sorted(output(running, other).splitlines()) == sorted(words)
    with open(os.path.join(ROOT, "docs", "jobs.md")) as file:
        assert "examples/README.md" in file.read()


def test_every_job_is_in_the_readme():
    jobs = os.path.join(ROOT, "examples", "jobs")
    scripts = [f"examples/jobs/{name}/{script}" for name in os.listdir(jobs) if os.path.isdir(os.path.join(jobs, name))
               for script in os.listdir(os.path.join(jobs, name)) if name != "__pycache__" and "." not in script]
    scripts += [f"examples/jobs/python/{name}" for name in os.listdir(os.path.join(jobs, "python")) if name.endswith(".py")]
    text = "\n".join(commands())
    assert scripts and not [script for script in scripts if script not in text]


def test_scripts_say_how_they_are_called():
    done = subprocess.run([os.path.join(ROOT, "examples/jobs/mta-stats/run")], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("run [--global] INPUT OUTPUT [OPTIONS]: ")

"""Every method of ClientProtocol, and of the protocols beside it, called by Hadoop's own client classes on both servers:
the answers and the classes of the exceptions are the same, but for the differences that are listed here with a reason."""
import subprocess

import pytest

from lib import apache, jars

DIFFERENT = {
    "getFileInfo.relative": "HDFS fails an assertion of its own",
    "createSymlink": "HDFS has symbolic links switched off",
    "getFileInfo.behind-link": "HDFS has symbolic links switched off",
    "getLinkTarget": "HDFS has symbolic links switched off",
    "getErasureCodingPolicies.states": "no policy is enabled, since files are replicated only",
    "getErasureCodingCodecs": "no datanode has a codec",
    "getHAServiceState": "HDFS refuses to say without HA; ours is always the active one",
    "HAService.getServiceStatus": "HDFS refuses to say without HA; ours is always the active one",
    "getEditsFromTxid": "no log of past changes is kept",
}


def run_battery(uri, folder):
    """({case: (result, detail)}, {methods of ClientProtocol that were called})"""
    apache.write_conf(f"{folder}/conf", {"hadoop.tmp.dir": f"{folder}/tmp"}, {"dfs.blocksize": 1 << 20}, "OFF")
    classes = jars.class_path(apache.DEPENDENCIES, jars.java_files("interop/ProtocolBattery.java"))
    command = [*apache.JVM, *apache.QUICK_START, "-Xmx400m", "-cp", f"{folder}/conf:{classes}", "ProtocolBattery", uri]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    cases, called = {}, set()
    for line in done.stdout.splitlines():
        if line.startswith("case "):
            name, result, detail = line[5:].split("\t")
            cases[name] = result, detail
        elif line.startswith("called "):
            called.add(line[7:])
    return cases, called


@pytest.fixture(scope="module")
def on_apache(apache_server, tmp_path_factory):
    return run_battery(apache_server.fs, tmp_path_factory.mktemp("battery-apache"))


@pytest.fixture(scope="module")
def on_cairn(cairn_server, tmp_path_factory):
    return run_battery(cairn_server.fs, tmp_path_factory.mktemp("battery-cairn"))


def test_every_answer_is_the_same(on_apache, on_cairn):
    theirs, ours = on_apache[0], on_cairn[0]
    assert theirs.keys() == ours.keys() and len(ours) > 350
    wrong = [
        f"{name}: apache {theirs[name]}, cairn {ours[name]}"
        for name in theirs
        if theirs[name][0] != ours[name][0] and name not in DIFFERENT
    ]
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def test_no_listed_difference_has_gone(on_apache, on_cairn):
    same = [name for name in DIFFERENT if on_apache[0][name][0] == on_cairn[0][name][0]]
    assert not same


def test_no_method_is_unknown(on_cairn):
    unknown = [name for name, (result, _) in on_cairn[0].items() if "RpcNoSuch" in result]
    assert not unknown


def test_a_path_behind_a_link_is_told_whole(on_cairn):
    """Java's client goes on at the path that it reads there."""
    result, text = on_cairn[0]["getFileInfo.behind-link"]
    assert (result, text) == ("!org.apache.hadoop.hdfs.protocol.UnresolvedPathException", "/battery/r2" + ("/" + "x" * 200) * 20)


def test_all_of_client_protocol_is_called(on_cairn):
    assert len(on_cairn[1]) >= 110, sorted(on_cairn[1])

"""Streaming jobs on a whole cluster: results against separate computations, and Hadoop's contract."""
import collections
import gzip
import json
import signal

from lib.cluster import cairn_path, client_env
from lib.jobs import WORDCOUNT, WORDS, check_words, counter, generate, job, job_id, output, put, run, running, state, submit, word_counts
from lib.process import on_a_terminal


def test_word_count_with_a_combiner_and_several_reduces(running):
    put(running, "/words/a", WORDS, 65536)
    text = run(running, *WORDCOUNT, "-combiner", "reduce.awk", "-numReduceTasks", 3, "-input", "/words", out="/o/words")
    check_words(running, "/o/words", word_counts(WORDS))
    assert counter(text, "Launched map tasks") == counter(text, "Data-local map tasks") == -(-len(WORDS) // 65536)
    assert counter(text, "Map input records") == 20000
    assert counter(text, "Map output records") == counter(text, "Combine input records") == 60000
    assert counter(text, "Reduce output records") == len(word_counts(WORDS))
    assert " map 100% reduce 100%" in text
    names = running.fs("-ls", "-C", "/o/words", check=True).stdout.decode().split()
    assert names == ["/o/words/_SUCCESS", "/o/words/part-00000", "/o/words/part-00001", "/o/words/part-00002"]
    assert running.fs("-ls", "/tmp/hadoop-yarn/staging/*/.staging/*").returncode == 1, "the staging folder stays"


def test_small_sort_buffer_spills_and_merges_to_the_same_result(running):
    put(running, "/spill/a", generate("mta", 30000))
    want = collections.Counter(line.rstrip("\r") for line in generate("mta", 30000).decode().split("\n")[:-1])
    text = run(running, "-D", "mapreduce.task.io.sort.mb=1", "-D", "mapreduce.task.io.sort.factor=2", "-mapper", "cat", "-reducer", "cat",
               "-D", "stream.num.map.output.key.fields=20", "-numReduceTasks", 2, "-input", "/spill/a", out="/o/spill")
    got = collections.Counter(line.rstrip("\t") for line in output(running, "/o/spill").decode().split("\n")[:-1])
    assert got == want
    assert counter(text, "Spilled Records") > 30000
    for part in (0, 1):
        lines = running.fs("-cat", f"/o/spill/part-0000{part}", check=True).stdout.split(b"\n")[:-1]
        assert [line.rstrip(b"\t") for line in lines] == sorted(line.rstrip(b"\t") for line in lines)


def test_record_larger_than_the_sort_buffer(running):
    data = b"small\t1\n" + b"k" * 10 + b"\t" + b"v" * (3 << 20) + b"\nother\t2\n"
    put(running, "/large/a", data)
    run(running, "-D", "mapreduce.task.io.sort.mb=1", "-mapper", "cat", "-reducer", "cat", "-combiner", "cat", "-input", "/large/a", out="/o/large")
    assert sorted(output(running, "/o/large").split(b"\n")) == sorted(data.split(b"\n"))


def test_paths_with_the_file_systems_name(running):
    put(running, "/uri/a", b"a\n")
    run(running, "-mapper", "cat", "-numReduceTasks", 0, "-input", running.uri.replace("127.0.0.1", "localhost") + "/uri/a", out=running.uri + "/o/uri")
    assert output(running, "/o/uri") == b"a\n"
    run(running, "-mapper", "cat", "-numReduceTasks", 0, "-input", "hdfs:///uri/a", out="hdfs:///o/uri-default")
    assert output(running, "/o/uri-default") == b"a\n"
    done = submit(running, "-mapper", "cat", "-input", "hdfs://127.0.0.1:1/uri/a", out="/o/uri2")
    assert done.returncode == 1 and b"another file system" in done.stderr


# ---- Hadoop's contract ----


def test_the_name_of_a_job_does_not_command_a_terminal(running):
    put(running, "/i/evil", b"x\n")
    text = run(running, "-D", "mapreduce.job.name=\x1b[2Jevil", "-input", "/i/evil", "-mapper", "cat", out="/o/evil")
    for words in ["-list", "all"], ["-status", job_id(text)], ["-history", job_id(text)]:
        seen = on_a_terminal([cairn_path(), "job", "-fs", running.uri, *words], client_env())
        assert b"?[2Jevil" in seen and b"\x1b" not in seen, words
    assert b"\x1b[2Jevil" in job(running, "-list", "all").stdout, "a pipe gets what there is"


def test_two_files_of_one_name_are_not_taken_for_each_other(running, tmp_path):
    put(running, "/i/names", b"x\n")
    for folder in "map", "reduce":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "main.sh").write_text(f"#!/bin/sh\nsed s/^/{folder},/\n")
        (tmp_path / folder / "main.sh").chmod(0o755)
    for shipped in [], ["-file", "map/main.sh"]:
        done = submit(running, "-input", "/i/names", *shipped, "-mapper", "map/main.sh", "-reducer", "reduce/main.sh", out="/o/names",
                      cwd=tmp_path)
        assert done.returncode == 1 and b"map/main.sh and reduce/main.sh are both called main.sh" in done.stderr, done.stderr
    run(running, "-input", "/i/names", "-file", "map/main.sh", "-file", "reduce/main.sh#second.sh", "-mapper", "map/main.sh", "-reducer",
        "second.sh", out="/o/names", cwd=tmp_path)
    assert output(running, "/o/names") == b"reduce,map,x\t\n"
    run(running, "-input", "/i/names", "-mapper", "map/main.sh", "-reducer", "./map/main.sh", out="/o/twice", cwd=tmp_path)
    assert output(running, "/o/twice") == b"map,map,x\t\n"

def test_environment_of_the_commands(running, tmp_path):
    put(running, "/env/in", b"a\nb\n")
    (tmp_path / "env.sh").write_text("#!/bin/sh\ncat >/dev/null\nenv\npwd | sed 's/^/CWD=/'\n")
    (tmp_path / "env.sh").chmod(0o755)
    text = run(running, "-mapper", "./env.sh", "-numReduceTasks", 0, "-input", "/env/in", "-cmdenv", "GREETING=hello world", "-D", "my.own-key=v1",
               "-D", "mapreduce.job.name=a name", out="/o/env", cwd=tmp_path)
    env = dict(line.split("=", 1) for line in output(running, "/o/env").decode().splitlines() if "=" in line)
    job_name = job_id(text)
    assert env["GREETING"] == "hello world" and env["my_own_key"] == "v1"
    assert env["mapreduce_job_id"] == env["mapred_job_id"] == job_name
    assert env["mapreduce_job_name"] == "a name"
    attempt = env["mapreduce_task_attempt_id"]
    assert attempt == env["mapred_task_id"] == job_name.replace("job", "attempt") + "_m_000000_0"
    assert env["mapreduce_task_id"] == job_name.replace("job", "task") + "_m_000000"
    assert env["mapreduce_map_input_file"] == env["map_input_file"] == f"{running.uri}/env/in"
    assert (env["mapreduce_map_input_start"], env["map_input_length"]) == ("0", "4")
    assert (env["mapreduce_task_partition"], env["mapreduce_task_ismap"], env["mapred_reduce_tasks"]) == ("0", "true", "0")
    assert env["mapreduce_task_output_dir"] == f"{running.uri}/o/env/_temporary/0/{attempt}"
    assert attempt in env["CWD"]


def test_folders_that_several_attempts_write_become_one(running):
    """As Hadoop's committer merges them, folders in folders too."""
    for name in "abc":
        put(running, f"/side/in/{name}", name.encode() + b"\n")
    to = "$mapreduce_task_output_dir/by/day"
    script = f"n=$mapreduce_task_partition; {cairn_path()} fs -mkdir -p {to} && cat | {cairn_path()} fs -put - {to}/$n"
    run(running, "-mapper", f"sh -c '{script}'", "-numReduceTasks", 0, "-input", "/side/in", out="/o/side")
    assert running.fs("-cat", "/o/side/by/day/*", check=True).stdout == b"a\nb\nc\n"
    assert running.fs("-test", "-e", "/o/side/_temporary").returncode == 1


def test_separators_of_several_bytes(running):
    """As in Hadoop a separator is a text: of lines, of a key's fields for the order and for the parts."""
    put(running, "/wide/in", "b§§10§§x§y\na§§9§§z\nb§§9§§w\n".encode())
    run(running, "-D", "stream.map.output.field.separator=§§", "-D", "stream.num.map.output.key.fields=2",
        "-D", "stream.reduce.input.field.separator=||", "-D", "mapreduce.map.output.key.field.separator=§§",
        "-D", "mapreduce.job.output.key.comparator.class=KeyFieldBasedComparator", "-D", "mapreduce.partition.keycomparator.options=-k1,1r -k2,2n",
        "-partitioner", "KeyFieldBasedPartitioner", "-D", "mapreduce.partition.keypartitioner.options=-k1,1",
        "-mapper", "cat", "-reducer", "sh -c 'cat; echo end'", "-numReduceTasks", 2, "-input", "/wide/in", out="/o/wide")
    parts = [running.fs("-cat", f"/o/wide/part-0000{n}", check=True).stdout.decode() for n in range(2)]
    lines = "".join(sorted(parts, reverse=True)).replace("end\n", "")
    assert sorted(parts[0].splitlines() + parts[1].splitlines()) == sorted(["b§§9||w", "b§§10||x§y", "a§§9||z", "end", "end"])
    assert lines.index("b§§9||w") < lines.index("b§§10||x§y")
    assert any("b§§9||w" in part and "b§§10||x§y" in part for part in parts)


def test_commands_inherit_nothing_of_the_daemons(running):
    put(running, "/bare/in", b"x\n")
    script = "cat >/dev/null; for f in /proc/self/fd/*; do readlink $f; done; grep SigIgn /proc/self/status"
    run(running, "-input", "/bare/in", "-mapper", f"sh -c '{script}'", "-reducer", "NONE", out="/bare/out")
    lines = output(running, "/bare/out").decode().split("\n")
    assert not [line for line in lines if ".log" in line]
    ignored = int(next(line for line in lines if line.startswith("SigIgn:")).split()[1], 16)
    assert not ignored & (1 << (signal.SIGINT - 1) | 1 << (signal.SIGPIPE - 1))


def test_reporter_lines_and_logs(running):
    put(running, "/rep/in", b"a\nb\n")
    script = "cat; echo reporter:counter:mine,seen,41 >&2; echo reporter:counter:mine,seen,1 >&2; echo reporter:status:all is well >&2; echo a plain line >&2"
    text = run(running, "-mapper", f"sh -c '{script}'", "-numReduceTasks", 0, "-input", "/rep/in", out="/o/rep")
    assert counter(text, "seen") == 42
    name = job_id(text)
    log = job(running, "-logs", name, check=True).stdout.decode()
    assert "a plain line" in log and "reporter:" not in log
    one = job(running, "-logs", name.replace("job", "attempt") + "_m_000000_0", check=True).stdout.decode()
    assert one == "a plain line\n"
    assert "all is well" in running.http_get(f"/jobs/{name}", running.scheduler_http).decode()


def test_job_commands(running):
    put(running, "/cmd/in", b"a\n")
    name = job_id(run(running, "-mapper", "cat", "-input", "/cmd/in", out="/o/cmd"))
    assert f"Job State: SUCCEEDED" in job(running, "-status", name, check=True).stdout.decode()
    assert "Map input records\t1\n" in job(running, "-counters", name, check=True).stdout.decode()
    assert name in job(running, "-list", "all", check=True).stdout.decode()
    assert name not in job(running, "-list", check=True).stdout.decode()
    history = job(running, "-history", name, check=True).stdout.decode()
    assert name.replace("job", "attempt") + "_m_000000_0\tSUCCEEDED" in history and "node-local" in history
    assert job(running, "-wait", name).returncode == 0
    assert b"is over already" in job(running, "-kill", name, check=True).stdout
    missing = job(running, "-status", "job_1_0001")
    assert missing.returncode == 1 and b"job_1_0001" in missing.stderr
    assert job(running, "-nonsense").returncode == 255
    listed = json.loads(running.http_get("/v1/jobs", running.scheduler_http))
    assert any(entry["id"] == name and entry["state"] == "SUCCEEDED" for entry in listed)
    shown = json.loads(running.http_get(f"/v1/jobs/{name}", running.scheduler_http))
    assert shown["attempts"][0]["locality"] == "node-local"
    assert b"cairn_scheduler_workers_live 3" in running.http_get("/metrics", running.scheduler_http)
    json.loads(running.http_get("/jmx", running.scheduler_http))


def test_input_formats(running):
    put(running, "/fmt/in", b"k1\tv1\nk2\nk3\tv3\tw\n")
    run(running, "-inputformat", "KeyValueTextInputFormat", "-mapper", "cat", "-numReduceTasks", 0, "-input", "/fmt/in", out="/o/kv")
    assert output(running, "/o/kv") == b"k1\tv1\nk2\t\nk3\tv3\tw\n"
    text = run(running, "-inputformat", "org.apache.hadoop.mapred.lib.NLineInputFormat", "-D", "mapreduce.input.lineinputformat.linespermap=2",
               "-mapper", "cat", "-numReduceTasks", 0, "-input", "/fmt/in", out="/o/nline")
    assert output(running, "/o/nline") == b"0\tk1\tv1\n6\tk2\n9\tk3\tv3\tw\n"
    assert counter(text, "Launched map tasks") == 2
    run(running, "-D", "stream.map.input.ignoreKey=true", "-inputformat", "NLineInputFormat", "-mapper", "cat", "-numReduceTasks", 0,
        "-input", "/fmt/in", out="/o/nline2")
    assert output(running, "/o/nline2") == b"k1\tv1\nk2\nk3\tv3\tw\n"


def test_inputs_globs_folders_gzip_empty_and_hidden(running):
    put(running, "/many/a1", b"a1\n")
    put(running, "/many/a2", b"a2")
    put(running, "/many/b.gz", gzip.compress(b"b\n" * 3))
    put(running, "/many/empty", b"")
    put(running, "/many/_hidden", b"no\n")
    put(running, "/many/.hidden", b"no\n")
    run(running, "-mapper", "cat", "-reducer", "cat", "-input", "/many", out="/o/many")
    assert output(running, "/o/many") == b"a1\t\na2\t\nb\t\nb\t\nb\t\n"
    run(running, "-mapper", "cat", "-numReduceTasks", 0, "-lazyOutput", "-input", "/many/a?,/many/{empty,b.gz}", out="/o/glob")
    assert sorted(output(running, "/o/glob").split()) == [b"a1", b"a2", b"b", b"b", b"b"]
    assert len(running.fs("-ls", "-C", "/o/glob", check=True).stdout.split()) == 4  # the empty map wrote no part file
    put(running, "/many/sub/c", b"c\n")
    refused = submit(running, "-mapper", "cat", "-input", "/many", out="/o/sub")
    assert refused.returncode == 5 and b"Not a file: " in refused.stderr
    run(running, "-D", "mapreduce.input.fileinputformat.input.dir.recursive=true", "-mapper", "cat", "-input", "/many", out="/o/sub")
    assert b"c\t\n" in output(running, "/o/sub")


def test_identity_map_only_keeps_lines_as_they_are(running):
    data = b"with\ttab\nwithout\n\nlast without end"
    put(running, "/same/in", data)
    run(running, "-mapper", "cat", "-numReduceTasks", 0, "-input", "/same/in", out="/o/same")
    assert output(running, "/o/same") == data + b"\n"


def test_mapper_that_reads_only_a_part_of_its_input(running):
    put(running, "/head/in", WORDS * 20)
    run(running, "-mapper", "head -n 3", "-numReduceTasks", 0, "-input", "/head/in", out="/o/head")
    assert output(running, "/o/head").count(b"\n") == 3

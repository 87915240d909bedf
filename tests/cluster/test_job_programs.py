"""Map/Reduce programs in C: their records, their ends, and jobs that mix them with commands."""
import collections
import random
import re
import subprocess

import pytest

from lib import sanitizer
from lib.cluster import ROOT
from lib.jobs import PROGRAMS, check_words, counter, output, put, run, running, submit, word_counts

WORDS = b"".join(b"w%d common  w%d\n" % (i % 997, i % 11) for i in range(20000))


def build(folder, name, text):
    source, target = folder / f"{name}.c", folder / f"{name}.so"
    source.write_text("#include <cairn/mapreduce.h>\n#include <stdio.h>\n#include <stdlib.h>\n" + text)
    subprocess.run(["gcc", "-O1", "-Wall", "-Werror", f"-I{ROOT}/scheduler/include", "-shared", "-fPIC", "-o", str(target), str(source)], check=True)
    return str(target)


TAIL = "const struct cairn_program cairn_program = {CAIRN_MAPREDUCE_ABI, %s};\n"


@pytest.mark.parametrize("settings", [[], ["-D", "mapreduce.task.io.sort.mb=1", "-D", "cairn.program.fold.mb=1"],
                                      ["-D", "mapreduce.map.output.compress=false", "-D", "mapreduce.task.io.sort.mb=1"],
                                      ["-D", "mapreduce.task.io.sort.mb=1",
                                       "-D", "mapreduce.map.output.compress.codec=org.apache.hadoop.io.compress.ZStandardCodec"]])
def test_word_count(running, settings):
    put(running, "/words/a", WORDS, 65536)
    out = f"/o/words{abs(hash(tuple(settings)))}"
    text = run(running, *settings, "-program", f"{PROGRAMS}/wordcount.so", "-numReduceTasks", 3, "-input", "/words", out=out)
    check_words(running, out, word_counts(WORDS))
    assert counter(text, "Map input records") == 20000
    assert counter(text, "Map output records") < 20000, "equal words are not added up in the map"


def test_words_end_where_they_do_for_anybody(running):
    """Words of every length, at every place in eight bytes, between all that counts as blank and beside all that does not."""
    blanks = [bytes([b]) for b in range(1, 33) if b not in b"\r\n"]
    letters = [bytes([b]) for b in range(33, 256)]
    lines = [b" ".join(letters), b"".join(b"x" + blank for blank in blanks), b"", b" ", b"\t  "]
    lines += [b" " * (n % 9) + b"w" * n + b"\t" + b"\xff" * (n % 11) for n in range(1, 70)]
    put(running, "/blanks/text", b"\n".join(lines))
    want = collections.Counter(re.split(rb"[\0-\x20]+", b"\n".join(lines)))
    del want[b""]
    run(running, "-program", f"{PROGRAMS}/wordcount.so", "-input", "/blanks", out="/o/blanks")
    got = dict(line.rsplit(b"\t", 1) for line in output(running, "/o/blanks").splitlines())
    assert {word: int(count) for word, count in got.items()} == want


def test_nothing_is_combined_where_keys_have_one_value(running, tmp_path):
    program = build(tmp_path, "once", r'''
static int map(struct cairn_task *t, struct cairn_bytes key, struct cairn_bytes line)
{
    cairn_emit(t, line, cairn_bytes("1", 1));
    return 0;
}
static int combine(struct cairn_task *t, struct cairn_bytes key)
{
    cairn_count(t, "mine", "combined", 1);
    cairn_emit(t, key, cairn_bytes("2", 1));
    return 0;
}
''' + TAIL % ".map = map, .combine = combine")
    for name, lines, combined, want in ("different", b"a\nb\nc\n", 0, b"a\t1\nb\t1\nc\t1\n"), ("equal", b"a\nb\na\n", 2, b"a\t2\nb\t2\n"):
        put(running, f"/once/{name}", lines)
        text = run(running, "-program", program, "-reducer", "cat", "-input", f"/once/{name}", out=f"/o/once-{name}")
        assert output(running, f"/o/once-{name}") == want
        assert counter(text, "combined") == combined


def test_a_combiner_without_folding_at_spill_and_merge(running, tmp_path):
    program = build(tmp_path, "count", r'''
static int map(struct cairn_task *t, struct cairn_bytes key, struct cairn_bytes line)
{
    for (char *copy = strndup(line.data, line.size), *save, *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
        cairn_emit(t, cairn_bytes(w, strlen(w)), cairn_bytes("1", 1));
    cairn_count(t, "mine", "lines", 1);
    return 0;
}
static int sum(struct cairn_task *t, struct cairn_bytes key)
{
    long n = 0;
    char text[24];
    struct cairn_bytes v;
    while (cairn_next(t, &v)) {
        snprintf(text, sizeof text, "%.*s", (int)v.size, (const char *)v.data);
        n += atol(text);
    }
    cairn_emit(t, key, cairn_bytes(text, (size_t)snprintf(text, sizeof text, "%ld", n)));
    return 0;
}
''' + TAIL % ".map = map, .combine = sum, .reduce = sum")
    words = b"".join(b"w%d common  w%d\n" % (i % 997, i % 11) for i in range(60000))
    put(running, "/many/words", words)
    text = run(running, "-D", "mapreduce.task.io.sort.mb=1", "-program", program, "-input", "/many/words", out="/o/combine")
    check_words(running, "/o/combine", word_counts(words))
    assert counter(text, "lines") == 60000
    assert counter(text, "Map output records") == 180000
    assert counter(text, "Combine input records") > 180000, "spills are merged without the combiner"
    assert counter(text, "Reduce input records") == len(word_counts(words)), "what was combined twice is one record per key"


def test_sorted_lines_of_the_sort_program(running):
    random.seed(5)
    lines = [bytes(random.randrange(33, 127) for _ in range(98)) for _ in range(5000)]
    put(running, "/sort/in", b"\n".join(lines) + b"\n", 1 << 16)
    run(running, "-program", f"{PROGRAMS}/sort.so", "-D", "mapreduce.task.io.sort.mb=1", "-input", "/sort/in", out="/o/sort")
    assert output(running, "/o/sort") == b"".join(line + b"\n" for line in sorted(lines, key=lambda line: line[:10]))


@pytest.mark.parametrize("settings", [[], ["-D", "mapreduce.map.output.compress=false"]])
def test_memory_has_a_bound(running, settings):
    """Fifty times what fits into the buffers is sorted in buffers of 2 MiB each, many runs at a time."""
    random.seed(6)
    block = b"".join(b"%010d%s\n" % (random.randrange(10**10), b"x" * 89) for _ in range(100000))
    put(running, "/bound/in", b"".join(b"%d" % i + block for i in range(10)), 256 << 20)
    out = f"/o/bound{len(settings)}"
    text = run(running, *settings, "-D", "mapreduce.task.io.sort.mb=2", "-program", f"{PROGRAMS}/sort.so", "-input", "/bound/in", out=out)
    keys = [line[:10] for line in output(running, out).splitlines()]
    assert len(keys) == 1000000 and keys == sorted(keys)
    assert counter(text, "Launched map tasks") == counter(text, "Launched reduce tasks") == 1
    assert counter(text, "Spilled Records") >= 2000000
    assert counter(text, "Physical memory (bytes) snapshot") < 2 * (2 * 24 << 20) * sanitizer.memory_factor(), "a task and its program have more than 24 MiB each"


def test_large_records_and_empty_ones(running, tmp_path):
    """Records of many times the size of what is exchanged at once, on all ways."""
    program = build(tmp_path, "same", r'''
static int map(struct cairn_task *t, struct cairn_bytes key, struct cairn_bytes line)
{
    cairn_emit(t, line, line);
    return 0;
}
static int reduce(struct cairn_task *t, struct cairn_bytes key)
{
    struct cairn_bytes v;
    while (cairn_next(t, &v))
        cairn_emit(t, v, cairn_bytes(NULL, 0));
    return 0;
}
''' + TAIL % ".map = map, .reduce = reduce")
    lines = sorted([b"", b"", b"a", b"z" * 262143, b"y" * 262144, b"x" * 3000000, b"w" * 131000, b"v" * 131072])
    put(running, "/large/in", b"\n".join(lines) + b"\n")
    run(running, "-program", program, "-D", "mapreduce.task.io.sort.mb=1", "-input", "/large/in", out="/o/large")
    assert output(running, "/o/large").split(b"\n")[:-1] == lines


def test_commands_and_programs_in_one_job(running, tmp_path):
    put(running, "/mix/in", WORDS)
    run(running, "-mapper", "tr -s ' ' '\\n'", "-reducer", build(tmp_path, "n", r'''
static int reduce(struct cairn_task *t, struct cairn_bytes key)
{
    struct cairn_bytes v;
    char text[24];
    int n = 0;
    while (cairn_next(t, &v))
        n++;
    cairn_emit(t, key, cairn_bytes(text, (size_t)snprintf(text, sizeof text, "%d", n)));
    return 0;
}
''' + TAIL % ".reduce = reduce"), "-input", "/mix/in", out="/o/mix1")
    check_words(running, "/o/mix1", word_counts(WORDS))
    mapper = build(tmp_path, "first", r'''
static int map(struct cairn_task *t, struct cairn_bytes key, struct cairn_bytes line)
{
    const char *tag = cairn_setting(t, "my.tag");
    cairn_emit(t, line, cairn_bytes(tag, strlen(tag)));
    return 0;
}
''' + TAIL % ".map = map")
    run(running, "-D", "my.tag=x", "-mapper", mapper, "-reducer", "uniq -c", "-input", "/mix/in", out="/o/mix2")
    assert sum(int(line.split()[0]) for line in output(running, "/o/mix2").splitlines()) == 20000
    assert all(line.endswith(b"\tx") for line in output(running, "/o/mix2").splitlines())
    text = run(running, "-D", "my.tag=x", "-program", mapper, "-input", "/mix/in", out="/o/mix3")  # without reduce: map only
    assert output(running, "/o/mix3") == WORDS.replace(b"\n", b"\tx\n")
    assert counter(text, "Map output records") == 20000 and counter(text, "Launched reduce tasks") == 0


@pytest.mark.parametrize("code, words", [
    ('return cairn_fail(t, "record %d is bad", 7);', ["record 7 is bad", "mapper failed with exit status 1"]),
    ("abort();", ["killed by signal 6"]),
    ("exit(3);", ["exit status 3"]),
])
def test_a_program_that_fails_says_why(running, tmp_path, code, words):
    program = build(tmp_path, "bad", "static int map(struct cairn_task *t, struct cairn_bytes k, struct cairn_bytes v)\n{\n    " + code + "\n}\n"
                    + TAIL % ".map = map, .reduce = NULL")
    put(running, "/bad/in", WORDS)
    done = submit(running, "-D", "mapreduce.map.maxattempts=1", "-program", program, "-input", "/bad/in", out=f"/o/bad{len(code)}")
    assert done.returncode == 1
    for word in words:
        assert word in done.stderr.decode()


@pytest.mark.parametrize("text, words", [
    ("int x;", "exports no cairn_program"),
    ("const struct cairn_program cairn_program = {99};", "another version"),
    (TAIL % ".map = NULL", "has no map"),
    ("extern int no_such_function(void); " + TAIL % ".map = (void *)no_such_function", "no_such_function"),
])
def test_a_program_that_is_none_is_refused_before_anything_runs(running, tmp_path, text, words):
    put(running, "/none/in", b"a\n")
    done = submit(running, "-program", build(tmp_path, "none", text), "-input", "/none/in", out="/o/none")
    assert done.returncode == 1 and words in done.stderr.decode(), done.stderr


def test_hundreds_of_small_runs(running):
    """Each becomes many times as large once it is decompressed, and few fit into the memory of their reduce at once."""
    lines = b"".join(b"%08d%s\n" % (i * 7919 % 100000, b"y" * 500) for i in range(40000))
    put(running, "/maps/in", lines, 65536)
    text = run(running, "-D", "mapreduce.task.io.sort.mb=1", "-D", "mapreduce.task.io.sort.factor=8", "-D", "sort.key.bytes=8", "-program",
               f"{PROGRAMS}/sort.so", "-input", "/maps/in", out="/o/maps")
    assert counter(text, "Shuffled Maps") == counter(text, "Launched map tasks") > 250
    assert output(running, "/o/maps") == b"".join(sorted(lines.splitlines(True)))

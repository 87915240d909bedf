"""The section mapreduce: word count and sort beside what a user would take instead, and how quickly small jobs are done."""
import contextlib
import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass

from contenders import Cairn, Local, OnHadoop, Spark, mib_of, run_rounds
from hadoop_jobs import EXAMPLES, STREAMING
from lib import data
from measure import measure
from programs import build, checked
from report import Table, figure


@dataclass
class Size:
    text_mib: int
    records: int
    lines_mib: int  # of the text, for those that make a line of every word
    hadoop_lines_mib: int
    rounds: int
    slow_rounds: int
    tasks: int
    small_jobs: int


FULL = Size(1024, 2**30 // 100, 256, 32, 3, 2, 1000, 20)
SMOKE = Size(4, 20_000, 2, 1, 1, 1, 20, 2)
MAPPER, REDUCER = "tr -s ' ' '\\n'", "uniq -c"
# A map sorts its block at once; on loopback, compressing takes longer than sending.
SORT = ["-D", "mapreduce.task.io.sort.mb=192", "-D", "mapreduce.map.output.compress=false", "-partitioner",
        "org.apache.hadoop.mapred.lib.TotalOrderPartitioner", "-numReduceTasks", "2"]

C_WORDS, LINES = "Cairn, C program", "Cairn, streaming"
PLAIN, PIPELINE = "plain C, two threads, hash tables", "cat | tr | sort --parallel=2 | uniq -c"
SPARK, HADOOP, HADOOP_LINES = "Spark 3.5, data frame", "Hadoop, WordCount", "Hadoop Streaming"
GNU_SORT, RADIX, TERASORT = "sort --parallel=2", "plain C, radix sort in memory, one thread", "Hadoop, TeraSort"


def words_of(stream):
    """{word: count} of lines `word<TAB>count`, or as `uniq -c` prints them."""
    counts = {}
    for line in stream:
        one, other = line.split()
        word, count = (other, one) if one.isdigit() else (one, other)
        counts[word] = counts.get(word, 0) + int(count)
    return counts


class Run:
    def __init__(self, work, size, cairn, hadoop):
        self.work, self.size, self.cairn, self.hadoop = work, size, cairn, hadoop
        self.local, self.spark = Local(work), Spark(work)
        self.input = build(work, "mr_input")

    def _make(self, name, *how):
        path = f"{self.work}/{name}"
        with open(path, "wb") as file:
            checked([self.input, *map(str, how)], stdout=file)
        return path

    def _rounds(self, contenders, is_right):
        return run_rounds(contenders, is_right, self.size.rounds, self.size.slow_rounds)

    def words(self):
        text = self._make("text", "words", self.size.text_mib * data.MIB)
        part, small = first_lines(text, self.size.lines_mib), first_lines(text, self.size.hadoop_lines_mib)
        hadoop_lines = ["-D", "mapreduce.job.reduces=2", "-input", "INPUT", "-output", "OUTPUT", "-mapper", MAPPER, "-reducer", REDUCER]
        plain = self.local.program(PLAIN, text, "plain_words")
        right = {}
        for path in text, part, small:
            self.local.program("", path, "plain_words").step()
            with plain.output() as stream:
                right[mib_of(path)] = words_of(stream)

        def is_right(contender):
            with contender.output() as stream:
                return words_of(stream) == right[contender.mib]

        return self._rounds([
            plain,
            self.cairn.job(C_WORDS, text, "-program", f"{self.cairn.programs}/wordcount.so"),
            self.local.shell(PIPELINE, part, "cat $1 | tr -s ' ' '\\n' | sort --parallel=2 | uniq -c >$2"),
            self.cairn.job(LINES, part, "-mapper", MAPPER, "-reducer", REDUCER, "-numReduceTasks", "2"),
            self.spark.job(SPARK, text, "words"),
            self.hadoop.job(HADOOP, text, f"{EXAMPLES}.WordCount", "-Dmapreduce.job.reduces=2", "INPUT", "OUTPUT"),
            self.hadoop.job(HADOOP_LINES, small, STREAMING, *hadoop_lines),
        ], is_right)

    def sort(self):
        records = self._make("records", "records", self.size.records)

        def summary(stream):
            return checked([self.input, "check"], stdin=stream, stdout=subprocess.PIPE, text=True).stdout.split()

        with open(records, "rb") as stream:
            made = summary(stream)[:2]

        def is_right(contender):
            with contender.output() as stream:
                return summary(stream) == [*made, "ordered"]

        return self._rounds([
            self.local.shell(GNU_SORT, records, "sort --parallel=2 -o $2 $1"),
            self.cairn.job(C_WORDS, records, "-program", f"{self.cairn.programs}/sort.so", *SORT),
            self.cairn.job(LINES, records, "-mapper", "cat -", "-reducer", "cat -", *SORT),
            self.local.program(RADIX, records, "radix_sort"),
            self.spark.job(SPARK, records, "sort"),
            self.hadoop.job(TERASORT, records, f"{EXAMPLES}.terasort.TeraSort", "-Dmapreduce.job.reduces=2",
                            "-Dmapreduce.terasort.output.replication=1", "INPUT", "OUTPUT"),
        ], is_right)

    def small_jobs(self):
        """(seconds of an empty job, tasks per second of one of many)"""
        fs = self.cairn.cluster.fs
        fs("-mkdir", "-p", "/small", check=True)
        fs("-put", "-", "/small/empty", check=True)
        fs("-put", "-", "/small/lines", stdin=b"line\n" * self.size.tasks, check=True)
        many = ["-inputformat", "org.apache.hadoop.mapred.lib.NLineInputFormat", "-numReduceTasks", "0", "-lazyOutput", "-mapper", "true"]

        def seconds(*options):
            sample = measure(lambda: self.cairn.streaming(*options))
            done = fs("-test", "-e", f"{self.cairn.OUT}/_SUCCESS").returncode == 0
            ended = json.loads(self.cairn.cluster.http_get("/v1/jobs", self.cairn.cluster.scheduler_http))
            fs("-rm", "-r", "-skipTrash", self.cairn.OUT, check=True)
            return sample.wall_s, done and max(ended, key=lambda job: job["id"])["maps_done"]

        empty = [seconds("-input", "/small/empty", "-mapper", "cat", "-numReduceTasks", "0") for _ in range(1 + self.size.small_jobs)]
        full = [seconds("-input", "/small/lines", *many) for _ in range(1 + self.size.rounds)]
        if any(done is False for _, done in empty) or any(done != self.size.tasks for _, done in full):
            sys.exit(f"bench: small jobs did not do what they should: {empty} {full}")
        return statistics.median(wall for wall, _ in empty[1:]), self.size.tasks / statistics.median(wall for wall, _ in full[1:])


def first_lines(path, mib):
    part = f"{path}-{mib}"
    with open(path, "rb") as whole, open(part, "wb") as file:
        file.write(whole.read(mib * data.MIB).rsplit(b"\n", 1)[0] + b"\n")
    return part


# ---- tables ----


def table(title, note, seen):
    rows = []
    for name, one in sorted(seen.items(), key=lambda item: -item[1].rate):
        ratios = [f"{seen[ours].rate / one.rate:.2f}" if ours != name else "" for ours in (C_WORDS, LINES)]
        figures = [figure(one.mib), figure(one.rate), f"{one.wall_s:.2f}", f"{one.cpu_s:.2f}", f"{one.cpu_s / one.mib * 1024:.1f}", figure(one.peak_mib)]
        rows.append([name.replace("|", "\\|"), *figures, *ratios])
    head = ["", "MiB", "MiB/s", "s", "CPU s", "CPU s per GiB", "peak MiB", "C program is ×", "streaming is ×"]
    return Table(title, note, head, rows)


def aims(words, sort, empty_s, tasks_per_s):
    rows = []

    def faster(seen, what, ours, other, aim):
        rows.append([f"{what}: {ours} × {other}".replace("|", "\\|"), f"{aim:.1f}", f"{seen[ours].rate / seen[other].rate:.2f}"])

    faster(words, "word count", C_WORDS, PLAIN, 0.9)
    faster(words, "word count", LINES, PIPELINE, 0.9)
    faster(sort, "sort", C_WORDS, GNU_SORT, 1.5)
    faster(sort, "sort", LINES, GNU_SORT, 1.0)
    for what, seen in ("word count", words), ("sort", sort):
        faster(seen, what, C_WORDS, SPARK, 5)
    for what, seen, hadoop in ("word count", words, HADOOP), ("sort", sort, TERASORT):
        faster(seen, what, C_WORDS, hadoop, 15)
    faster(words, "word count", LINES, HADOOP_LINES, 15)
    rows.append(["an empty job, ms, at most", "50", f"{empty_s * 1000:.0f}"])
    rows.append(["tasks per second of a job of many", "1,000", figure(tasks_per_s)])
    return Table("Map/Reduce: what was aimed at", "How many times as fast in MiB/s, unless it says otherwise.", ["", "aim", "seen"], rows)


def notes(size):
    common = (
        "One run, in turn, medians; the result of each is checked afterwards. CPU seconds are those of all processes that take part, "
        "servers included; the peak is the memory of their own (no pages of files) that they held together, looked at four times a second. "
        f"Cairn: one datanode, one replica, two tasks at a time. Hadoop: YARN and HDFS, also one node and one replica, its defaults. Spark: "
        "two executors of one core, reading and writing local files. Start-up is included everywhere. "
        f"Quick ones ran {size.rounds} times after a warm-up, Spark and Hadoop {size.slow_rounds} times."
    )
    words = (
        f"Text of {size.text_mib:,} MiB with 30,000 different words. {common} Streaming and the pipeline make a line of each word "
        f"(`{MAPPER}` and `{REDUCER}`) and so get the first {size.lines_mib} MiB of it, Hadoop Streaming the first {size.hadoop_lines_mib} MiB: "
        "compare the rates."
    )
    sort = (
        f"{size.records:,} records of 100 bytes, in lines. Input and output of Cairn are in its file system. `cat -` is the mapper and reducer of "
        "streaming (without its argument no process would be started). Each map sorts its block of 128 MiB at once "
        "(`mapreduce.task.io.sort.mb=192`) and does not compress, two reduces, total order."
    )
    return words, sort


def mapreduce_tables(work, smoke=False):
    size = SMOKE if smoke else FULL
    os.makedirs(work)
    with contextlib.ExitStack() as stack:
        run = Run(work, size, stack.enter_context(Cairn(work)), stack.enter_context(OnHadoop(work)))
        words, sort = run.words(), run.sort()
        empty_s, tasks_per_s = run.small_jobs()
    about_words, about_sort = notes(size)
    return [table("Map/Reduce: word count", about_words, words), table("Map/Reduce: sort", about_sort, sort), aims(words, sort, empty_s, tasks_per_s)]

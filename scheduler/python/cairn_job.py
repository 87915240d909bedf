"""Map/Reduce jobs in Python, with nothing but the standard library.

    from cairn_job import Job

    class WordCount(Job):
        def map(self, line):
            for word in line.split():
                yield word, 1

        def reduce(self, word, counts):
            yield word, sum(counts)

        combine = reduce

    if __name__ == "__main__":
        WordCount.main()

    python3 wordcount.py --local book.txt                                 # here, in this process, to stdout
    python3 wordcount.py -input /in -output /out -numReduceTasks 4        # on the cluster, options as `cairn streaming` has them

Keys and values between map, combine and reduce are anything that JSON can say (a tuple comes back as a list; a key that is one, as a
tuple). A reduce gets each key once, with an iterator over its values; keys are ordered by the bytes of their JSON, so that texts
come in the order of their characters, and numbers do not come in theirs. What a reduce yields (or a map without one) is written as text:
key, TAB, value; the key alone if the value is None.

The module is shipped with the job, and so is the script. On the cluster `$CAIRN` or `cairn` is run.
"""
import csv
import itertools
import json
import os
import subprocess
import sys

__all__ = ["Job"]


class Job:
    """One job. A class has map, and reduce or not; combine, setup, map_end and reduce_end if it wants them. Every task has an
    object of its own."""

    csv = False  # True: map gets the fields of a record of CSV, line breaks in quotes and all
    files = ()  # more files for the tasks' working directory
    options = ()  # more options for `cairn streaming`, such as "-D", "name=value"

    reduce = None
    combine = None

    def setup(self):
        """Before the first record, in every task."""

    def map(self, line):
        """One line without its end, or with `csv` one list of fields. Yields (key, value) pairs."""
        raise NotImplementedError

    def map_end(self):
        """After a map's last record; may yield pairs."""
        return ()

    def reduce_end(self):
        """After a reduce's last key; may yield pairs."""
        return ()

    # ---- what a job may ask and tell ----

    @staticmethod
    def setting(name, default=None):
        """A setting of the job (-D name=value) or of the task."""
        return os.environ.get("".join(c if c.isascii() and c.isalnum() else "_" for c in name), default)

    @property
    def input_file(self):
        return self.setting("mapreduce.map.input.file", "")

    @property
    def input_tag(self):
        """Of -taggedInput TAG=PATH."""
        return self.setting("cairn.map.input.tag", "")

    def count(self, name, amount=1, group="Job"):
        self._counts[group, name] = self._counts.get((group, name), 0) + amount

    def status(self, text):
        _tell(f"reporter:status:{text}")

    # ---- running ----

    def __init__(self):
        self._counts = {}

    @classmethod
    def main(cls, args=None):
        """The script's command line; does not return."""
        args = sys.argv[1:] if args is None else args
        if args[:1] == ["--task"]:
            sys.exit(cls()._task(args[1]))
        if args[:1] == ["--local"]:
            sys.exit(cls._local(args[1:]))
        sys.exit(cls._submit(args))

    @classmethod
    def _submit(cls, args):
        script = os.path.abspath(sys.modules[cls.__module__].__file__)
        command = f"python3 {_quote(os.path.basename(script))} --task "
        line = [os.environ.get("CAIRN", "cairn"), "streaming", "-files", ",".join([script, os.path.abspath(__file__), *cls.files]),
                "-mapper", command + "map"]
        if cls.reduce:
            line += ["-reducer", command + "reduce"]
            if cls.combine:
                line += ["-combiner", command + "combine"]
        else:
            line += ["-numReduceTasks", "0"]
        if cls.csv:
            line += ["-inputformat", "CSVInputFormat"]
        return subprocess.run([*line, *cls.options, *args], check=False).returncode

    def _task(self, role):
        lines = _lines(sys.stdin.buffer)
        pairs = {"map": lambda: self._mapped(lines), "combine": lambda: self._grouped(lines, self.combine, False),
                 "reduce": lambda: self._grouped(lines, self.reduce, True)}[role]()
        final = role == "reduce" or not self.reduce
        out = sys.stdout.buffer
        for key, value in pairs:
            out.write(_text(key, value) if final else _packed(key, value))
        out.flush()
        self._tell_counts()
        return 0

    @classmethod
    def _local(cls, paths):
        def lines():
            for path in paths or ["/dev/stdin"]:
                os.environ["mapreduce_map_input_file"] = path
                with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="\n" if cls.csv else None) as file:
                    for line in file:  # its end as on the cluster: LF, CRLF or CR, and in CSV what is in quotes stays
                        yield (line[:-1] if line.endswith("\n") else line).encode("utf-8", "surrogateescape")

        mapper, reducer = cls(), cls()
        pairs = mapper._mapped(lines())
        if cls.reduce:
            packed = sorted(_packed(key, value)[:-1] for key, value in pairs)
            pairs = reducer._grouped(packed, reducer.reduce, True)
        for key, value in pairs:
            sys.stdout.buffer.write(_text(key, value))
        sys.stdout.buffer.flush()
        mapper._tell_counts()
        reducer._tell_counts()
        return 0

    def _mapped(self, lines):
        self.setup()
        csv.field_size_limit(sys.maxsize)  # the cluster has one of its own
        texts = (line.decode("utf-8", "surrogateescape") for line in lines)
        for record in csv.reader(text + "\n" for text in texts) if self.csv else texts:
            yield from self.map(record) or ()
        yield from self.map_end() or ()

    def _grouped(self, lines, function, final):
        self.setup()
        split = (line.partition(b"\t") for line in lines)
        for key, parts in itertools.groupby(split, key=lambda part: part[0]):
            yield from function(_key(key), (json.loads(part[2]) for part in parts)) or ()
        if final:
            yield from self.reduce_end() or ()

    def _tell_counts(self):
        for (group, name), amount in self._counts.items():
            _tell(f"reporter:counter:{group},{name},{amount}")


def _tell(text):
    print(text, file=sys.stderr, flush=True)


def _quote(name):
    return f"'{name}'" if " " in name else name


def _lines(file):
    for line in file:
        yield line[:-1] if line.endswith(b"\n") else line


def _packed(key, value):
    # An escaped surrogate is how bytes that are no UTF-8 come through.
    return f"{json.dumps(key, ensure_ascii=False)}\t{json.dumps(value)}\n".encode("utf-8", "surrogateescape")


def _key(text):
    key = json.loads(text.decode("utf-8", "surrogateescape"))
    return tuple(key) if isinstance(key, list) else key


def _text(key, value):
    text = str(key) if value is None else f"{key}\t{value}"
    return f"{text}\n".encode("utf-8", "surrogateescape")

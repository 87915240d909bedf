"""The tables that `make bench` prints, and the page that keeps them."""
import os
import platform
from dataclasses import dataclass, field


@dataclass
class Row:
    what: str
    rate: float  # of the first thing named in `what`'s section, in the section's unit
    client_cpu: float  # in the section's cpu_unit
    server_cpu: float
    ratios: dict = field(default_factory=dict)  # {compared with: how many times as fast}


def figure(number):
    return f"{number:,.{1 if number < 100 else 0}f}"


def table(head, rows):
    """head and rows of text, the first column to the left."""
    lines = [" | ".join(["", *head, ""]).strip(), "|---|" + "--:|" * (len(head) - 1)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


@dataclass
class Table:
    """One whose columns are systems that stand beside each other."""

    title: str
    note: str
    head: list
    rows: list  # of text

    def markdown(self):
        return "\n".join([f"## {self.title}", "", self.note, "", *table(self.head, self.rows)])


@dataclass
class Section:
    title: str
    unit: str
    note: str
    rows: list
    cpu_unit: str = "s"

    def markdown(self):
        compared = list(dict.fromkeys(name for row in self.rows for name in row.ratios))
        head = ["", self.unit, *(f"× {name}" for name in compared), f"client CPU {self.cpu_unit}", f"server CPU {self.cpu_unit}"]
        rows = []
        for row in self.rows:
            ratios = [f"{row.ratios[name]:.2f}" if name in row.ratios else "" for name in compared]
            cells = [row.what.replace("|", "\\|"), figure(row.rate), *ratios]
            rows.append(cells + [f"{row.client_cpu:.2f}", f"{row.server_cpu:.2f}"])
        return "\n".join([f"## {self.title}", "", self.note, "", *table(head, rows)])


def machine():
    with open("/proc/meminfo") as file:
        gib = int(file.readline().split()[1]) / 2**20
    with open("/proc/cpuinfo") as file:
        cpu = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} cores ({cpu}), {gib:.0f} GiB, Linux {platform.release()}"


INTRO = """# Benchmarks

Written by `make bench RECORD=1`, which replaces the sections that it ran. All figures of a section come from one run on one machine,
everything on loopback: compare the ratios, never the absolute numbers with those of another machine. `× name` says how many times
as fast the row is as that one in the same run (above 1: faster). CPU seconds stand beside every rate, because client, servers and
load share the same cores. Medians; each step was run once before to warm up. Apache Hadoop is {hadoop} with Java's default settings,
its client in a JVM that was already running.
"""


def _sections_of(page):
    """{title: text} in the page's order."""
    return {part.split("\n", 1)[0]: "## " + part.strip() for part in ("\n" + page).split("\n## ")[1:]}


def record(path, sections, hadoop_version, load_before):
    """Puts the sections into docs/benchmarks.md, at their old places. load_before: what else kept the machine busy."""
    with open(path) as file:
        kept = _sections_of(file.read())
    other = f"the load average was {load_before:.1f} before: other work ran, so the ratios are rough" if load_before > 1 else "nothing else ran"
    for section in sections:
        kept[section.title] = f"{section.markdown()}\n\nOn {machine()}; {other}."
    with open(path, "w") as file:
        file.write("\n".join([INTRO.format(hadoop=hadoop_version), "\n\n".join(kept.values()), ""]))

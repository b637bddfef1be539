# SPDX-License-Identifier: Apache-2.0
"""Rows: what is measured, what it is compared with, and whether its targets are met."""
import dataclasses
import statistics

# How a value in seconds or bytes is shown: (factor, digits behind the point).
UNITS = {"ns": (1e9, 0), "µs": (1e6, 1), "ms": (1e3, 2), "s": (1, 2), "bytes": (1, 0), "MiB": (1 / (1 << 20), 1)}
ROWS = {}  # name: (function, names of the rows that it gives), in the order of the table


def median(values):
    return statistics.median(values)


def words(n):
    """A number of series as titles have it."""
    for size, letter in ((1_000_000, "M"), (1000, "k")):
        if n % size == 0 and n > 0:
            return f"{n // size} {letter}"
    return f"{n:,}"


@dataclasses.dataclass
class Row:
    name: str
    title: str
    unit: str
    values: list = dataclasses.field(default_factory=list)  # in seconds or bytes, one for each repetition
    beside: dict = dataclasses.field(default_factory=dict)  # what it is compared with: its name: its values
    targets: list = dataclasses.field(default_factory=list)  # (text, whether it is met)
    notes: list = dataclasses.field(default_factory=list)
    more: dict = dataclasses.field(default_factory=dict)  # for build/bench.json

    @property
    def value(self):
        return median(self.values) if self.values else None

    def ratio(self, name):
        return self.value / median(self.beside[name])

    def target(self, text, met):
        self.targets.append((text, bool(met)))

    def at_most(self, times, name):
        """The target of so many times the value beside."""
        self.target(f"≤ {times:g} × {name}", self.ratio(name) <= times)

    def show(self, value):
        factor, digits = UNITS[self.unit]
        return f"{value * factor:,.{digits}f} {self.unit}"

    def spread(self):
        """How far the repetitions lie apart, in percent of the median."""
        return (max(self.values) - min(self.values)) / self.value * 100 if self.value else 0

    def cells(self):
        """What the table shows: what, value, spread, comparison, targets, notes."""
        targets = [f"{text}: {'met' if met else 'NOT MET'}" for text, met in self.targets]
        if not self.values:
            return [self.title, "-", "", "", "; ".join(targets), "; ".join(self.notes)]
        beside = [f"{name} {self.show(median(v))} ({self.ratio(name):.2f} ×)" for name, v in self.beside.items()]
        return [self.title, self.show(self.value), f"{self.spread():.0f} %", "; ".join(beside), "; ".join(targets),
                "; ".join(self.notes)]

    def record(self):
        out = dataclasses.asdict(self)
        out["value"] = self.value
        out["ratios"] = {name: self.ratio(name) for name in self.beside} if self.values else {}
        out["targets"] = [{"text": text, "met": met} for text, met in self.targets]
        return out


def row_of(record):
    """The row of which record() is this."""
    fields = {f.name: record[f.name] for f in dataclasses.fields(Row)}
    fields["targets"] = [(t["text"], t["met"]) for t in record["targets"]]
    return Row(**fields)


def measures(*names):
    """For a function that takes a Bench and yields the rows of these names."""
    def register(function):
        for name in names:
            ROWS[name] = (function, names)
        return function
    return register


HEADINGS = ["row", "what", "value", "spread", "beside it", "target", "note"]


def text(row):
    """A row as lines for the terminal."""
    what, value, spread, beside, targets, notes = row.cells()
    out = [f"{row.name:22} {what:75} {value:>12} {spread:>5}"]
    out += [f"{'':22} {part}" for part in (beside, targets, notes) if part]
    return "\n".join(out)


def markdown(rows):
    out = ["| " + " | ".join(HEADINGS) + " |", "|---|---|--:|--:|---|---|---|"]
    out += ["| " + " | ".join(c.replace("|", "\\|") for c in [row.name, *row.cells()]) + " |" for row in rows]
    return "\n".join(out) + "\n"

# SPDX-License-Identifier: Apache-2.0
"""Strict parsers of the text format 0.0.4 and of OpenMetrics 1.0.0, as far as the daemon may use them."""
import re

import check
from prometheus_client.openmetrics import parser as openmetrics

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
PAIR = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
LABELS = rf"\{{((?:{PAIR}(?:,{PAIR})*)?)\}}"
SAMPLE = re.compile(rf"({NAME})(?:{LABELS})? (\S+)(?: # {LABELS} (\S+)(?: (\S+))?)?")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
ENDINGS = {"histogram": ("_bucket", "_sum", "_count")}
OPEN_ENDINGS = {"histogram": ("_bucket", "_sum", "_count", "_created"), "counter": ("_total", "_created")}
ACCEPT_OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0"}


class Family:
    def __init__(self, name, kind=None, help_text=None):
        self.name, self.type, self.help, self.unit = name, kind, help_text, ""
        self.samples = {}  # (name, sorted labels) -> value, in order of appearance
        self.exemplars = {}  # of those that have one -> (labels, value, timestamp)


class Exposition:
    def __init__(self, is_openmetrics=False):
        self.families = {}  # in order of appearance
        self.openmetrics = is_openmetrics

    def value(self, name, **labels):
        key = (name, tuple(sorted(labels.items())))
        for family in self.families.values():
            if key in family.samples:
                return family.samples[key]
        return None

    def samples(self, name):
        """All samples of this name as {labels: value}, labels a sorted tuple of pairs."""
        return {labels: value for f in self.families.values() for (n, labels), value in f.samples.items() if n == name}

    def total(self, name):
        return sum(self.samples(name).values())

    def exemplar(self, name, **labels):
        key = (name, tuple(sorted(labels.items())))
        return next((f.exemplars[key] for f in self.families.values() if key in f.exemplars), None)

    def family_of(self, name):
        """The name of the family that the catalogue calls by this name."""
        return name if name in self.families else name.removesuffix("_total")


def labels_of(text):
    found, at = {}, 0
    while at < len(text):
        m = LABEL.match(text, at)
        check.holds(f"labels are well-formed: {text}", m)
        check.holds(f"a label stands once: {text}", m[1] not in found)
        found[m[1]] = re.sub(r"\\(.)", lambda e: {"n": "\n"}.get(e[1], e[1]), m[2])
        at = m.end()
    return tuple(sorted(found.items()))


def parse(text):
    check.holds("the exposition ends with LF", text.endswith("\n"))
    out, family = Exposition(), None
    for line in text[:-1].split("\n"):
        word, _, rest = line.partition(" ")
        if word == "#":
            kind, name, what = rest.split(" ", 2)
            if kind == "HELP":
                check.holds(f"HELP once: {name}", name not in out.families)
                family = out.families[name] = Family(name, help_text=what)
            else:
                check.equal(f"TYPE follows HELP: {line}", (kind, name, family.type), ("TYPE", family.name, None))
                family.type = what
            continue
        add_sample(family, line, ENDINGS)
    return finish(out)


def add_sample(family, line, endings):
    m = SAMPLE.fullmatch(line)
    check.holds(f"a sample is well-formed: {line}", m)
    names = [family.name + e for e in endings.get(family.type, ("",))]
    check.holds(f"a sample is of its family {family.name}: {line}", m[1] in names)
    key = (m[1], labels_of(m[2] or ""))
    check.holds(f"a sample stands once: {line}", key not in family.samples)
    family.samples[key] = float(m[3])
    if m[5]:
        check.holds(f"text has no exemplars: {line}", endings is OPEN_ENDINGS)
        family.exemplars[key] = (dict(labels_of(m[4])), float(m[5]), m[6] and float(m[6]))


def finish(out):
    for family in out.families.values():
        check.holds(f"a family has samples: {family.name}", family.samples)
    return out


def parse_openmetrics(text):
    """Reads it twice, and compares: by lines as they must stand, and with the parser of Python's client library."""
    check.holds("the exposition ends", text == "# EOF\n" or text.endswith("\n# EOF\n"))
    out, family, last = Exposition(True), None, None
    for line in text.split("\n")[:-2]:
        word, _, rest = line.partition(" ")
        if word != "#":
            add_sample(family, line, OPEN_ENDINGS)
            last = None
            continue
        kind, name, what = rest.split(" ", 2)
        if kind == "TYPE":
            check.holds(f"TYPE once: {name}", name not in out.families)
            family = out.families[name] = Family(name, kind=what)
        elif kind == "UNIT":
            check.equal(f"UNIT follows TYPE: {line}", (name, last), (family.name, "TYPE"))
            check.holds(f"the name ends in its unit: {line}", name.endswith("_" + what))
            family.unit = what
        else:
            check.equal(f"HELP comes last: {line}", (kind, name, last in ("TYPE", "UNIT")), ("HELP", family.name, True))
            family.help = what
        last = kind
    compare(out, list(openmetrics.text_string_to_metric_families(text)))
    return finish(out)


def compare(out, theirs):
    check.equal("families", [f.name for f in theirs], list(out.families))
    for family in theirs:
        own = out.families[family.name]
        unescaped = re.sub(r"\\(.)", lambda e: {"n": "\n"}.get(e[1], e[1]), own.help)
        check.equal(f"head of {family.name}", (own.type, own.unit, unescaped), (family.type, family.unit, family.documentation))
        found = {(s.name, tuple(sorted(s.labels.items()))): s for s in family.samples}
        check.equal(f"samples of {family.name}", own.samples, {k: s.value for k, s in found.items()})
        exemplars = {k: (e.labels, e.value, e.timestamp and float(e.timestamp)) for k, s in found.items() if (e := s.exemplar)}
        check.equal(f"exemplars of {family.name}", own.exemplars, exemplars)


def plain(name, labels):
    """A sample's key with `le` as one format and the other have it."""
    return name, tuple((k, f"{float(v):g}") if k == "le" else (k, v) for k, v in labels)


def same(text, open_text):
    """Checks that both formats tell the same of the catalogue's families, and have the same series of the others."""
    both = []
    for shown in text, open_text:
        samples = {plain(*key): value for f in shown.families.values() for key, value in f.samples.items()}
        own = ("virtrigaud_exporter_", "virtrigaud_source_", "process_")
        both.append({k: None if k[0].startswith(own) else v for k, v in samples.items() if not k[0].endswith("_created")})
    check.equal("samples as OpenMetrics", both[1], both[0])

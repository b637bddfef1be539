# SPDX-License-Identifier: Apache-2.0
"""A strict parser of the text format 0.0.4, as far as the daemon may use it."""
import re

import check

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
ENDINGS = {"histogram": ("_bucket", "_sum", "_count")}


class Family:
    def __init__(self, name, help_text):
        self.name, self.help, self.type = name, help_text, None
        self.samples = {}  # (name, sorted labels) -> value, in order of appearance


class Exposition:
    def __init__(self):
        self.families = {}  # in order of appearance

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
                family = out.families[name] = Family(name, what)
            else:
                check.equal(f"TYPE follows HELP: {line}", (kind, name, family.type), ("TYPE", family.name, None))
                family.type = what
            continue
        m = SAMPLE.fullmatch(line)
        check.holds(f"a sample is well-formed: {line}", m)
        names = [family.name + e for e in ENDINGS.get(family.type, ("",))]
        check.holds(f"a sample is of its family {family.name}: {line}", m[1] in names)
        key = (m[1], labels_of(m[2] or ""))
        check.holds(f"a sample stands once: {line}", key not in family.samples)
        family.samples[key] = float(m[3])
    for family in out.families.values():
        check.holds(f"a family has samples: {family.name}", family.samples)
    return out

# SPDX-License-Identifier: Apache-2.0
"""The lines that are sent. All of them follow from their parameters and a fixed seed.

The mixed load has the ten shapes that a control plane sends, with its shares of each. Its label values are widened
until the lines make about N series.
"""
import itertools
import os
import random

SEED = 20240229
TYPES = ["vsphere", "libvirt", "proxmox", "mock"]
METHODS = ["Validate", "DescribeVM", "TaskStatus", "CreateVM", "DeleteVM", "PowerVM", "SnapshotCreate", "ListVMs"]
CODES = ["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
         "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
         "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"]
OPERATIONS = ["Create", "Delete", "Power", "Describe", "Reconfigure"]
OUTCOMES = ["success", "failure", "error"]
KINDS = ["VirtualMachine", "Provider", "VMClass", "VMImage", "VMNetworkAttachment", "VMAdoption", "VMSnapshot",
         "VMMigration", "VMClone", "VMSet"]
REASONS = ["get-vm", "deps-not-found", "deps-error", "provider-resolve", "provider-describe", "provider-task-status",
           "provider-delete", "image-prepare", "ConnectionFailed", "AuthenticationError"]
CALLS = ["RetrieveProperties", "CloneVM_Task", "PowerOnVM_Task", "CreateSnapshot_Task", "CurrentTime"]
STATES = ["nostate", "running", "blocked", "paused", "shutdown", "shutoff", "crashed", "pmsuspended"]
BASE_SERIES = 950  # of the lines below at width 1


def wide(words, times):
    """The words, and then the words with a number, `times` as many."""
    return [w if i == 0 else f"{w}-{i:05}" for i in range(times) for w in words]


def line(what, name, labels, value):
    text = ",".join(f'"{k}":"{v}"' for k, v in labels.items())
    return f'{{"{what}":"{name}","labels":{{{text}}},"value":{value}}}\n'


class Mix:
    """Shapes of line: each has a share in percent, and heads, to which a value is added."""

    def __init__(self, series):
        n = max(1, round(series / BASE_SERIES))
        providers = [(f"vc-prod-eu-west-{i:06}", TYPES[i % 4]) for i in range(10 * n)]
        rpc = [(t, m) for t in wide(TYPES[:2], n) for m in METHODS]
        hosts = [f"kvm-north-{i:06}.example.net" for i in range(30 * n)]
        centers = [f"dc-north-{i:06}.example.net" for i in range(4 * n)]
        self.shapes = [
            (46, "event", "rpc", "time", [{"provider_type": t, "method": m, "code": "OK"} for t, m in rpc]),
            (3, "event", "rpc", "time",
             [{"provider_type": t, "method": m, "code": c} for t, m in rpc for c in CODES[1:]]),
            (20, "event", "vm_operation", "time",
             [{"operation": "Describe", "provider_type": t, "provider": p, "outcome": "success"} for p, t in providers]),
            (3, "event", "vm_operation", "time",
             [{"operation": o, "provider_type": t, "provider": p, "outcome": e} for p, t in providers
              for o in OPERATIONS for e in OUTCOMES if (o, e) != ("Describe", "success")]),
            (22, "event", "reconcile", "time", [{"kind": k, "outcome": o} for k in wide(KINDS, n)
                                                for o in ["requeue", *OUTCOMES]]),
            (2, "metric", "virtrigaud_errors_total", "one", [{"reason": r, "component": c} for r in wide(REASONS, n)
                                                             for c in ("manager", "provider")]),
            (1, "metric", "virtrigaud_queue_depth", "level", [{"kind": k} for k in wide(KINDS, n)]),
            (1, "metric", "virtrigaud_circuit_breaker_state", "few",
             [{"provider_type": t, "provider": p} for p, t in providers]),
            (1, "metric", "virtrigaud_vsphere_api_calls_total", "one",
             [{"method": m, "datacenter": d} for d in centers for m in wide(CALLS, 4)]),
            (1, "metric", "virtrigaud_libvirt_domains_total", "level",
             [{"host": h, "state": s} for h in hosts for s in STATES]),
        ]


def value(kind, rng):
    if kind == "time":
        return f"{rng.lognormvariate(-2, 1.5):.6f}"
    if kind == "level":
        return rng.randrange(5000)
    return 1 if kind == "one" else rng.randrange(3)


def write(path, lines):
    """Under another name first, so that a run that is cut off leaves no half of a file. It is on the disk afterwards, so
    that the system does not write it while something is measured."""
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.writelines(lines)
        f.flush()
        os.fsync(f.fileno())
    os.rename(path + ".new", path)
    return path


class Loads:
    """Files of lines in a folder; each is made when it is first asked for, and again in each run."""

    def __init__(self, folder):
        self.folder = folder
        self.made = {}

    def file(self, name, make):
        if name not in self.made:
            self.made[name] = write(os.path.join(self.folder, name + ".jsonl"), make())
        return self.made[name]

    def heads(self, series):
        """Every line that the load of so many series has, once: makes all series."""
        def make():
            rng = random.Random(SEED)
            lines = [line(w, n, head, value(v, rng)) for _, w, n, v, heads in Mix(series).shapes for head in heads]
            rng.shuffle(lines)
            return lines
        return self.file(f"heads-{series}", make)

    def mix(self, series, n):
        """n lines in the shares of the shapes."""
        def make():
            rng = random.Random(SEED + 1)
            shapes = Mix(series).shapes
            for share in rng.choices(shapes, [s[0] for s in shapes], k=n):
                _, what, name, kind, heads = share
                yield line(what, name, heads[int(rng.random() * len(heads))], value(kind, rng))
        return self.file(f"mix-{series}-{n}", make)

    def uniform(self, series, n):
        """n lines of the same load, each as likely as any other: nothing is sent more often than the rest."""
        def make():
            with open(self.heads(series), encoding="utf-8") as f:
                heads = f.readlines()
            return random.Random(SEED + 5).choices(heads, k=n)
        return self.file(f"uniform-{series}-{n}", make)

    def unseen(self, series, n, parts):
        """Files of n lines of the mixed load, no two of all of them alike: the blanks in each spell how often its head
        came before."""
        def make():
            rng = random.Random(SEED + 2)
            shapes = Mix(series).shapes
            times = {}
            for _, what, name, kind, heads in rng.choices(shapes, [s[0] for s in shapes], k=n * parts):
                text = line(what, name, heads[int(rng.random() * len(heads))], "")
                times[text] = times.get(text, -1) + 1
                yield blanks(text, times[text], value(kind, rng))
        lines = make()
        return [self.file(f"unseen-{series}-{n}-{i}", lambda: itertools.islice(lines, n)) for i in range(parts)]

    def parts(self, name, series, n, parts, spell):
        """Files of n lines of the mixed load; spell(kind of line, name, labels, value, random, number of the line) gives a
        line's text."""
        def make():
            rng = random.Random(SEED + 6)
            shapes = Mix(series).shapes
            for i, (_, what, metric, kind, heads) in enumerate(rng.choices(shapes, [s[0] for s in shapes], k=n * parts)):
                yield spell(what, metric, heads[int(rng.random() * len(heads))], value(kind, rng), rng, i)
        lines = make()
        return [self.file(f"{name}-{series}-{n}-{i}", lambda: itertools.islice(lines, n)) for i in range(parts)]

    def reordered(self, name, series, n, parts):
        """Files of lines whose value is not last: it is first, or, as "key-order", keys and labels are in another order,
        which differs from file to file and from shape to shape."""
        def spell(what, metric, labels, number, _, i):
            pairs = list(labels.items())
            members = [f'"value":{number}', f'"{what}":"{metric}"', ""]
            if name == "key-order":
                order = random.Random(f"{i // n} {metric} {' '.join(labels)}")
                order.shuffle(pairs)
            members[2] = '"labels":{' + ",".join(f'"{k}":"{v}"' for k, v in pairs) + "}"
            if name == "key-order":
                order.shuffle(members)
                if members[2].startswith('"value"'):
                    members.insert(order.randrange(2), members.pop())
            return "{" + ",".join(members) + "}\n"
        return self.parts(name, series, n, parts, spell)

    def spaced(self, series, n, parts):
        """Files of lines with blanks behind colons, commas and braces: every 100th line begins a way that no line before
        had."""
        def spell(what, metric, labels, number, _, i):
            colon, comma, brace = (" " * ((i // 100 + 1) // power % 13) for power in (1, 13, 169))
            text = line(what, metric, labels, number)
            return text.replace('":', '":' + colon).replace(',"', "," + comma + '"').replace('{"', "{" + brace + '"')
        return self.parts("spaced", series, n, parts, spell)

    @staticmethod
    def with_exemplars(series, seed, name, bits):
        """Any number of rpc events, each with an exemplar whose label has that name, given the event's number."""
        rng = random.Random(seed)
        heads = [h for _, what, event, _, hs in Mix(series).shapes if event == "rpc" for h in hs]
        for i in itertools.count():
            text = line("event", "rpc", rng.choice(heads), value("time", rng)).rstrip("}\n")
            yield f'{text},"exemplar":{{"labels":{{"{name(i)}":"{rng.getrandbits(bits):0{bits // 4}x}"}}}}}}\n'

    def exemplars(self, series, n, parts):
        """Files of rpc events, each with a trace id that no other line has."""
        lines = self.with_exemplars(series, SEED + 7, lambda _: "trace_id", 128)
        return [self.file(f"exemplars-{series}-{n}-{i}", lambda: itertools.islice(lines, n)) for i in range(parts)]

    def flood(self, series, n, parts):
        """Files of rpc events, twice each, whose exemplars have names that no other line has, half of them with blanks."""
        def make():
            for i, text in enumerate(self.with_exemplars(series, SEED + 9, "l{}".format, 64)):
                yield from 2 * [text.replace(",", ", ") if i % 2 else text]
        lines = make()
        return [self.file(f"flood-{series}-{n}-{i}", lambda: itertools.islice(lines, n)) for i in range(parts)]

    def near(self, series, n, parts):
        """A file of rpc events of eight shapes that differ in the name of the last label of their exemplars, behind a long text;
        and files of such events whose last label has a name that no other line has."""
        def spell(last):
            return self.with_exemplars(series, SEED + 10, lambda i: f'a":"{60 * chr(0xE9)}","{last(i)}', 64)
        known = self.file(f"near-{series}", lambda: itertools.islice(spell(lambda i: f"k{i % 8}"), 2000))
        lines = spell("l{}".format)
        return known, [self.file(f"near-{series}-{n}-{i}", lambda: itertools.islice(lines, n)) for i in range(parts)]

    def added_up(self, series, n, parts):
        """Files of lines as clients send them that add up first: each stands for 2 to 20 of the mixed load, by a list of
        their values, or, for half of the VM operations, by their count."""
        def spell(what, metric, labels, number, rng, _):
            times = rng.randint(2, 20)
            if what == "metric":
                return line(what, metric, labels, number)
            several = f'"count":{times}'
            if metric != "vm_operation" or rng.random() < 0.5:
                several = '"values":[' + ",".join(value("time", rng) for _ in range(times)) + "]"
            return line(what, metric, labels, "").removesuffix('"value":}\n') + several + "}\n"
        return self.parts("added-up", series, n, parts, spell)

    def rejected(self, n, parts):
        """Files of events with an outcome that the catalogue does not allow."""
        def make():
            rng = random.Random(SEED + 8)
            for i in range(n * parts):
                labels = {"operation": OPERATIONS[i % 5], "provider_type": TYPES[i % 4], "provider": f"vc-{i % 10}",
                          "outcome": f"outcome-{rng.randrange(1000)}"}
                yield line("event", "vm_operation", labels, value("time", rng))
        lines = make()
        return [self.file(f"rejected-{n}-{i}", lambda: itertools.islice(lines, n)) for i in range(parts)]

    def batches(self, series, n, size):
        """The lines of `mix`, so many to an array."""
        def make():
            with open(self.mix(series, n), encoding="utf-8") as f:
                lines = [one.rstrip("\n") for one in f]
            for i in range(0, n, size):
                yield "[" + ",".join(lines[i:i + size]) + "]\n"
        return self.file(f"batches-{series}-{n}-{size}", make)

    @staticmethod
    def even_shapes():
        """Nine shapes, of which two are gauges that sources own, with about 1,580 series together."""
        providers = [(f"vc-prod-eu-west-{i:06}", TYPES[i % 4]) for i in range(15)]
        others = [(f"vc-test-eu-west-{i:06}", TYPES[i % 4]) for i in range(20)]
        hosts = [f"kvm-north-{i:06}.example.net" for i in range(30)]
        rpc = [(t, m) for t in TYPES[:2] for m in METHODS]
        return [
            ("event", "rpc", "time", [{"provider_type": t, "method": m, "code": "OK"} for t, m in rpc]),
            ("event", "rpc", "time", [{"provider_type": t, "method": m, "code": c} for t, m in rpc for c in CODES[1:]]),
            ("event", "vm_operation", "time", [{"operation": o, "provider_type": t, "provider": p, "outcome": e}
                                               for p, t in providers for o in OPERATIONS for e in OUTCOMES]),
            ("event", "reconcile", "time", [{"kind": k, "outcome": o} for k in KINDS for o in ["requeue", *OUTCOMES]]),
            ("metric", "virtrigaud_errors_total", "one", [{"reason": r, "component": c} for r in REASONS
                                                          for c in ("manager", "provider")]),
            ("metric", "virtrigaud_vsphere_api_calls_total", "one", [{"method": m, "datacenter": f"dc-{i:03}"}
                                                                     for i in range(60) for m in CALLS]),
            ("metric", "virtrigaud_vm_operations_total", "one", [{"operation": o, "provider_type": t, "provider": p, "outcome": e}
                                                                 for p, t in others for o in OPERATIONS for e in OUTCOMES]),
            ("metric", "virtrigaud_libvirt_domains_total", "level", [{"host": h, "state": s} for h in hosts for s in STATES]),
            ("metric", "virtrigaud_provider_tasks_inflight", "level", [{"provider_type": t, "provider": p} for p, t in providers]),
        ]

    def even_heads(self):
        """Every line that `even` has, once."""
        def make():
            rng = random.Random(SEED + 9)
            return [line(w, n, head, value(v, rng)) for w, n, v, heads in self.even_shapes() for head in heads]
        return self.file("even-heads", make)

    def even(self, n):
        """n lines, in which each of the nine shapes, and each line of a shape, is as likely as any other."""
        def make():
            rng = random.Random(SEED + 10)
            for what, name, kind, heads in rng.choices(self.even_shapes(), k=n):
                yield line(what, name, rng.choice(heads), value(kind, rng))
        return self.file(f"even-{n}", make)

    def anew(self, n, part):
        """n samples, each of a series that no other line has: rpc counters of a type and a code of their own."""
        def make():
            for i in range(part * n, (part + 1) * n):
                yield line("metric", "virtrigaud_vsphere_api_calls_total",
                           {"method": CALLS[i % 5], "datacenter": f"dc-{i // 5:07}"}, 1)
        return self.file(f"anew-{n}-{part}", make)

    def counters(self, n, step=0):
        """One sample for each of n counters with four labels. Each step has other values."""
        def make():
            rng = random.Random(SEED + 3 + step)
            for i in range(n):
                yield line("metric", "virtrigaud_vm_operations_total",
                           {"operation": OPERATIONS[i % 5], "provider_type": TYPES[i // 5 % 4],
                            "provider": f"provider-{i // 60:06}", "outcome": OUTCOMES[i // 20 % 3]},
                           10 ** rng.randrange(6) + rng.randrange(1000))
        return self.file(f"counters-{n}-{step}", make)

    def observations(self, series, n, values=1):
        """n lines that each observe so many values in one of as many histograms, each as likely as any other."""
        def make():
            rng = random.Random(SEED + 11)
            for i in rng.choices(range(series), k=n):
                text = line("metric", "virtrigaud_vm_operations_duration_seconds",
                            {"operation": OPERATIONS[i % 5], "provider_type": TYPES[i // 5 % 4],
                             "provider": f"provider-{i // 20:06}"}, value("time", rng))
                more = ",".join(value("time", rng) for _ in range(values))
                yield text if values == 1 else text[:text.rindex('"value"')] + f'"values":[{more}]}}\n'
        return self.file(f"observations-{series}-{n}-{values}", make)

    def histograms(self, n, step=0):
        """One observation for each of n histograms with three labels and 15 buckets."""
        def make():
            rng = random.Random(SEED + 4 + step)
            for i in range(n):
                yield line("metric", "virtrigaud_vm_operations_duration_seconds",
                           {"operation": OPERATIONS[i % 5], "provider_type": TYPES[i // 5 % 4],
                            "provider": f"provider-{i // 20:06}"}, value("time", rng))
        return self.file(f"histograms-{n}-{step}", make)


def blanks(text, number, number_at_end):
    """The line with this value, and with blanks behind its colons and commas that spell the number in base 3."""
    out = []
    for piece in text.rstrip("}\n").replace(":", ":\0").replace(",", ",\0").split("\0"):
        out.append(piece + " " * (number % 3))
        number //= 3
    if number > 0:
        raise ValueError(f"too few places for blanks: {text}")
    return f"{''.join(out)}{number_at_end}}}\n"

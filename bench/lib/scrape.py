# SPDX-License-Identifier: Apache-2.0
"""What a scrape costs. Values are CPU seconds of the daemon from the request to the last byte sent. Every value changes
between two scrapes."""
from events import state_note
from serving import Daemon, Failure, Floor
from table import Row, measures, median, words

CACHE = "0"  # lines that are sent once or twice are not worth learning


def floor_of(floor, got):
    """CPU seconds for writing a ready buffer of the same size."""
    return floor.fetch(f"/{got['bytes']}")["cpu"]


class Scrapes:
    """Scrapes of one content: the first ones of several daemons, and later ones."""

    def __init__(self, bench, name, what, series, fill, later=2):
        self.bench, self.name, self.series, self.fill, self.later = bench, name, series, fill, later
        self.rows = {"first": Row(name + "-first", f"scrape of {what}, the first one", "ms"),
                     "plain": Row(name, f"scrape of {what}", "ms"),
                     "gzip": Row(name + "-gzip", f"scrape of {what}, gzip", "ms")}
        self.got = {kind: [] for kind in self.rows}
        self.measure()

    def measure(self):
        with Floor(self.bench) as floor:
            for _ in self.bench.rounds():
                with Daemon(self.bench, many=self.series, cache=CACHE) as daemon:
                    daemon.send(self.fill(0))
                    self.take(daemon, floor, "first", "plain")
                    for i in range(2 * self.later):
                        daemon.send(self.fill(1))
                        kind = "gzip" if i % 2 else "plain"
                        self.take(daemon, floor, kind, kind)

    def take(self, daemon, floor, kind, form):
        got = daemon.fetch(form=form)
        self.got[kind].append(got)
        row = self.rows[kind]
        if got["encoding"] != form:
            row.notes = ["gzip is not offered"]
            return
        row.values.append(got["cpu"])
        floor_of(floor, got)  # the buffer is made ready
        row.beside.setdefault("writing a ready buffer", []).append(floor_of(floor, got))

    def done(self, kind):
        row, got = self.rows[kind], self.got[kind]
        if row.values:
            row.more.update({key: median([g[key] for g in got]) for key in ("bytes", "first", "seconds")})
            row.notes.append(f"{row.more['bytes'] / 1e6:.2f} MB; {row.more['seconds'] * 1e3:.2f} ms by the clock")
            state_note(self.bench, row)
            row.notes.append(f"rendered in {self.rendered(row) * 1e3:.2f} ms")
        return row

    @staticmethod
    def rendered(row):
        """All but what writing costs."""
        return max(0, row.value - median(row.beside["writing a ready buffer"]))

    def render_target(self, row, ms):
        """So many milliseconds where memcpy copies 8 GB/s, and more where it is slower."""
        limit = ms * max(1, 8 / self.bench.memcpy())
        row.target(f"rendered in ≤ {limit:.1f} ms ({ms} where memcpy does 8 GB/s)",
                   row.values and self.rendered(row) * 1e3 <= limit)


def counters(bench, name, what, n, later=2):
    return Scrapes(bench, name, what, n, lambda step: bench.loads.counters(n, step), later)


@measures("scrape-1k", "scrape-1k-gzip")
def scrape_1k(bench):
    scrapes = counters(bench, "scrape-1k", "1 k series", 1000)
    yield scrapes.done("plain")
    yield scrapes.done("gzip")


@measures("scrape-100k-first", "scrape-100k", "scrape-100k-gzip")
def scrape_100k(bench):
    scrapes = counters(bench, "scrape-100k", "100 k series", 100_000)
    yield scrapes.done("first")
    row = scrapes.done("plain")
    scrapes.render_target(row, 12)
    row.at_most(4, "writing a ready buffer")
    yield row
    row = scrapes.done("gzip")
    scrapes.render_target(row, 20)
    yield row


@measures("scrape-1m-first", "scrape-1m", "scrape-1m-gzip")
def scrape_1m(bench):
    n = bench.many
    scrapes = counters(bench, "scrape-1m", f"{words(n)} series", n, later=1)
    yield scrapes.done("first")
    row = scrapes.done("plain")
    if "scrape-100k" in bench.results:
        times = row.value / bench.results["scrape-100k"].value
        row.target(f"linear: ≤ {n / 80_000:g} × 100 k series ({times:.1f} ×)", times <= n / 80_000)
    yield row
    yield scrapes.done("gzip")


@measures("scrape-histograms", "scrape-histograms-gzip")
def scrape_histograms(bench):
    n = 5_556 if bench.quick else 55_556
    scrapes = Scrapes(bench, "scrape-histograms", f"{n:,} histograms of 18 lines", n,
                      lambda step: bench.loads.histograms(n, step), later=1)
    yield scrapes.done("plain")
    yield scrapes.done("gzip")


class Protobuf:
    """Scrapes of one content in both forms, one after the other, by the same daemon."""

    def __init__(self, bench, name, what, series, fill):
        self.row = Row(name, f"protobuf of {what}", "ms")
        sizes = []
        for _ in bench.rounds():
            with Daemon(bench, many=series, cache=CACHE) as daemon:
                daemon.send(fill(0))
                self.take(daemon, "plain")  # the first one touches the pages of the body
                for _ in range(2):
                    daemon.send(fill(1))
                    text = self.take(daemon, "plain")
                    self.row.beside.setdefault("text", []).append(text["cpu"])
                    got = self.take(daemon, "protobuf")
                    self.row.values.append(got["cpu"])
                    sizes.append((got["bytes"], text["bytes"]))
        self.row.more.update({"bytes": median([size for size, _ in sizes]), "text_bytes": median([size for _, size in sizes])})
        self.row.notes.append(f"{self.row.more['bytes'] / 1e6:.2f} MB, as text {self.row.more['text_bytes'] / 1e6:.2f} MB")
        state_note(bench, self.row)

    @staticmethod
    def take(daemon, form):
        got = daemon.fetch(form=form)
        wanted = "protobuf" if form == "protobuf" else "text"
        if got["type"] != wanted:
            raise Failure(f"the answer is {got['type']}, not {wanted}")
        return got


@measures("scrape-protobuf", "scrape-protobuf-histograms")
def scrape_protobuf(bench):
    row = Protobuf(bench, "scrape-protobuf", "100 k series", 100_000, lambda step: bench.loads.counters(100_000, step)).row
    row.at_most(0.8, "text")
    yield row
    n = 5_556 if bench.quick else 55_556
    row = Protobuf(bench, "scrape-protobuf-histograms", f"{n:,} histograms of 15 buckets", n,
                   lambda step: bench.loads.histograms(n, step)).row
    row.at_most(0.5, "text")
    yield row

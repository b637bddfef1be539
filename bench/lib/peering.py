# SPDX-License-Identifier: Apache-2.0
"""The same work done by the peers in bench/peers. A target is about how much longer they take."""
import time

from scrape import CACHE
from serving import Daemon, Failure, Peer, peer_result, peers
from table import Row, measures

N = 100_000
SECONDS = 330  # for all peers, after which what is left is not measured
HISTOGRAMS = 5_556  # of 18 lines: as many lines as the counters have
# Which part of a peer's time the daemon may take.
FASTER = {("client_golang", "plain"): 50, ("client_golang", "gzip"): 50, ("victoriametrics", "plain"): 5}


def row_for(bench, name, what, unit, measure, ours=None):
    """The row that measure(row) fills, or says why it cannot. ours: the row of the daemon to compare with."""
    row = Row(f"peers-{name}-{what.split()[0].rstrip(',:')}", f"{name}: {what}", unit)
    try:
        if time.monotonic() > bench.peers_end:
            raise Failure("not measured: the time for peers was over")
        measure(row)
        if ours in bench.results:
            row.beside["daemon"] = bench.results[ours].values
    except Failure as e:
        row.values, row.beside = [], {}
        row.notes = [str(e)]
    return row


def printed(bench, name, mode, key, *arguments):
    """A function that fills a row from what a peer prints."""
    def measure(row):
        said = peer_result(bench, name, mode, *arguments)
        row.values = [said[key] / (1 if key.endswith("bytes_per_series") else 1e9)]
        row.more.update(said)
        row.notes += [str(said[k]) for k in ("protocol", "note") if k in said]
    return measure


def served(bench, name):
    def measure(row):
        load = bench.loads.mix(1000, 100_000)
        with Peer(bench, name, "serve") as peer:
            peer.send(load)
            for _ in bench.rounds():
                sent = peer.send(load)
                row.values.append(sent["cpu"] / sent["lines"])
    return measure


def has_form(got, form):
    """Whether a scrape gave the form that it asked for."""
    return got["type"] == form if form == "protobuf" else got["encoding"] == form


def scraped(bench, name, form, series, buckets, ours):
    """ours: the daemon with the same content."""
    def measure(row):
        with Peer(bench, name, "scrape", "--series", str(series), "--buckets", str(buckets)) as peer:
            for _ in bench.rounds():
                peer.change()
                got = peer.fetch(form=form)
                if not has_form(got, form):
                    raise Failure("no mode for protobuf" if form == "protobuf" else "gzip is not offered")
                row.values.append(got["cpu"])
        row.notes.append(f"{got['bytes'] / 1e6:.2f} MB")
        if ours[form]:
            row.beside["daemon"] = ours[form]
        faster = FASTER.get((name, form)) if buckets == 0 else None
        if faster:
            row.target(f"daemon ≥ {faster} × faster", ours[form] and row.ratio("daemon") >= faster)
    return measure


def our_scrapes(bench, series, fill):
    """CPU seconds of the daemon for {"plain": …, "gzip": …, "protobuf": …}, which is empty where it is not offered."""
    out = {"plain": [], "gzip": [], "protobuf": []}
    with Daemon(bench, many=series, cache=CACHE) as daemon:
        daemon.send(fill(0))
        for _ in bench.rounds():
            for form, values in out.items():
                daemon.send(fill(1))
                got = daemon.fetch(form=form)
                if has_form(got, form):
                    values.append(got["cpu"])
    return out


@measures("peers")
def all_peers(bench):
    bench.peers_end = time.monotonic() + SECONDS
    ours = our_scrapes(bench, N, lambda step: bench.loads.counters(N, step))
    ours_histograms = our_scrapes(bench, HISTOGRAMS, lambda step: bench.loads.histograms(HISTOGRAMS, step))
    for name in peers(bench):
        try:
            begin = time.monotonic()
            peer_result(bench, name, "setup", timeout=300)
            bench.peers_end += time.monotonic() - begin  # the first time it builds or installs
        except Failure as e:
            yield Row(f"peers-{name}", name, "ns", notes=[str(e)])
            continue
        rows = [
            row_for(bench, name, "counter in its own process, 1 k series", "ns",
                    printed(bench, name, "counter", "ns_per_event", "--series", 1000), "stream-1k"),
            row_for(bench, name, "serve: our lines, 1 k series", "ns", served(bench, name), "stream-1k"),
            row_for(bench, name, "events in its own protocol, 1 k series", "ns",
                    printed(bench, name, "events", "ns_per_event", "--series", 1000), "stream-1k"),
            row_for(bench, name, "scrape of 100 k series", "ms", scraped(bench, name, "plain", N, 0, ours)),
            row_for(bench, name, "scrape-gzip of 100 k series", "ms", scraped(bench, name, "gzip", N, 0, ours)),
            row_for(bench, name, "scrape-protobuf of 100 k series", "ms", scraped(bench, name, "protobuf", N, 0, ours)),
            row_for(bench, name, f"scrape-histograms, {HISTOGRAMS:,} of 18 lines", "ms",
                    scraped(bench, name, "plain", HISTOGRAMS, 15, ours_histograms)),
            row_for(bench, name, f"scrape-protobuf-histograms, {HISTOGRAMS:,} of 15 buckets", "ms",
                    scraped(bench, name, "protobuf", HISTOGRAMS, 15, ours_histograms)),
            row_for(bench, name, "memory of a counter with four labels, of 100 k", "bytes",
                    printed(bench, name, "memory", "bytes_per_series", "--series", N, "--buckets", 0),
                    "memory-counter"),
            row_for(bench, name, "memory-histogram with 15 buckets, of 5,556", "bytes",
                    printed(bench, name, "memory", "bytes_per_series", "--series", HISTOGRAMS, "--buckets", 15),
                    "memory-histogram"),
        ]
        # What a peer has no mode for is left out.
        yield from (row for row in rows if row.values or not row.notes[0].startswith("no mode"))

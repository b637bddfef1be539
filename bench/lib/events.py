# SPDX-License-Identifier: Apache-2.0
"""What an event costs. Values are CPU seconds of the daemon for each line; how long it took stands in the note."""
import machine
from serving import Daemon, Floor
from table import Row, measures, median, words

TIMES_SEEN = 3  # never seen, learned at the second sight, known


def warm(server, *files):
    for path in files:
        server.send(path, f"--passes={TIMES_SEEN}")


def compare(bench, row, measured, *besides, times=1):
    """Repeats, when there is time so many times as often as usual: the one that the row is about, then each beside it. Each is (name,
    function that gives what Serving.send gives)."""
    wall = {name: [] for name, _ in [measured, *besides]}
    row.beside = {name: [] for name, _ in besides}
    for _ in bench.rounds(times):
        for name, send in [measured, *besides]:
            sent = send()
            values = row.values if name == measured[0] else row.beside[name]
            values.append(sent["cpu"] / sent["lines"])
            wall[name].append(sent["seconds"] / sent["lines"])
    seconds = median(wall[measured[0]])
    row.more["wall"] = {name: median(v) for name, v in wall.items()}
    row.notes.insert(0, f"{1 / seconds / 1e6:.2f} million/s by the clock")
    return row


def state_note(bench, row):
    row.notes.append("with a state file" if bench.has_state else "the daemon has no state file")
    return row


def cache(daemon):
    """How many lines were in its cache, and how many were not."""
    return [daemon.value(f"virtrigaud_exporter_cache_{what}_total") for what in ("hits", "misses")]


def cache_note(row, before, after):
    hits, misses = (a - b for a, b in zip(after, before))
    row.more.update(hits=hits, misses=misses)
    if misses > hits / 1000:
        row.notes.append(f"{misses / (hits + misses):.0%} of the lines were not in the cache")


def stream(bench, name, title, series, *, lines, cache_size=None, sent=1_500_000, send=("--chunk=65536",), times=1):
    """A row of the stream socket with one worker, beside the floor; `sent` lines in each repetition, of which there
    are so many times as many as usual."""
    passes = max(1, sent // (4 if bench.quick else 1) // lines)
    heads = bench.loads.heads(series)
    load = bench.loads.mix(series, lines) if series <= 10000 else bench.loads.uniform(series, lines)
    flags = [f"--passes={passes}", *send]
    row = Row(name, title, "ns")
    with Daemon(bench, series=series, cache=cache_size) as daemon, Floor(bench) as floor:
        daemon.send(heads, f"--passes={TIMES_SEEN if series <= 10000 else 2}")
        before = cache(daemon)
        compare(bench, row, ("daemon", lambda: daemon.send(load, *flags)), ("floor", lambda: floor.send(load, *flags)),
                times=times)
        cache_note(row, before, cache(daemon))
        made = daemon.value("virtrigaud_exporter_series")
    row.more["series"] = made
    row.notes.append(f"{made:,.0f} series")
    return state_note(bench, row)


@measures("stream-1k")
def stream_1k(bench):
    row = stream(bench, "stream-1k", "stream, 1 k series, one worker", 1000, lines=100_000, times=5)
    row.at_most(2.5, "floor")
    row.target("≥ 8 million events per CPU second", 1 / row.value >= 8e6)
    row.notes.insert(0, f"{1 / row.value / 1e6:.2f} million per CPU second")
    yield row


@measures("stream-1k-4")
def stream_1k_4(bench):
    yield stream(bench, "stream-1k-4", "the same over four connections", 1000, lines=100_000,
                 send=("--chunk=65536", "--connections=4"), times=3)


@measures("stream-even")
def stream_even(bench):
    """No component says which of its lines are the most frequent ones: this is the mix without favourites."""
    heads, load = bench.loads.even_heads(), bench.loads.even(200_000)
    flags = [f"--passes={1 if bench.quick else 5}", "--no-hello"]
    row = Row("stream-even", "stream, an even mix of nine shapes, a quarter of owned gauges, no hello", "ns")
    with Daemon(bench, series=2000) as daemon, Floor(bench) as floor:
        for server in daemon, floor:
            server.send(heads, f"--passes={TIMES_SEEN}", "--no-hello")
        compare(bench, row, ("daemon", lambda: daemon.send(load, *flags)), ("floor", lambda: floor.send(load, *flags)), times=3)
        row.notes.append(f"{daemon.value('virtrigaud_exporter_series'):,.0f} series")
    row.at_most(2.5, "floor")
    yield state_note(bench, row)


@measures("stream-100k")
def stream_100k(bench):
    row = stream(bench, "stream-100k", "stream, 100 k series, one worker", 100_000, lines=200_000)
    row.target("≤ 150 ns", row.value <= 150e-9)
    yield row


@measures("stream-1m")
def stream_1m(bench):
    row = stream(bench, "stream-1m", f"stream, {words(bench.many)} series, one worker, --events.cache-size=256MiB",
                 bench.many, lines=1_000_000, cache_size="256MiB")
    yield row


@measures("stream-1m-default")
def stream_1m_default(bench):
    row = stream(bench, "stream-1m-default", "the same with the cache's default size", bench.many, lines=1_000_000)
    row.target("≤ 300 ns", row.value <= 300e-9)
    yield row


def shared(bench, name, title, series, load, passes):
    """A row of two workers that share all series, beside one. Both daemons may use all CPUs, and get the same load over
    the same two connections."""
    flags = [f"--passes={passes}", "--connections=2"]
    row = Row(name, title, "ns")
    more = {"series": series, "cache": "128MiB" if series > 1000 else None, "cpu": None}
    with Daemon(bench, workers=2, **more) as two, Daemon(bench, workers=1, **more) as one:
        for daemon in (two, one):
            daemon.send(bench.loads.heads(series), f"--passes={TIMES_SEEN}", "--connections=2")
        before = cache(two)
        compare(bench, row, ("two workers", lambda: two.send(load, *flags, cpu=None)),
                ("one worker", lambda: one.send(load, *flags, cpu=None)))
        cache_note(row, before, cache(two))
    return state_note(bench, row)


@measures("workers")
def workers(bench):
    row = shared(bench, "workers", "stream, 1 k series, two workers that share all of them", 1000,
                 bench.loads.mix(1000, 100_000), 2 if bench.quick else 10)
    row.at_most(1.15, "one worker")
    yield row


@measures("workers-100k")
def workers_100k(bench):
    yield shared(bench, "workers-100k", "the same, 100 k series, --events.cache-size=128MiB", 100_000,
                 bench.loads.uniform(100_000, 200_000), 1 if bench.quick else 3)


@measures("one-line")
def one_line(bench):
    row = stream(bench, "one-line", "one line in each write, 1 k series", 1000, lines=100_000, sent=300_000, send=("--lines",))
    row.at_most(1.5, "floor")
    yield row


def datagrams(server, load, passes):
    """What Serving.send gives; nobody answers, so the end is when the receiver rests."""
    def work():
        said = server.bench.tool("send", f"--socket={server.datagram}", "--datagram", f"--passes={passes}", load)
        machine.wait_idle(server.pid)
        return said
    sent, used = server.measured(work)
    return sent | {"cpu": used}


@measures("datagram")
def datagram(bench):
    heads, load = bench.loads.heads(1000), bench.loads.mix(1000, 100_000)
    passes = 1 if bench.quick else 3
    row = Row("datagram", "one line in each datagram, 1 k series", "ns")
    with Daemon(bench) as daemon, Floor(bench) as floor:
        datagrams(daemon, heads, TIMES_SEEN)
        datagrams(floor, heads, TIMES_SEEN)
        before = daemon.value("virtrigaud_exporter_events_total")
        compare(bench, row, ("daemon", lambda: datagrams(daemon, load, passes)),
                ("floor", lambda: datagrams(floor, load, passes)))
        applied = daemon.value("virtrigaud_exporter_events_total") - before
        bench.same("datagrams applied", applied, len(row.values) * passes * 100_000)
    row.at_most(1.25, "floor")
    yield state_note(bench, row)


def parsed(bench, path):
    """What jansson takes for a line of a file."""
    said = bench.tool("jansson", path, cpu=bench.server_cpu)
    return said["cpu"] / said["lines"]


def send_unseen(bench, *rows, cache=None):
    """Each part of the unseen lines goes to the daemon once for each row."""
    n = 20_000 if bench.quick else 40_000
    with Daemon(bench, cache=cache) as daemon:
        warm(daemon, bench.loads.heads(1000))
        for path in bench.loads.unseen(1000, n, 3 * bench.repeats):
            for row in rows:
                row.values.append(daemon.send(path)["cpu"] / n)
                row.beside.setdefault("jansson", []).append(parsed(bench, path))


@measures("unseen", "learned")
def unseen(bench):
    row = Row("unseen", "lines never seen before, of 1 k known series", "ns")
    again = Row("learned", "the same lines a second time, which makes the cache learn them", "ns")
    send_unseen(bench, row, again)
    row.at_most(0.12, "jansson")
    yield state_note(bench, row)
    yield state_note(bench, again)


@measures("planned")
def planned(bench):
    row = Row("planned", "lines never seen before, of 1 k known series, --events.cache-size=0", "ns")
    send_unseen(bench, row, cache=0)
    yield state_note(bench, row)


@measures("anew")
def anew(bench):
    row = Row("anew", "lines never seen before, each of a new series", "ns")
    n = 20_000 if bench.quick else 100_000
    with Daemon(bench, series=2 * n * bench.repeats) as daemon:
        for i in bench.rounds():
            path = bench.loads.anew(n, i)
            row.values.append(daemon.send(path)["cpu"] / n)
            row.beside.setdefault("jansson", []).append(parsed(bench, path))
    row.at_most(0.7, "jansson")
    yield state_note(bench, row)


def beside_jansson(bench, name, title, files, times, rejected=False):
    """A row of lines that jansson reads, too. files: one for each repetition."""
    row = Row(name, title, "ns")
    row.beside["jansson"] = []
    with Daemon(bench, series=2000) as daemon:
        warm(daemon, bench.loads.heads(1000))
        for path, _ in zip(files, bench.rounds()):
            sent = daemon.send(path, rejected=rejected)
            row.values.append(sent["cpu"] / sent["lines"])
            row.beside["jansson"].append(parsed(bench, path))
    row.at_most(times, "jansson")
    return state_note(bench, row)


def sizes(bench):
    """(lines of a file, files)."""
    return 20_000 if bench.quick else 40_000, bench.repeats


@measures("exemplar")
def exemplar(bench):
    yield beside_jansson(bench, "exemplar", "rpc events, each with a trace id of its own as exemplar",
                         bench.loads.exemplars(1000, *sizes(bench)), 0.15)


def beside_no_cache(bench, name, title, files, known=()):
    """A row of lines of which nothing is recognised, and what they cost when nothing is looked for."""
    n = sizes(bench)[0]
    row = Row(name, title, "ns")
    row.beside["--events.cache-size=0"] = []
    with Daemon(bench) as ours, Daemon(bench, cache=0) as other:
        warm(ours, bench.loads.heads(1000), *known)
        warm(other, bench.loads.heads(1000), *known)
        for path, _ in zip(files, bench.rounds(4)):
            row.values.append(ours.send(path)["cpu"] / n)
            row.beside["--events.cache-size=0"].append(other.send(path)["cpu"] / n)
    row.at_most(1.05, "--events.cache-size=0")
    return state_note(bench, row)


@measures("flood")
def flood(bench):
    """What it costs to find out that nothing can be recognised."""
    yield beside_no_cache(bench, "flood", "rpc events that each look different, sent twice each",
                          bench.loads.flood(1000, sizes(bench)[0], 4 * bench.repeats))


@measures("flood-near")
def flood_near(bench):
    known, files = bench.loads.near(1000, sizes(bench)[0], 4 * bench.repeats)
    yield beside_no_cache(bench, "flood-near", "rpc events that nearly match eight templates, behind a long text", files, [known])


@measures("value-first")
def value_first(bench):
    yield beside_jansson(bench, "value-first", "lines of 1 k known series, the value in front",
                         bench.loads.reordered("value-first", 1000, *sizes(bench)), 0.15)


@measures("blanks")
def blanks(bench):
    yield beside_jansson(bench, "blanks", "lines of 1 k known series, with blanks that were not seen before",
                         bench.loads.spaced(1000, *sizes(bench)), 0.15)


@measures("key-order")
def key_order(bench):
    yield beside_jansson(bench, "key-order", "lines of 1 k known series, keys and labels in another order",
                         bench.loads.reordered("key-order", 1000, *sizes(bench)), 0.15)


@measures("values")
def values(bench):
    yield beside_jansson(bench, "values", "lines that stand for 2 to 20 events, by values or count",
                         bench.loads.added_up(1000, *sizes(bench)), 0.15)


@measures("rejected")
def rejected(bench):
    yield beside_jansson(bench, "rejected", "lines that are rejected for an unknown label value",
                         bench.loads.rejected(*sizes(bench)), 0.3, rejected=True)


def as_lines(bench, row, ours, others, elements=1):
    """Fills a row about lines that are sent in another way than `others`, which are the same, one to a line. ours, others:
    (file, flags of the sender)."""
    with Daemon(bench) as daemon:
        warm(daemon, bench.loads.heads(1000))
        daemon.send(ours[0], *ours[1])
        def send(what, n):
            sent = daemon.send(what[0], *what[1])
            return sent | {"lines": sent["lines"] * n}
        compare(bench, row, ("ours", lambda: send(ours, elements)), ("the same as lines", lambda: send(others, 1)), times=2)
    return state_note(bench, row)


@measures("batch-20")
def batch_20(bench):
    n = 20_000 if bench.quick else 100_000
    row = Row("batch-20", "an element of arrays of 20, 1 k series", "ns")
    as_lines(bench, row, (bench.loads.batches(1000, n, 20), ["--passes=3"]), (bench.loads.mix(1000, n), ["--passes=3"]), 20)
    row.at_most(1.1, "the same as lines")
    yield row


@measures("session")
def session(bench):
    n = 20_000 if bench.quick else 100_000
    load = bench.loads.mix(1000, n)
    row = Row("session", "a line in a session, 1 k series", "ns")
    as_lines(bench, row, (load, ["--passes=3", "--session"]), (load, ["--passes=3"]))
    row.at_most(1.4, "the same as lines")
    yield row


@measures("values-session")
def values_session(bench):
    load = bench.loads.added_up(1000, 20_000 if bench.quick else 40_000, 1)[0]
    row = Row("values-session", "the lines of values in a session", "ns")
    as_lines(bench, row, (load, ["--passes=3", "--session"]), (load, ["--passes=3"]))
    row.at_most(1.4, "the same as lines")
    yield row


def native(bench, name, title, series, values=1, session=False):
    """A row of observations into native histograms, beside those into classic ones; the native ones are classic, too."""
    n = (20_000 if bench.quick else 100_000) // values + 1
    load = bench.loads.observations(series, n, values)
    flags = ["--passes=3", "--chunk=65536", *(["--session"] if session else [])]
    row = Row(name, title, "ns")
    with Daemon(bench, "--web.enable-native-histograms", series=series, many=series) as ours, \
            Daemon(bench, series=series, many=series) as classic:
        for daemon in ours, classic:
            daemon.send(bench.loads.histograms(series), f"--passes={TIMES_SEEN}")
            daemon.send(load, *flags)
        compare(bench, row, ("native", lambda: ours.send(load, *flags)), ("classic", lambda: classic.send(load, *flags)), times=2)
    row.at_most(1.5, "classic")
    return state_note(bench, row)


@measures("native")
def native_1k(bench):
    yield native(bench, "native", "an observation into one of 1 k native histograms", 1000)


@measures("native-100k")
def native_100k(bench):
    yield native(bench, "native-100k", "the same, 100 k of them", 100_000)


@measures("native-values")
def native_values(bench):
    yield native(bench, "native-values", "a list of 20 values into one of 1 k native histograms", 1000, values=20)


@measures("native-session")
def native_session(bench):
    yield native(bench, "native-session", "the lines of native in a session", 1000, session=True)


@measures("native-values-session")
def native_values_session(bench):
    yield native(bench, "native-values-session", "the lines of native-values in a session", 1000, values=20, session=True)

# SPDX-License-Identifier: Apache-2.0
"""Memory, the delay of a sync beside a scrape, the start, and what the daemon does when nothing happens."""
import threading
import time

import machine
from events import TIMES_SEEN, state_note
from serving import Daemon, Floor
from table import Row, measures, median, words


def memory(bench, row, load, n, passes=1, **more):
    """Resident bytes that n series take, over those of a daemon that has none and room for few."""
    with Daemon(bench, **more) as daemon:
        before = machine.resident(daemon.pid)
    for _ in range(min(2, bench.repeats)):  # it hardly differs
        with Daemon(bench, many=n, **more) as daemon:
            daemon.send(load, f"--passes={passes}")
            row.values.append((machine.resident(daemon.pid) - before) / n)
    row.notes.append(f"of {words(n)}")
    return state_note(bench, row)


@measures("memory-counter")
def memory_counter(bench):
    row = Row("memory-counter", "resident memory of a counter with four labels, --events.cache-size=0", "bytes")
    memory(bench, row, bench.loads.counters(bench.many), bench.many, cache=0)
    row.target("≤ 250 bytes", row.value <= 250)
    yield row


@measures("memory-default")
def memory_default(bench):
    n = bench.many
    row = Row("memory-default", "resident memory of a counter with four labels, its recognition included", "bytes")
    memory(bench, row, bench.loads.counters(n), n, 2)
    row.target("≤ 300 bytes", row.value <= 300)
    yield row


@measures("memory-histogram")
def memory_histogram(bench):
    n = bench.many // 4
    row = Row("memory-histogram", "resident memory of a histogram with 15 buckets, --events.cache-size=0", "bytes")
    yield memory(bench, row, bench.loads.histograms(n), n, cache=0)


@measures("memory-cache")
def memory_cache(bench):
    n = bench.many // 4
    row = Row("memory-cache", "resident memory of a counter and its line in the cache, --events.cache-size=128MiB", "bytes")
    yield memory(bench, row, bench.loads.counters(n), n, TIMES_SEEN, cache="128MiB")


def delays(bench, server, path):
    """What the program `delay` says, while one scrape follows the other."""
    over = threading.Event()
    failed = []

    def scrape():
        try:
            while not over.is_set():
                server.fetch(path, cpu=None)
        except Exception as e:  # told to the thread that measures
            failed.append(e)

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        said = bench.tool("delay", server.socket, 1 if bench.quick else 2, cpu=None)
    finally:
        over.set()
        thread.join()
    if failed:
        raise failed[0]
    return said


@measures("sync")
def sync(bench):
    """Nothing is pinned: this is how the threads share the CPUs that there are."""
    n = bench.many
    row = Row("sync", f"wait for a sync while {words(n)} series are scraped, 99th percentile", "ms")
    row.beside["floor"] = []
    said = []
    with Daemon(bench, many=n, cpu=None) as daemon, Floor(bench, cpu=None) as floor:
        daemon.send(bench.loads.counters(n))
        size = daemon.fetch()["bytes"]
        floor.fetch(f"/{size}")
        for _ in bench.rounds():
            said.append(delays(bench, daemon, "/metrics"))
            row.values.append(said[-1]["p99"])
            row.beside["floor"].append(delays(bench, floor, f"/{size}")["p99"])
    row.target("≤ 20 ms or ≤ 3 × floor", row.value <= 0.02 or row.ratio("floor") <= 3)
    row.notes.append(f"median {median([s['p50'] for s in said]) * 1e3:.2f} ms, "
                     f"longest {max(s['max'] for s in said) * 1e3:.2f} ms")
    yield state_note(bench, row)


def starts(bench, row, **more):
    for _ in bench.rounds():
        begin = time.monotonic()
        with Daemon(bench, **more) as daemon:
            row.values.append(daemon.ready_at - begin)
            series = daemon.value("virtrigaud_exporter_series")
    row.notes.append(f"{series:,.0f} series from the first moment")
    return row


@measures("start-empty")
def start_empty(bench):
    yield starts(bench, Row("start-empty", "start until ready, without series", "ms"))


@measures("start-1m")
def start_1m(bench):
    n = bench.many
    row = Row("start-1m", f"start until ready, with {words(n)} series in the state file", "ms")
    if not bench.has_state:
        row.notes.append("the daemon has no state file")
        yield row
        return
    path = bench.next_name() + ".state"
    with Daemon(bench, many=n, state=path) as daemon:
        daemon.send(bench.loads.counters(n))
    starts(bench, row, many=n, state=path)
    row.target("≤ 0.8 s", row.value <= 0.8)
    yield row


@measures("idle")
def idle(bench):
    """With a source that is connected and says nothing."""
    row = Row("idle", "CPU time of a second in which nothing happens, 1 k series", "µs")
    seconds = 1 if bench.quick else 3
    wakes = []
    with Daemon(bench) as daemon:
        daemon.send(bench.loads.heads(1000))
        for _ in bench.rounds():
            before = machine.wakeups(daemon.pid)
            _, used = daemon.measured(lambda: time.sleep(seconds))
            wakes.append((machine.wakeups(daemon.pid) - before) / seconds)
            row.values.append(used / seconds)
    row.notes.append(f"{median(wakes):.1f} wake-ups")
    row.more["wakeups"] = median(wakes)
    yield state_note(bench, row)


@measures("idle-memory")
def idle_memory(bench):
    """What limits cost that nothing uses."""
    row = Row("idle-memory", "resident memory without series, with limits of 4,000,000", "MiB")
    for _ in bench.rounds():
        with Daemon(bench, limit=4_000_000) as daemon:
            row.values.append(machine.resident(daemon.pid))
    row.target("≤ 16 MiB", row.value <= 16 << 20)
    yield state_note(bench, row)

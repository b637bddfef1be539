# SPDX-License-Identifier: Apache-2.0
"""Handles, labels, merging and memory, with a recorder in place of a client."""
import asyncio
import decimal
import enum
import itertools
import json
import signal
import threading
import time
import unittest

import virtrigaud
from virtrigaud import _store, _text
from virtrigaud._sender import line_of
from virtrigaud.testing import Recorder


class Kind(enum.Enum):
    SET = "VMSet"


class Awkward:
    def __str__(self):
        raise RuntimeError("no text")

    def __float__(self):
        raise RuntimeError("no number")


class HandlesTest(unittest.TestCase):
    def setUp(self):
        self.metrics = virtrigaud.Metrics()
        self.recorder = Recorder(self.metrics)

    def lines(self):
        with self.metrics.lock:
            self.metrics.merge()
            pieces = list(self.metrics.take())
            for piece in pieces:
                self.metrics.settle(piece, "applied")
        return [json.loads(line_of(piece).text) for piece in pieces]

    def test_default_metrics_serve_handles_made_by_their_class(self):
        recorder = Recorder()
        virtrigaud.Counter("c_total", component="provider").inc(reason="x")
        self.assertEqual(recorder.value("c_total", component="provider", reason="x"), 1)
        recorder.reset()
        self.assertIsNone(recorder.value("c_total", component="provider", reason="x"))

    def test_counter(self):
        counter = self.metrics.counter("c_total", ("reason",))
        counter.inc(reason="a")
        counter.inc(2, {"reason": "a"})
        counter.labels("a").inc(0.5)
        counter.labels(reason="a").add(4)
        counter.labels({"reason": "a"}).inc()
        counter.init(reason="b")
        self.assertEqual(self.recorder.value("c_total", reason="a"), 8.5)
        self.assertEqual(self.recorder.value("c_total", reason="b"), 0)

    def test_gauge(self):
        gauge = self.metrics.gauge("g")
        gauge.set(3)
        gauge.inc()
        gauge.dec(5)
        gauge.add(0.5)
        self.assertEqual(self.lines(), [{"metric": "g", "op": "set", "value": -0.5}])
        gauge.inc(2)
        self.assertEqual(self.lines(), [{"metric": "g", "op": "set", "value": 1.5}])
        with gauge.track():
            pass
        gauge.set_to_current_time()
        self.assertAlmostEqual(self.lines()[0]["value"], time.time(), delta=5)

    def test_info_replaces_older_labels(self):
        info = self.metrics.info("build_info")
        info.info(version="1")
        info.info(version="2")
        self.assertEqual(self.lines(), [{"metric": "build_info", "labels": {"version": "2"}, "op": "set", "value": 1}])

    def test_calls_of_a_series_are_one_line(self):
        counter, event, histogram = self.metrics.counter("c_total"), self.metrics.event("e"), self.metrics.histogram("h")
        for i in range(3):
            counter.inc(2)
            event.record(k="v")
            event.record(i / 4, k="v")
            histogram.observe(i)
        self.assertEqual(self.lines(), [
            {"metric": "c_total", "value": 6},
            {"event": "e", "labels": {"k": "v"}, "count": 3},
            {"event": "e", "labels": {"k": "v"}, "values": [0.0, 0.25, 0.5]},
            {"metric": "h", "values": [0.0, 1.0, 2.0]}])

    def test_lines_stay_within_the_limits(self):
        histogram, event = self.metrics.histogram("h"), self.metrics.event("e")
        long = "x" * 30000
        for i in range(2500):
            histogram.observe(-1.2345678901234567e-300, k=long)
        event.record()
        with self.metrics.lock:
            self.metrics.merge()
            self.metrics.sums[0].amount = 1000000
        event.record()
        with self.metrics.lock:
            self.metrics.merge()
            lines = [line_of(piece).text for piece in self.metrics.take()]
        self.assertEqual([len(json.loads(line).get("values", ())) for line in lines], [0, 0, 1000, 1000, 500])
        self.assertLessEqual(max(map(len, lines)), 65537)
        self.assertEqual([json.loads(line).get("count") for line in lines[:2]], [1000000, None])

    def test_sums_beyond_a_double_are_two_lines(self):
        counter = self.metrics.counter("c_total")
        counter.inc(1.5e308)
        counter.inc(1.5e308)
        self.assertEqual(len(self.lines()), 2)

    def test_exemplars(self):
        histogram, event, counter = self.metrics.histogram("h"), self.metrics.event("e"), self.metrics.counter("c_total")
        histogram.observe(1)
        histogram.observe_with_exemplar(2, {"trace_id": "a"})
        histogram.observe(3)
        event.record_with_exemplar(4, {"trace_id": "b"}, k="v")
        counter.inc_with_exemplar(1, {"trace_id": "c"}, exemplar_timestamp=1700000000.5)
        counter.inc_with_exemplar(1, {"trace_id": "x" * 200})
        with self.metrics.lock:
            self.metrics.merge()
            lines = []
            for piece in self.metrics.take():
                if isinstance(piece, _store.Chunk) and piece.exemplar is not None:
                    self.metrics.split_at_exemplar(piece)
                lines.append(json.loads(line_of(piece).text))
        self.assertEqual(lines, [
            {"metric": "c_total", "exemplar": {"labels": {"trace_id": "c"}, "timestamp": 1700000000.5}, "value": 2},
            {"metric": "h", "exemplar": {"labels": {"trace_id": "a"}}, "values": [1.0, 2.0]},
            {"metric": "h", "value": 3.0},
            {"event": "e", "labels": {"k": "v"}, "exemplar": {"labels": {"trace_id": "b"}}, "value": 4.0}])

    def test_label_values_of_any_kind(self):
        counter = self.metrics.counter("c_total")
        for value, text in ((Kind.SET, "VMSet"), (True, "true"), (None, ""), (1, "1"), (1.0, "1.0"), (b"\xff", "\ufffd"),
                            ("\ud800", "\ufffd\ufffd\ufffd"), (decimal.Decimal("1.5"), "1.5"), ('"\n\u20ac', '"\n\u20ac')):
            with self.subTest(value=value):
                counter.inc(k=value)
                self.assertEqual(self.lines(), [{"metric": "c_total", "labels": {"k": text}, "value": 1}])
        for value in (1, True, 1.0, "1"):  # are the same to a dictionary
            counter.inc(k=value)
        self.assertEqual([line["labels"]["k"] for line in self.lines()], ["1", "true", "1.0"])

    def test_nothing_raises_whatever_it_is_given(self):
        awkward = Awkward()
        for handle in (self.metrics.counter("c_total"), self.metrics.gauge("g"), self.metrics.histogram("h"), self.metrics.event("e"),
                       self.metrics.info("i"), self.metrics.counter(None), self.metrics.counter("x" * 100000)):
            for name in ("inc", "add", "set", "dec", "observe", "record", "info"):
                call = getattr(handle, name, None)
                if call is None:
                    continue
                for value in (float("nan"), float("inf"), -1, "1", None, awkward, [], 10**400, decimal.Decimal("nan"), 1j):
                    if name == "info":
                        call({"k": value})
                        continue
                    call(value)
                    call(value, k=awkward)
                    call(value, {"k": [1]})
                    call(value, [("k", "v")])
                    call(value, 7)
                    call(value, {1: 2, None: "x" * 1000000})
            handle.labels("one", "too many").labels(awkward).labels(k=[])
        self.lines()
        self.assertGreater(self.metrics.invalid, 100)
        self.assertEqual(self.metrics.waiting(), 0)
        self.assertTrue(any("bad_value" in r.detail for r in self.recorder.refusals))

    def test_invalid_calls_leave_the_others_alone(self):
        histogram = self.metrics.histogram("h")
        for value in (1, float("nan"), 2, float("-inf"), "x", None, 3):
            histogram.observe(value)
        self.assertEqual(self.lines(), [{"metric": "h", "values": [1.0, 2.0, 3.0]}])
        self.assertEqual(self.metrics.invalid, 4)

    def test_timers(self):
        event = self.metrics.event("vm_operation", ("operation", "outcome"))
        with event.timer(operation="Create"):
            pass
        with event.timer(operation="Create") as timer:
            timer.labels(outcome="failure")
        with self.assertRaises(KeyError):
            with event.timer(operation="Create") as timer:
                timer.labels(outcome="success")
                raise KeyError
        rpc = self.metrics.event("rpc", ("method", "code"))
        with self.assertRaises(KeyError):
            with rpc.timer(method="Create") as timer:
                timer.on_error(code="INTERNAL")
                raise KeyError
        for outcome in ("success", "failure", "error"):
            self.assertEqual(len(self.recorder.observations("vm_operation", operation="Create", outcome=outcome)), 1)
        self.assertEqual(self.recorder.value("rpc", method="Create", code="INTERNAL"), 1)

    def test_timers_of_functions_and_coroutines(self):
        histogram = self.metrics.histogram("h")

        @histogram.timer(k="f")
        def work(x):
            return x

        @histogram.timer(k="c")
        async def wait(x):
            await asyncio.sleep(0.01)
            return x

        self.assertEqual([work(1), work(2), asyncio.run(wait(3))], [1, 2, 3])
        self.assertEqual(self.recorder.value("h", k="f"), 2)
        self.assertGreaterEqual(self.recorder.observations("h", k="c")[0], 0.01)

    def test_many_threads(self):
        counter, gauge = self.metrics.counter("c_total"), self.metrics.gauge("g")

        def work():
            for i in range(20000):
                counter.inc(k=str(i % 7))
                gauge.inc()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sum(self.recorder.value("c_total", k=str(i)) for i in range(7)), 80000)
        self.assertEqual(self.recorder.value("g"), 80000)

    def test_calls_from_a_signal_handler(self):
        counter, calls = self.metrics.counter("c_total"), itertools.count()

        def on_signal(*_):  # may be interrupted by the next one
            next(calls)
            counter.inc()

        before = signal.signal(signal.SIGALRM, on_signal)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        try:
            for _ in range(100000):
                counter.inc()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        self.assertEqual(self.recorder.value("c_total"), 100000 + next(calls))

    def test_a_disabled_set_drops_calls(self):
        client = virtrigaud.Client("provider", metrics=self.metrics, enabled=False)
        self.metrics.counter("c_total").inc(object(), object())
        self.assertEqual(client.stats().sent + client.stats().invalid, 0)
        client.close()

    def test_forgotten_gauges(self):
        gauge = self.metrics.gauge("g")
        gauge.set(1, provider="a")
        gauge.set(2, provider="b")
        self.metrics.forget(provider="a")
        self.assertEqual([line["labels"] for line in self.lines()], [{"provider": "b"}])
        self.assertEqual(list(self.metrics.forgets), [{"provider": "a"}])


class MemoryTest(unittest.TestCase):
    def full(self, max_bytes=65536, max_series=1000):
        return virtrigaud.Metrics(max_bytes, max_series)

    def merged(self, metrics):
        with metrics.lock:
            metrics.merge()
        return metrics

    def test_oldest_observations_go_first(self):
        metrics = self.full()
        histogram, counter, gauge = metrics.histogram("h"), metrics.counter("c_total"), metrics.gauge("g")
        counter.inc()
        gauge.set(1)
        for i in range(50000):
            histogram.observe(i)
        gauge.set(2)
        self.merged(metrics)
        self.assertLessEqual(metrics.bytes, 65536)
        recorded = [v for chunk in metrics.chunks for v in chunk.values]
        self.assertEqual(recorded, list(range(50000 - len(recorded), 50000)))
        self.assertGreater(len(recorded), 5000)
        self.assertEqual(metrics.lost, 50000 - len(recorded))
        self.assertEqual(metrics.sums[0].amount, 1)
        self.assertEqual([line_of(piece).text for piece in metrics.take()][0], b'{"metric":"g","op":"set","value":2}\n')

    def test_series_without_end(self):
        metrics = self.full(200000, 300)
        counter, gauge = metrics.counter("c_total"), metrics.gauge("g")
        for i in range(10000):
            gauge.set(i, k="kept")
            counter.inc(k=str(i))
            if i % 100 == 0:
                gauge.set(i, k=str(i))
        self.merged(metrics)
        self.assertLessEqual(metrics.bytes, 200000)
        self.assertLess(len(metrics.series), 1000)
        self.assertEqual(metrics.sent, 20100)
        waiting = metrics.waiting()
        self.assertEqual(metrics.sent, metrics.lost + waiting)
        lines = [line_of(piece).text for piece in metrics.take()]
        self.assertIn(b'{"metric":"g","labels":{"k":"kept"},"op":"set","value":9999}\n', lines)
        self.assertIn(b'{"metric":"c_total","labels":{"k":"9998"},"value":1}\n', lines)

    def test_gauges_without_end(self):
        metrics = self.full(100000, 100)
        gauge = metrics.gauge("g")
        for i in range(5000):
            gauge.set(1, k=str(i))
        gauge.set(2, k="0")
        self.merged(metrics)
        self.assertEqual((metrics.n_series, metrics.waiting(), metrics.lost), (100, 101, 4900))
        self.assertIn(("lost", 'lost: no_room for another series: g k=100'), metrics.notices)
        self.assertIn(b'{"metric":"g","labels":{"k":"0"},"op":"set","value":2}\n', [line_of(p).text for p in metrics.take()])

    def test_long_series_are_fewer(self):
        metrics = self.full(100000, 100)
        for i in range(100):
            metrics.gauge("g").set(1, k=str(i) + 5000 * "x")
        self.merged(metrics)
        self.assertLessEqual(metrics.series_bytes, 100 * 2048)
        self.assertEqual((metrics.n_series, metrics.lost), (12, 88))

    def test_few_idle_series_give_way_too(self):
        metrics = self.full(100000, 60)
        gauge, counter = metrics.gauge("g"), metrics.counter("c_total")
        for i in range(55):
            gauge.set(1, k=str(i))
        for i in range(20):
            counter.inc(k=str(i))
            self.merged(metrics)
            with metrics.lock:
                for piece in list(metrics.take()):
                    metrics.settle(piece, "applied")
            time.sleep(_store.EVICT_SECONDS)
        self.assertEqual(metrics.lost, 0)
        self.assertEqual(metrics.applied, 75)

    def test_accounts_end_at_zero(self):
        metrics = self.full()
        histogram, event = metrics.histogram("h"), metrics.event("e")
        for i in range(3000):
            histogram.observe(i)
            event.record()
        self.merged(metrics)
        with metrics.lock:
            while metrics.sums or metrics.chunks:
                piece = next(metrics.take())
                for part in metrics.split(piece, 700):
                    metrics.settle(part, "applied")
        self.assertEqual((metrics.waiting(), metrics.applied), (0, 6000))
        self.assertEqual(metrics.bytes, 0)


class TextTest(unittest.TestCase):
    def test_heads(self):
        self.assertEqual(_text.head("metric", "m", ()), b'{"metric":"m"')
        self.assertEqual(_text.head("event", "e", (("k", "\u20ac\x01"),)), '{"event":"e","labels":{"k":"\u20ac\\u0001"}'.encode())
        self.assertIsNone(_text.head("event", "e", (("k", "x" * 50000),)))

    def test_shown_is_short(self):
        self.assertLess(len(_text.shown("m", {"k": "x" * 1000})), 250)
        self.assertIn("cannot be shown", _text.shown(Awkward(), None))


if __name__ == "__main__":
    unittest.main()

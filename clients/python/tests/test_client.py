# SPDX-License-Identifier: Apache-2.0
"""The client against a fake daemon: whatever breaks, each call is counted once or known to be lost."""
import asyncio
import concurrent.futures
import itertools
import logging
import multiprocessing
import os
import random
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock

import virtrigaud
from virtrigaud import _client, _sender
from virtrigaud.testing import Catalog, FakeDaemon

LIB = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATIENCE = 60  # seconds in which what happens at once has happened on a machine that has much else to do
CATALOG = {
    "components": ["unknown", "provider"],
    "labels": [{"name": "k", "values": ["a", "b"], "closed": False, "aliases": {}},
               {"name": "o", "values": ["good"], "closed": True, "aliases": {"Good": "good"}},
               {"name": "p", "values": [], "closed": False, "empty": "none", "aliases": {}}],
    "metrics": [{"name": n, "type": t, "labels": [{"name": x, "definition": x} for x in labels]}
                for n, t, labels in (("c_total", "counter", ("k",)), ("g", "gauge", ("k",)), ("h", "histogram", ("k",)),
                                     ("ops_total", "counter", ("o", "p")), ("took", "histogram", ("p",)))],
    "events": [{"name": "op", "labels": [{"name": "o", "definition": "o"}, {"name": "p", "definition": "p"}],
                "value": {"unit": "seconds", "optional": True},
                "updates": [{"op": "add", "metric": "ops_total", "by": 1}, {"op": "observe", "metric": "took"}]}],
}


_client.EXIT_SECONDS = PATIENCE  # of child processes


def threads():
    return [t.name for t in threading.enumerate() if t.name.startswith("virtrigaud")]


VERSIONS = "new", "old", "between"  # the last knows the newer keys of a hello and neither count nor values


class Replaced(FakeDaemon):
    """Becomes another version when three connections broke, each after its first event, which was not answered."""

    def __init__(self, path, first, then):
        super().__init__(path)
        self.breaks, self.then = 3, then
        self.become(first)

    def become(self, version):
        self._is_old = version == "old"
        self._catalog = Catalog(CATALOG, version == "new")
        self._hello_keys = self.HELLO_KEYS if version == "old" else self.HELLO_KEYS | self.NEWER_KEYS

    def _deal(self, line, connection):
        reply = super()._deal(line, connection)
        if self.breaks > 0 and b'"event"' in line:
            self.breaks -= 1
            if self.breaks == 0:
                self.become(self.then)
            raise OSError
        return reply


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(dir="/tmp")
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, "s")
        self.told = []
        self.metrics = virtrigaud.Metrics()
        self.op = self.metrics.event("op", o="Good")
        self.counter = self.metrics.counter("c_total", k="a")
        self.gauge = self.metrics.gauge("g", k="a")
        self.histogram = self.metrics.histogram("h", k="a")
        self.client = None
        logging.getLogger("virtrigaud").disabled = True

    def tearDown(self):
        if self.client is not None:
            self.client.close(0)
        self.doCleanups()
        self.until(lambda: threads() == [])

    def connect(self, **more):
        more.setdefault("path", self.path)
        self.client = virtrigaud.Client("provider", "vc1", {"p": "x"}, metrics=self.metrics,
                                        hook=lambda kind, text: self.told.append((kind, text)), **more)
        self.addCleanup(self.client.close, 0)
        return self.client

    def daemon(self, **more):
        return FakeDaemon(self.path, Catalog(CATALOG, not more.get("is_old")), **more)

    def until(self, condition):
        end = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end, f"not in time; told: {self.told}")
            time.sleep(0.01)

    def texts(self, kind):
        return [text for k, text in self.told if k == kind]


class ClientTest(Case):
    def test_calls_before_with_and_after_a_client(self):
        self.counter.inc()
        self.gauge.set(7)
        with self.daemon() as daemon:
            client = self.connect()
            self.op.record(0.5)
            self.op.record()
            self.assertTrue(client.flush(PATIENCE))
            self.assertEqual(daemon.value("c_total", k="a"), 1)
            self.assertEqual(daemon.value("g", k="a"), 7)
            self.assertEqual(daemon.value("ops_total", o="good", p="x"), 2)
            self.assertEqual(daemon.value("took", p="x"), 1)
            stats = client.close()
            self.assertEqual(stats[:6], (4, 4, 0, 0, 0, 0))
            self.counter.inc()
            self.assertEqual(client.stats().sent, 4)
            self.connect()
            self.until(lambda: daemon.lines[-1] == '{"metric":"g","labels":{"k":"a"},"op":"set","value":7}')
            self.assertEqual(len(daemon.lines), 5)
        self.assertEqual(daemon.refusals, [])

    def test_what_is_sent_is_added_up(self):
        for is_old in False, True:
            with self.subTest(is_old=is_old), self.daemon(is_old=is_old) as daemon:
                client = self.connect()
                for i in range(3000):
                    self.op.record()
                    self.histogram.observe(i)
                    self.counter.inc()
                self.assertTrue(client.flush(PATIENCE))
                stats = client.close()
                self.assertEqual(stats.applied, stats.sent)
                self.assertEqual(daemon.value("ops_total", o="good", p="x"), 3000)
                self.assertEqual(daemon.values.observations("h", k="a"), list(range(3000)))
                self.assertEqual(daemon.value("c_total", k="a"), 3000)
                self.assertEqual([r.reason for r in daemon.refusals], ["bad_control"] if is_old else [])
                self.assertEqual(len(daemon.lines) > 6000, is_old)
            self.metrics = virtrigaud.Metrics()
            self.op, self.counter = self.metrics.event("op", o="Good"), self.metrics.counter("c_total", k="a")
            self.histogram = self.metrics.histogram("h", k="a")

    def test_a_daemon_that_knows_the_hello_but_no_sums(self):
        with FakeDaemon(self.path, Catalog(CATALOG, False)) as daemon:
            client = self.connect()
            for i in range(500):
                self.op.record()
                self.histogram.observe(i)
            self.assertTrue(client.flush(PATIENCE))
            self.assertEqual((daemon.value("ops_total", o="good", p="x"), daemon.value("h", k="a")), (500, 500))
            self.assertEqual([r.reason for r in daemon.refusals], ["unknown_field"])
            self.assertEqual(client.stats()[:6], (1000, 1000, 0, 0, 0, 0))
            self.assertEqual(self.texts("refused"), [])

    def test_a_daemon_that_is_replaced_before_it_answers(self):
        """It deals with a first line, three times, and its answers are lost; then another daemon goes on. What became of these
        three calls is unknown: none is sent again, so none counts twice."""
        for first, then in itertools.product(VERSIONS, repeat=2):
            with self.subTest(first=first, then=then):
                self.setUp()
                daemon = Replaced(self.path, first, then)
                for _ in range(7):
                    self.op.record()
                with daemon:
                    client = self.connect()
                    self.assertTrue(client.flush(PATIENCE), client.stats())
                    stats = client.close(PATIENCE)
                self.assertEqual(stats[:6] + (stats.unknown,), (7, 7, 0, 0, 0, 0, 3))
                self.assertEqual(daemon.value("ops_total", o="good", p="x"), 4 if first == "between" else 7)
                probes = 3 * (first == "between") + (then == "between" and first != "old")  # to that one, each is a line
                self.assertEqual([r.reason for r in daemon.refusals if r.reason != "bad_control"], ["unknown_field"] * probes)
                self.assertEqual(len(daemon.sessions), 1)

    def work(self, end, calls):
        while not end.is_set():
            self.op.record(0.25 if calls[0] % 3 else None)
            self.counter.inc()
            calls[0] += 1
            if calls[0] % 5 == 0:
                time.sleep(0.001)

    def is_served(self, daemon):
        """Waits for a connection to the daemon that has just begun, and at first until something is acknowledged: a session with a
        position of 0 cannot be told from one that was forgotten."""
        seen = len(daemon.hellos)
        self.until(lambda: len(daemon.hellos) > seen and self.client.stats().applied > 0)

    def check_sums(self, daemon, calls, is_exact=True):
        stats = self.client.close(PATIENCE)
        self.assertEqual((stats.sent, stats.waiting, stats.refused), (2 * calls, 0, 0), self.told)
        self.assertEqual((stats.applied, stats.lost, daemon.lost()), (stats.sent, 0, 0))
        found = daemon.value("ops_total", o="good", p="x") + daemon.value("c_total", k="a")
        self.assertLessEqual(found, stats.applied)
        self.assertGreaterEqual(found, stats.applied if is_exact else stats.applied - stats.unknown)

    def test_breaks_and_restarts(self):
        for is_old in False, True, None:  # None: knows the hello's keys and not the sums
            with self.subTest(is_old=is_old):
                self.setUp()
                daemon = FakeDaemon(self.path, Catalog(CATALOG, is_old is False), is_old=bool(is_old))
                end, calls = threading.Event(), [0]
                self.connect()
                thread = threading.Thread(target=self.work, args=(end, calls))
                thread.start()
                for i in range(6):
                    daemon.break_one_in = random.choice((0, 3, 30))
                    with daemon:
                        self.is_served(daemon)
                        time.sleep(0.3)
                end.set()
                thread.join()
                daemon.break_one_in = 0
                with daemon:
                    self.assertTrue(self.client.flush(PATIENCE), self.client.stats())
                    self.check_sums(daemon, calls[0], is_exact=is_old is not None)
                self.assertGreaterEqual(len(daemon.hellos), 6)
                self.assertEqual(len(daemon.sessions), 1)

    def test_versions_change_between_connections(self):
        old, new = Catalog(CATALOG, False), Catalog(CATALOG, True)
        daemon = FakeDaemon(self.path, new)
        end, calls = threading.Event(), [0]
        self.connect()
        thread = threading.Thread(target=self.work, args=(end, calls))
        thread.start()
        for i in range(6):
            daemon._is_old = i % 2 == 1
            daemon._catalog = old if i % 2 else new
            daemon._hello_keys = daemon.HELLO_KEYS if i % 2 else daemon.HELLO_KEYS | daemon.NEWER_KEYS
            with daemon:
                self.is_served(daemon)
                time.sleep(0.4)
        end.set()
        thread.join()
        with daemon:
            self.assertTrue(self.client.flush(PATIENCE))
            self.check_sums(daemon, calls[0])

    def test_sessions_are_forgotten(self):
        daemon = self.daemon()
        end, calls = threading.Event(), [0]
        self.connect()
        thread = threading.Thread(target=self.work, args=(end, calls))
        thread.start()
        forgotten = 0
        for i in range(6):
            daemon.break_one_in = 4
            with daemon:
                self.until(lambda: any(position for position, _ in list(daemon.sessions.values())))
                time.sleep(0.1)
            forgotten += daemon.lost()
            daemon.sessions.clear()
        end.set()
        thread.join()
        daemon.break_one_in = 0
        with daemon:
            self.assertTrue(self.client.flush(PATIENCE))
            stats = self.client.close(PATIENCE)
        self.assertGreaterEqual(len({hello["session"] for hello in daemon.hellos}), 7)
        self.assertEqual(stats.applied + stats.lost, 2 * calls[0])
        found = daemon.value("ops_total", o="good", p="x") + daemon.value("c_total", k="a")
        self.assertGreaterEqual(found, stats.applied)  # what was lost may have counted
        self.assertLessEqual(found, stats.sent)
        self.assertGreaterEqual(forgotten + daemon.lost(), stats.lost)  # told in a session that was forgotten before the answer

    def test_gauges_come_back(self):
        daemon = self.daemon()
        info = self.metrics.info("g")
        with daemon:
            self.connect()
            for i in range(100):
                self.gauge.set(i)
            info.info(k="version")
            self.gauge.inc()
            self.assertTrue(self.client.flush(PATIENCE))
        daemon.values.sums.clear()
        daemon.sessions.clear()
        with daemon:
            self.until(lambda: daemon.value("g", k="version") == 1 and daemon.value("g", k="a") == 100)
        self.until(lambda: "connected again, 0 lost" in self.texts("connected"))

    def test_it_tries_again_each_second(self):
        pauses, back_off = [], _sender.Sender._back_off

        def noted(sender, seconds):
            pauses.append(seconds)
            return back_off(sender, seconds)

        with unittest.mock.patch.object(_sender.Sender, "_back_off", noted), \
                unittest.mock.patch.object(_sender.random, "uniform", lambda least, most: most / 100):
            self.connect()
            self.until(lambda: len(pauses) > 20)
            self.client.close(0)
        self.assertLess(max(pauses) * 1.1, 1)
        self.assertLess(pauses[0], pauses[-1])

    def test_memory_is_bounded_and_what_is_lost_is_told(self):
        daemon = self.daemon()
        self.connect(max_bytes=50000)
        for i in range(30000):
            self.histogram.observe(i)
            self.gauge.set(i)
        self.until(lambda: self.client.stats().lost > 20000)
        with daemon:
            self.assertTrue(self.client.flush(PATIENCE))
            stats = self.client.close()
        self.assertEqual(stats.applied + stats.lost, 60000)
        self.assertEqual(daemon.value("h", k="a") + stats.lost, 30000)
        self.assertEqual(daemon.values.observations("h", k="a")[-1], 29999)
        self.assertEqual(daemon.value("g", k="a"), 29999)
        self.assertEqual(daemon.lost(), stats.lost)

    def test_refusals_are_told_and_counted(self):
        with self.daemon():
            self.connect()
            self.metrics.counter("nope_total").inc()
            self.counter.inc(5, extra=1)
            self.op.record(1, o="bad")
            self.op.record(2, o="bad")
            self.histogram.observe(float("nan"))
            self.assertTrue(self.client.flush(PATIENCE))
            stats = self.client.stats()
            self.assertEqual((stats.applied, stats.refused, stats.invalid), (0, 4, 1))
            self.client.close(PATIENCE)  # what was refused is told by then; flush returns when it is counted
        self.assertIn('refused: unknown_metric: the catalogue has no metric \'nope_total\': {"metric":"nope_total","value":1}',
                      self.texts("refused"))
        self.assertEqual(len(self.texts("refused")), 4)  # the first line with values is of one call
        self.assertEqual(self.texts("invalid"), ["invalid: bad_value: nan: h k=a"])

    def test_refusals_are_told_rarely(self):
        with self.daemon():
            self.connect()
            for i in range(1000):
                self.metrics.counter(f"nope_{i}").inc()
            self.assertTrue(self.client.flush(PATIENCE))
            self.assertEqual(self.client.stats().refused, 1000)
            self.client.close(PATIENCE)
        self.assertEqual(len(self.texts("refused")), _sender.LOG_BURST)

    def test_why_there_is_no_connection(self):
        def told(path=self.path):
            self.told.clear()
            self.connect(path=path)
            self.until(lambda: self.texts("connect"))
            self.assertEqual(self.client.stats().error in self.texts("connect")[0], True)
            self.client.close(0)
            return self.texts("connect")[0]

        self.assertIn("no socket there", told())
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(self.path)
            self.assertIn("nobody listens", told())
        self.assertIn("bytes, 107 are possible", told("/tmp/" + "x" * 200))
        self.assertIn("permission denied: the socket's group is", _sender.why_not(self.path, PermissionError(13, "no")))
        self.assertIn("folder cannot be entered", _sender.why_not(self.path + "/x", PermissionError(13, "no")))

    def test_a_refused_hello(self):
        with self.daemon(), unittest.mock.patch.object(_sender, "REFUSED_RETRY", 10 * PATIENCE):
            self.client = virtrigaud.Client("nobody", path=self.path, metrics=self.metrics,
                                            hook=lambda kind, text: self.told.append((kind, text)))
            self.until(lambda: self.texts("refused"))
            self.assertEqual(self.texts("refused"), ["the hello is refused: bad_control: no such component"])
            self.client.close(PATIENCE)
            self.assertEqual(threads(), [])  # though it would have said hello again much later

    def test_a_hook_that_closes(self):
        def hook(kind, _):
            if kind == "refused":
                self.client.flush(PATIENCE)
                self.client.close(1)

        with self.daemon():
            self.client = virtrigaud.Client("provider", path=self.path, metrics=self.metrics, hook=hook)
            self.metrics.counter("nope").inc()
            self.until(lambda: self.metrics.client is None)

    def test_hellos(self):
        for more, keys in (({}, {"interval": 10}), ({"interval": None}, {"transient": False}),
                           ({"transient": True, "interval": 10000}, {"transient": True, "interval": 3600})):
            with self.daemon() as daemon:
                self.connect(**more)
                self.until(lambda: daemon.hellos)
                hello = daemon.hellos[0]
                hello.pop("session")
                self.assertEqual(hello, {"component": "provider", "instance": "vc1", "labels": {"p": "x"}, **keys})
                self.client.close(1)

    def test_an_idle_client_is_heard(self):
        heard = []

        class Listener(FakeDaemon):
            def _control(self, value, connection):
                if "ping" in value:
                    heard.append(time.monotonic())
                return super()._control(value, connection)

        with Listener(self.path):
            self.connect(interval=1)
            self.until(lambda: any(after - before < 1 for before, after in zip(heard, heard[1:])))

    def test_a_hook_that_fails(self):
        def hook(*_):
            raise ValueError

        with self.daemon():
            self.client = virtrigaud.Client("provider", path=self.path, metrics=self.metrics, hook=hook)
            self.counter.inc()
            self.assertTrue(self.client.flush(PATIENCE))

    def closing(self, seconds):
        """Seconds that close takes, the least of some."""
        taken = []
        for _ in range(5):
            self.metrics = virtrigaud.Metrics()
            self.counter = self.metrics.counter("c_total", k="a")
            client = self.connect()
            self.counter.inc(3)
            self.until(lambda: self.texts("connect") or os.path.exists(self.path))
            begin = time.monotonic()
            stats = client.close(seconds)
            taken.append(time.monotonic() - begin)
            self.assertEqual((stats.lost, stats.waiting), (1, 0))
            self.until(lambda: threads() == [])
        return min(taken)

    def test_close_ends_in_its_time(self):
        for seconds in 0, 0.3:
            self.assertLess(self.closing(seconds), seconds + 0.5)
        with socket.socket(socket.AF_UNIX) as s:  # takes connections and says nothing
            s.bind(self.path)
            s.listen(16)
            self.assertLess(self.closing(0.3), 0.8)

    def test_no_descriptor_is_left(self):
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with FakeDaemon(self.path):
                client = self.connect()
                self.counter.inc()
                client.flush(PATIENCE)
                client.close()
        self.until(lambda: len(os.listdir("/proc/self/fd")) <= before)

    def test_no_descriptors(self):
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        with self.daemon() as daemon:
            time.sleep(0.1)
            resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
            try:
                self.connect()
                for _ in range(1000):
                    self.counter.inc()
                self.until(lambda: self.texts("connect"))
                self.assertIn("too many open files", self.texts("connect")[0])
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            self.assertTrue(self.client.flush(PATIENCE))
            self.assertEqual(daemon.value("c_total", k="a"), 1000)

    def test_a_client_of_odd_arguments(self):
        with self.daemon():
            for arguments in ((None, 3, [1]), ("provider", b"x", {1: object()}), ("x" * 100000, "y" * 100000, {"k": "v" * 100000})):
                client = virtrigaud.Client(*arguments, path=self.path, metrics=self.metrics, interval="soon", max_bytes=10,
                                           hook=lambda *_: None)
                self.counter.inc()
                client.flush(0.1)
                client.close(0)
                self.metrics = virtrigaud.Metrics()

    def test_a_second_client_does_nothing(self):
        with self.daemon():
            self.connect()
            other = virtrigaud.Client("provider", path=self.path, metrics=self.metrics)
            other.close()
            self.counter.inc()
            self.assertTrue(self.client.flush(PATIENCE))

    def test_asyncio(self):
        async def run():
            async with virtrigaud.Client("provider", path=self.path, metrics=self.metrics) as client:
                self.counter.inc()
                self.assertTrue(await client.aflush(PATIENCE))
                self.counter.inc()
                await client.aclose(PATIENCE)
            return client.stats()

        with self.daemon() as daemon:
            self.assertEqual(asyncio.run(run()).applied, 2)
            self.assertEqual(daemon.value("c_total", k="a"), 2)

    def test_forget(self):
        with self.daemon() as daemon:
            self.connect()
            self.counter.inc()
            self.gauge.set(3, k="b")
            self.gauge.set(4)
            self.client.forget(k="a")
            self.until(lambda: self.client.flush(PATIENCE))
            self.assertEqual((daemon.value("g", k="b"), daemon.value("g", k="a"), daemon.value("c_total", k="a")), (3, None, None))


class ProcessTest(Case):
    """Child processes."""

    def fork(self, function):
        pid = os.fork()
        if pid == 0:
            try:
                function()
                sys.stdout.flush()
            finally:
                os._exit(0)
        return os.waitpid(pid, 0)[1]

    def test_children_have_their_own_connection(self):
        with self.daemon() as daemon:
            self.connect()
            self.gauge.set(1)
            for i in range(1000):
                self.counter.inc()
                if i % 100 == 0:
                    self.fork(lambda: (self.counter.inc(), self.client.close(PATIENCE)))
            self.assertTrue(self.client.flush(PATIENCE))
            self.assertEqual(daemon.value("c_total", k="a"), 1010)
            self.assertEqual(self.client.stats().sent, 1001)
            self.assertEqual(len(daemon.sessions), 11)

    def test_a_child_that_calls_nothing_starts_nothing(self):
        with self.daemon() as daemon:
            self.connect()
            self.counter.inc()
            self.client.flush(PATIENCE)
            status = self.fork(lambda: threads() and os._exit(3))
            self.assertEqual((status, len(daemon.sessions)), (0, 1))
            subprocess.run(["true"], check=True, preexec_fn=lambda: None)
            self.counter.inc()
            self.assertTrue(self.client.flush(PATIENCE))
            self.assertEqual(len(daemon.sessions), 1)

    def test_gauges_from_before_the_fork(self):
        """Of a program that forks first and has a client in each child."""
        self.gauge.set(5)
        self.metrics.gauge("g", k="merged").set(6)
        self.counter.inc()
        self.metrics.client = None
        with self.metrics.lock:
            self.metrics.merge()
        self.metrics.info("g").info(k="unmerged")
        with self.daemon() as daemon:
            self.fork(lambda: self.connect().close(PATIENCE))
            self.assertEqual([daemon.value("g", k=k) for k in ("a", "merged", "unmerged")], [5, 6, 1])
            self.assertIsNone(daemon.value("c_total", k="a"))
            self.connect().close(PATIENCE)
            self.assertEqual(daemon.value("c_total", k="a"), 1)

    def test_multiprocessing(self):
        for method in "fork", "spawn":
            with self.subTest(method=method), self.daemon() as daemon:
                script = os.path.join(self.folder, "script.py")
                with open(script, "w", encoding="utf-8") as f:
                    f.write(f"""import sys; sys.path.insert(0, {LIB!r})
import multiprocessing, virtrigaud
virtrigaud._client.EXIT_SECONDS = {PATIENCE}
counter = virtrigaud.Counter("c_total", k="a")
client = virtrigaud.Client("provider", "m", path={self.path!r})
def work(n):
    for _ in range(n):
        counter.inc()
if __name__ == "__main__":
    counter.inc()
    context = multiprocessing.get_context({method!r})
    processes = [context.Process(target=work, args=(100,)) for _ in range(3)]
    [p.start() for p in processes]
    [p.join() for p in processes]
""")
                subprocess.run([sys.executable, script], check=True, timeout=2 * PATIENCE)
                self.assertEqual(daemon.value("c_total", k="a"), 301)

    def test_process_pools(self):
        with self.daemon() as daemon:
            self.connect()
            self.counter.inc()
            with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
                list(pool.map(increment, [self.path] * 20))
            self.assertEqual(daemon.value("c_total", k="b"), 20)

    def test_the_end_of_the_program(self):
        with self.daemon() as daemon:
            for end in "", "sys.exit(3)", "raise KeyError", "pid = os.fork(); counter.inc(); pid and os.wait()":
                subprocess.run([sys.executable, "-c", f"""
import os, sys; sys.path.insert(0, {LIB!r}); import virtrigaud
virtrigaud._client.EXIT_SECONDS = {PATIENCE}
counter = virtrigaud.Counter("c_total", k="a")
client = virtrigaud.Client("provider", path={self.path!r})
counter.inc()
{end}
"""], check=False, timeout=2 * PATIENCE, stderr=subprocess.DEVNULL)
            self.assertEqual(daemon.value("c_total", k="a"), 6)

    def test_the_end_of_the_program_without_a_daemon(self):
        taken = []
        for _ in range(5):
            end = subprocess.run([sys.executable, "-c", f"""
import atexit, sys, time
sys.path.insert(0, {LIB!r})
atexit.register(lambda: print(time.monotonic() - begin))  # called last
import virtrigaud
client = virtrigaud.Client("provider", path={self.path!r})
virtrigaud.Counter("c_total").inc()
begin = time.monotonic()
"""], check=True, timeout=2 * PATIENCE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            taken.append(float(end.stdout))
        self.assertLess(min(taken), 1.5)


def increment(path):
    """In a process of a pool, which was forked while there was a client of other metrics."""
    global POOLED
    if POOLED is None:
        metrics = virtrigaud.Metrics()
        POOLED = metrics.counter("c_total", k="b"), virtrigaud.Client("provider", "pool", path=path, metrics=metrics)
    POOLED[0].inc()


POOLED = None


if __name__ == "__main__":
    unittest.main()

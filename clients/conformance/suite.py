# SPDX-License-Identifier: Apache-2.0
"""What is asserted of every client: README.md. Runs as a system test does: BUILD, SRC and TMP are set, and tests/system/lib is
in PYTHONPATH."""
import os
import resource
import signal
import socket
import sys
import threading
import time

import check
from client import Client
from daemon import BUILD, EXPORTER, SRC, TMP, Daemon

import bounds
import drivers
import trouble
from program import (BUILD_INFO, KILLS, OPERATION, SOCKET, STATE, WORDS, Program, agree, clear, kill, lose_state, operations,
                     source_up, takes)

sys.path.insert(0, os.path.join(SRC, "clients/python"))
from virtrigaud.testing import Catalog, FakeDaemon  # noqa: E402  pylint: disable=wrong-import-position

class Versions(FakeDaemon):
    """A daemon that becomes another version of itself."""

    NAMES = "new", "old", "between"  # the last knows the newer keys of a hello, and not what lines add up

    def __init__(self, version):
        self.catalogs = {name: Catalog.of_exporter(EXPORTER) for name in self.NAMES}
        for name in "old", "between":
            self.catalogs[name].fields = self.catalogs[name].fields - {"count", "values"}
        super().__init__(SOCKET)
        self.breaks, self.then = 0, version
        self.become(version)

    def become(self, version):
        self._catalog = self.catalogs[version]
        self._hello_keys = self.HELLO_KEYS if version == "old" else self.HELLO_KEYS | self.NEWER_KEYS

    def _deal(self, line, connection):
        """Some connections break after their first event, with no answer; with the last of them it becomes another version."""
        reply = super()._deal(line, connection)
        if self.breaks > 0 and line.startswith(b'{"event"'):
            self.breaks -= 1
            if self.breaks == 0:
                self.become(self.then)
            raise OSError
        return reply


class Suite:
    def __init__(self, language):
        self.language = language
        self.lacks = drivers.DRIVERS[language].lacks
        self.command = drivers.command(language, TMP)

    def program(self, before=()):
        return Program(self.command, before)

    def run(self):
        if self.command is None:
            print(f"SKIP: there is no driver for {self.language}, or nothing to build it with")
            raise SystemExit(77)
        plain = [(set(), part) for part in PLAIN_PARTS] if "stats" in self.lacks else []
        at_exit = [(set(), Suite.loses_only_the_newest_at_exit)] if "exit" in self.lacks else []
        for needed, part in PARTS + plain + at_exit:
            if self.lacks.keys() & needed:
                reason = "; ".join(sorted({self.lacks[need] for need in self.lacks.keys() & needed}))
                print(f"{self.language}: {part.__name__}: not run: {reason}", flush=True)
            else:
                clear()
                begin = time.monotonic()
                part(self)
                print(f"{self.language}: {part.__name__}: {time.monotonic() - begin:.1f} s", flush=True)

    def ends_with(self, p, calls, counted):
        """All is acknowledged, and `counted` says that each of the calls counts once; then it is closed."""
        if "stats" in self.lacks:
            check.equal("close", p.ask(f"close {check.PATIENCE}"), {"status": 0, "lost": 0})
            check.equal("each call counts once", counted(), calls)
            return
        stats = p.settled()
        agree("each call", stats)
        check.equal(f"each call counts once: {stats}", (counted(), stats["sent"], stats["lost"], stats["refused"]), (calls, calls, 0, 0))
        p.close()

    # ---- Liveness

    def comes_back(self):
        """After each way to restart the source is up soon, and its gauges and info metrics are there."""
        def is_back(d):
            seen = d.scrape()
            return (seen.value("virtrigaud_source_up", component="provider", source="live") == 1
                    and seen.value("virtrigaud_provider_tasks_inflight", provider_type="vsphere", provider="vc1") == 7
                    and seen.value("virtrigaud_build_info", **BUILD_INFO) == 1)

        started = set()  # while the daemon is away for longer a client tries less and less often, up to its longest pause
        with self.program() as p:
            for way, away in ("new", 0), ("clean", 0), ("kill", 2), ("kill and lose the state", 7):
                time.sleep(away)
                with Daemon(f"--state.file={STATE}", name="live", socket=SOCKET) as d:
                    if way == "new":
                        p.start("live")
                        p.ask("set virtrigaud_provider_tasks_inflight 3")
                        p.ask("set virtrigaud_build_info " + " ".join(f"{k}={v}" for k, v in BUILD_INFO.items()) + " 1")
                        p.ask("set virtrigaud_provider_tasks_inflight 7")
                    begin = time.monotonic()
                    check.until(f"{way}: the client is back", lambda d=d: is_back(d))
                    takes(f"{way}: the client is back", begin, 2)
                    time.sleep(0.5)
                    check.equal(f"{way}: it stays", source_up(d, "live"), 1)
                    check.equal(f"{way}: nothing is rejected, of which there is an alert",
                                d.scrape().total("virtrigaud_exporter_events_rejected_total"), 0)
                    started.add(d.value("virtrigaud_source_process_start_time_seconds", component="provider", source="live"))
                    if way.startswith("kill"):
                        kill(d)
                if way == "kill":
                    lose_state()
            p.close(1)
        check.holds(f"its process has one start, or an alert fires: {started}", len(started) == 1 and None not in started)

    # ---- Never in the way

    def is_never_in_the_way(self):
        """Handles work before, without and after a client, and none waits while the daemon stands still."""
        with self.program() as p:
            p.ask(f"event vm_operation {WORDS} 0.5")
            p.ask("set virtrigaud_queue_depth kind=VMSet 4")
            with Daemon(name="way", socket=SOCKET) as d:
                p.start("way")
                p.settled()
                check.equal("what was called before is there",
                            (operations(d), d.value("virtrigaud_queue_depth", kind="VMSet")), (1, 4))
                d.pause()
                for words in f"event vm_operation {WORDS} 0.5", "inc virtrigaud_errors_total reason=x component=provider":
                    for _ in range(3):
                        longest = p.ask(f"repeat 7000 0 {words}")["longest"]
                        takes("a call", time.monotonic() - longest, 1)
                d.signal(signal.SIGCONT)
                stats = p.settled()
                check.equal("all is applied", (operations(d), stats["sent"], stats["applied"]), (21001, 42002, 42002))
                p.close()
                p.ask(f"event vm_operation {WORDS} 0.5")
                check.equal("exit status", p.end(), 0)

    def takes_whatever_it_is_given(self):
        odd = ["%00", "%ff%fe", "%22%0a%5c", "%f0%9f%98%80", "%ed%a0%80", "x" * 300, "x" * 70000]
        begin = time.monotonic()
        with self.program() as p, Daemon(name="bad", socket=SOCKET) as d:
            p.start("bad")
            for value in odd:
                p.ask(f"inc virtrigaud_errors_total reason={value} component=provider")
                p.ask(f"event vm_operation operation={value} 1")
                p.ask(f"set {value} a=b 1")
            for number in "nan", "inf", "-inf", "-1", "1e308":
                p.ask(f"inc virtrigaud_errors_total reason=n component=provider {number}")
                p.ask(f"event vm_operation {WORDS} {number}")
                p.ask(f"set virtrigaud_queue_depth kind=n {number}")
                p.ask(f"observe virtrigaud_ip_discovery_duration_seconds {number}")
            p.ask("add virtrigaud_queue_depth kind=n 1e308")
            p.ask("inc no_such_total")
            p.ask("event no_such")
            p.ask(f"repeat 10 0 event vm_operation {WORDS} 0.25")
            stats = p.settled()
            agree("bad input", stats)
            check.equal(f"nothing waits for ever: {stats}", stats["waiting"], 0)
            check.equal("the good ones count", operations(d), 12)  # and -1 and 1e308
            check.equal("the last value of a gauge", d.value("virtrigaud_queue_depth", kind="n"), 1e308)
            check.holds(f"bad ones are refused: {stats}", stats["refused"] > 5 and stats["invalid"] >= 10)
            told = p.ask("messages")
            for text in "unknown_metric", "bad_value", "invalid":
                check.holds(f"{text} is told: {told}", any(text in t for t in told))
            tens = int(time.monotonic() - begin) // 10  # of seconds, in each of which a few are told
            check.holds(f"not too often: {len(told)}", len(told) < 25 * (1 + tens))
            p.close()

    # ---- Adds up

    def adds_up(self):
        with self.program() as p, Daemon(name="sums", socket=SOCKET) as d:
            knows_sums = self.daemon_knows_sums(d)
            p.start("sums")
            p.settled()
            before = d.scrape().total("virtrigaud_exporter_events_total")
            p.ask(f"repeat 3000 0 event vm_operation {WORDS} 0.25")
            p.ask("repeat 3000 0 event task_started")
            p.ask("repeat 3000 0 inc virtrigaud_errors_total reason=x component=provider 2")
            p.ask("repeat 3000 0 set virtrigaud_queue_depth kind=VMSet 5")
            stats = p.settled()
            seen = d.scrape()
            check.equal("values", (operations(d), seen.value("virtrigaud_errors_total", reason="x", component="provider"),
                                   seen.value("virtrigaud_queue_depth", kind="VMSet")), (3000, 6000, 5))
            check.equal("all is applied", (stats["sent"], stats["applied"]), (12000, 12000))
            lines = seen.total("virtrigaud_exporter_events_total") - before
            check.holds(f"{lines} lines for 12000 calls", lines < (500 if knows_sums else 7000))
            for value in range(6, 10):
                begin = time.monotonic()
                p.ask(f"set virtrigaud_queue_depth kind=VMSet {value}")
                check.until("it is sent by itself", lambda v=value: d.value("virtrigaud_queue_depth", kind="VMSet") == v)
                takes("it is sent by itself", begin, 1)
            p.close()

    def moves_its_own_value(self):
        """What is added to a gauge is added to the client's own value, which is sent."""
        with self.program() as p, Daemon(name="own", socket=SOCKET) as d:
            def has(what, value):
                check.until(f"{what}: {value}", lambda: d.value("virtrigaud_queue_depth", kind="VMSet") == value)

            with Client(d) as c:
                c.send({"metric": "virtrigaud_queue_depth", "labels": {"kind": "VMSet"}, "value": 100})
                c.sync()
            p.start("own")
            p.ask("add virtrigaud_queue_depth kind=VMSet 5")
            p.ask("add virtrigaud_queue_depth kind=VMSet -2")
            has("what others have set is not in it", 3)
            p.ask("add virtrigaud_queue_depth kind=VMSet 0.5")
            has("it goes on", 3.5)
            p.ask("set virtrigaud_queue_depth kind=VMSet 10")
            p.ask("add virtrigaud_queue_depth kind=VMSet -1")
            has("after a set", 9)
            if "fork" not in self.lacks:
                p.ask("fork add virtrigaud_queue_depth kind=VMSet 4")
                has("a child goes on with a copy", 13)
                p.ask("add virtrigaud_queue_depth kind=VMSet 1")
                has("which is not its parent's", 10)
            p.ask(f"close {check.PATIENCE}")

    def shows_exemplars(self):
        """The newest one, with its own value."""
        name, labels = "virtrigaud_ip_discovery_duration_seconds", "provider_type=vsphere"
        with self.program() as p, Daemon(name="exemplar", socket=SOCKET) as d:
            p.start("exemplar")
            for words in f"exemplar {name} t1 {labels} 0.3", f"exemplar {name} t2 {labels} 0.3", f"observe {name} {labels} 0.4":
                p.ask(words)
            check.until("all is there", lambda: d.value(name + "_count", provider_type="vsphere") == 3)
            _, _, text = d.request("GET", "/metrics", {"Accept": "application/openmetrics-text;version=1.0.0"})
            shown = [line.split(" # ")[1] for line in text.splitlines() if line.startswith(name) and " # " in line]
            check.equal("exemplars", [s.rsplit(" ", 1)[0] for s in shown], ['{trace_id="t2"} 0.3'])
            p.ask(f"close {check.PATIENCE}")

    def forgets(self):
        """Also what was forgotten without a daemon; what is set anew is there again."""
        def tasks(d, provider):
            return d.value("virtrigaud_provider_tasks_inflight", provider_type="vsphere", provider=provider)

        def becomes(what, d, **values):
            check.until(f"{what}: {values}", lambda: {k: tasks(d, k) for k in values} == values)

        gauge = "virtrigaud_provider_tasks_inflight provider_type=vsphere provider="
        with self.program() as p:
            with Daemon(f"--state.file={STATE}", name="forget", socket=SOCKET) as d:
                p.start("forget")
                for words in f"set {gauge}gone 3", f"set {gauge}kept 4", f"event vm_operation {WORDS} 1":
                    p.ask(words)
                p.settled()
                p.ask("forget provider=gone")
                becomes("it is forgotten", d, gone=None, kept=4)
                check.equal("others are not", operations(d), 1)
                p.ask(f"add {gauge}gone 2")
                becomes("it begins anew", d, gone=2)
                for words in "forget provider=" + "x" * 300, f"event vm_operation {WORDS} 1":
                    p.ask(words)
                check.equal("a forget that is rejected is in nobody's way", p.settled()["applied"], 5)
                check.equal("values", (operations(d), tasks(d, "gone")), (2, 2))
                kill(d)
            for words in f"set {gauge}gone 5", "forget provider=gone", f"event vm_operation {WORDS} 1":
                p.ask(words)
            for n in range(2):
                with Daemon(f"--state.file={STATE}", name=f"forgotten{n}", socket=SOCKET) as d:
                    stats = p.settled()
                    agree("forgotten", stats)
                    becomes("it is forgotten, by a new connection too", d, gone=None, kept=4)
                    check.equal("calls", (operations(d), stats["sent"], stats["lost"], stats["waiting"]), (3, 7, 0, 0))
                    kill(d)
            p.close(0)

    def records(self):
        """For unit tests: what was called, without a daemon."""
        with self.program() as p:
            p.ask("recorder")
            depth, errors = "virtrigaud_queue_depth kind=VMSet", "virtrigaud_errors_total reason=x component=provider"
            for words in f"inc {errors} 2", f"inc {errors}", f"set {depth} 4", f"add {depth} -1", \
                    "observe virtrigaud_ip_discovery_duration_seconds provider_type=vsphere 0.5":
                p.ask(words)
            for name, value in (errors, 3), (depth, 3), ("virtrigaud_queue_depth kind=VMClass", None), \
                    ("virtrigaud_ip_discovery_duration_seconds provider_type=vsphere", 1):
                check.equal(f"recorded: {name}", p.ask(f"recorded {name}"), value)

    @staticmethod
    def daemon_knows_sums(d):
        with Client(d) as c:
            c.send({"event": "task_started", "labels": {"provider_type": "x", "provider": "x"}, "count": 2})
            return c.sync()[1] == 0

    def is_bounded(self):
        """Without a daemon, calls without end: the newest are kept, and of gauges the last value."""
        with self.program() as p:
            p.start("full", "max_bytes=100000")
            p.ask(f"repeat 200000 0 event vm_operation {WORDS} 0.25")
            p.ask("set virtrigaud_queue_depth kind=VMSet 1")
            for i in range(2000):
                p.send(f"inc virtrigaud_errors_total reason=r{i} component=provider")
            for i in range(2000):
                p.answer()
            p.ask("set virtrigaud_queue_depth kind=VMSet 2")
            with open(f"/proc/{p.process.pid}/statm", encoding="ascii") as f:
                resident = int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            check.holds(f"{resident} bytes are resident", resident < 100000000)
            with Daemon(name="full", socket=SOCKET) as d:
                stats = p.settled()
                agree("a full queue", stats)
                seen = d.scrape()
                errors = sum(v for k, v in seen.samples("virtrigaud_errors_total").items() if dict(k)["reason"].startswith("r"))
                check.equal("the daemon has what is not lost", operations(d) + errors + 2, stats["applied"])
                check.equal("the gauge's last value", seen.value("virtrigaud_queue_depth", kind="VMSet"), 2)
                check.holds(f"some is lost: {stats}", stats["lost"] > 150000 and stats["sent"] == 202002)
                p.close()
                check.equal("the daemon knows", d.scrape().total("virtrigaud_exporter_client_lost_events_total"), stats["lost"])

    # ---- Exact

    def counts_once(self):
        """Kills under load, with the state file."""
        with self.program() as p:
            calls, kills = 600 * KILLS, 0
            p.start("exact")
            p.send(f"repeat {calls} 8 event vm_operation {WORDS} 0.25")
            for n in range(KILLS + 1):
                with Daemon(f"--state.file={STATE}", name=f"exact{n}", socket=SOCKET) as d:
                    if n < KILLS:
                        time.sleep(0.3)
                        # A session with a position of 0 cannot be told from one that was forgotten.
                        check.until("some are counted", lambda d=d: operations(d) > 0)
                        kill(d)
                        kills += d.process.returncode == -signal.SIGKILL
                        continue
                    p.answer()
                    stats = p.settled()
                    check.equal("kills", kills, 20 if os.environ.get("VE_LONG") else 6)
                    agree("kills", stats)
                    check.equal("each call counts once", (operations(d), stats["sent"], stats["lost"]), (calls, calls, 0))
                    p.close()

    def counts_once_with_a_full_queue(self):
        """The same with more calls than there is room for."""
        with self.program() as p:
            p.start("queue", "max_bytes=15000")
            p.ask(f"repeat 10000 0 event vm_operation {WORDS} 0.25")
            p.send(f"repeat 30000 1 event vm_operation {WORDS} 0.25")
            for n in range(KILLS + 1):
                if n % 2 == 0:
                    time.sleep(0.5)
                with Daemon(f"--state.file={STATE}", name=f"queue{n}", socket=SOCKET) as d:
                    if n < KILLS:
                        time.sleep(0.2)
                        check.until("some are counted", lambda d=d: operations(d) > 0)
                        kill(d)
                        continue
                    p.answer()
                    stats = p.settled()
                    agree("a full queue", stats)
                    check.equal("each call counts once", (operations(d), stats["sent"]), (stats["applied"], 40000))
                    check.holds(f"some is lost: {stats}", stats["lost"] > 0)
                    p.close()
                    check.equal("the daemon knows", d.scrape().total("virtrigaud_exporter_client_lost_events_total"), stats["lost"])

    def counts_once_by_its_end(self):
        """The same of a client that tells no statistics: its driver ends when all is acknowledged."""
        with self.program() as p:
            calls = 40 * KILLS
            p.start("exact")
            p.send(f"repeat {calls} 20 event vm_operation {WORDS} 0.25")
            for n in range(KILLS + 1):
                with Daemon(f"--state.file={STATE}", name=f"exact{n}", socket=SOCKET) as d:
                    if n < KILLS:
                        time.sleep(0.3)
                        check.until("some are counted", lambda d=d: operations(d) > 0)
                        kill(d)
                        continue
                    p.answer()
                    check.equal("close", p.ask(f"close {check.PATIENCE}"), {"status": 0, "lost": 0})
                    check.equal("each call counts once", operations(d), calls)

    def ends_without_a_daemon(self):
        for _ in range(3):
            with self.program() as p:
                before = p.ask("resources")
                p.start("ends")
                p.ask(f"repeat 3 0 event vm_operation {WORDS} 0.25")
                begin = time.monotonic()
                check.holds("something is lost", p.ask("close 1")["status"] != 0)
                takes("close keeps its time", begin, 2)
                check.holds("and uses it", time.monotonic() - begin > 0.5)
                check.until("nothing is left", lambda p=p, before=before: p.ask("resources") == before)
                p.ask(f"event vm_operation {WORDS} 0.25")
                check.equal("a call without a client", p.ask("close 1"), {"status": 3, "lost": 1})

    def leaves_nothing_when_killed(self):
        with Daemon(name="killed", socket=SOCKET) as d:
            p = self.program()
            p.start("killed")
            p.ask(f"repeat 10 0 event vm_operation {WORDS} 0.25")
            check.until("the source is up", lambda: source_up(d, "killed") == 1)
            p.process.kill()
            check.until("what was pushed arrives", lambda: operations(d) == 10)
            check.until("the source is gone", lambda: source_up(d, "killed") == 0)
            p.process.wait()
            p.process.stdin.close()
            check.equal("no file is left", [name for name in os.listdir(TMP) if name.startswith("tmp.")], [])

    def is_never_in_the_way_of_a_script(self):
        """It pushes before it has opened and after it has closed, and while the daemon stands still."""
        with Daemon(name="way", socket=SOCKET) as d, self.program() as p:
            p.ask(f"event vm_operation {WORDS} 0.5")
            p.start("way")
            check.until("the source is up", lambda: source_up(d, "way") == 1)
            d.pause()
            p.ask(f"repeat 50 0 event vm_operation {WORDS} 0.5")
            d.signal(signal.SIGCONT)
            check.equal("close", p.ask(f"close {check.PATIENCE}"), {"status": 0, "lost": 0})
            check.equal("what was pushed between", operations(d), 50)
            p.ask(f"event vm_operation {WORDS} 0.5")
            check.equal("exit status", p.end(), 0)

    def takes_odd_words(self):
        odd = ['"\\', "$(id)", "`id`", "\U0001f600", "'", "x" * 300, "x" * 5000, "\x1b[31m", "-1", "--nonsense", "="]
        with Daemon(name="odd", socket=SOCKET) as d, self.program() as p:
            p.start("odd")
            for value in odd:
                p.ask(f"inc virtrigaud_errors_total reason={value} component=provider 1")
                p.ask(f"event vm_operation operation={value} 1")
                p.ask(f"event {value} a=b 1")
                p.ask(f"set virtrigaud_queue_depth kind={value} {value}")
            p.ask(f"event vm_operation {WORDS} 0.25")
            end = p.ask(f"close {check.PATIENCE}")
            check.equal("some are refused", end["status"], 1)
            check.holds(f"some are not even sent: {end}", end["lost"] > len(odd))
            check.equal("the good one counts", operations(d), 1)
            for value in odd[:5]:
                check.equal(f"as it is: {value}", d.value("virtrigaud_errors_total", reason=value, component="provider"), 1)

    def loses_nothing_in_subshells(self):
        with Daemon(name="fork", socket=SOCKET) as d, self.program() as p:
            p.start("fork")
            p.ask(f"event vm_operation {WORDS} 0.25")
            for _ in range(3):
                check.equal("a subshell", p.ask(f"fork repeat 10 0 event vm_operation {WORDS} 0.25"), True)
            check.equal("close", p.ask(f"close {check.PATIENCE}"), {"status": 0, "lost": 0})
            check.equal("all of them", operations(d), 31)

    def goes_on_without_descriptors(self):
        with Daemon(name="fds", socket=SOCKET) as d, self.program() as p:
            p.ask("resources")
            _, hard = resource.prlimit(p.process.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(p.process.pid, resource.RLIMIT_NOFILE, (9, hard))
            p.start("fds")
            p.ask(f"event vm_operation {WORDS} 0.25")
            resource.prlimit(p.process.pid, resource.RLIMIT_NOFILE, (hard, hard))
            check.has("it says so", " ".join(p.ask("messages")), "no file descriptor is left")
            check.equal("close", p.ask("close 1"), {"status": 3, "lost": 1})
            p.start("fds")
            p.ask(f"event vm_operation {WORDS} 0.25")
            check.equal("it can be opened later", p.ask(f"close {check.PATIENCE}"), {"status": 0, "lost": 0})
            check.equal("values", operations(d), 1)

    def survives_an_upgrade(self):
        """The service is stopped and started, as by its package, while systemd holds the socket: calls wait, and count once."""
        with open(EXPORTER, "rb") as f:
            if b"libsystemd" not in f.read():
                return  # a build that takes no socket from systemd
        with self.program() as p, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(SOCKET)
            listener.listen(64)
            before = "bash", "-c", f'exec 3<&{listener.fileno()}; LISTEN_FDS=1 LISTEN_FDNAMES=events LISTEN_PID=$$ exec "$@"', "bash"
            calls = 100 if "stats" in self.lacks else 2000
            p.start("upgrade")
            p.send(f"repeat {calls} 8 event vm_operation {WORDS} 0.25")
            for n in range(4):
                d = Daemon(f"--state.file={STATE}", name=f"upgrade{n}", socket=SOCKET + ".unused", before=before)
                d.pass_fds = (listener.fileno(),)
                with d:
                    begin = time.monotonic()
                    check.until("the client is back", lambda d=d: source_up(d, "upgrade") == 1)
                    takes(f"upgrade {n}: the client is back", begin, 2)
                    if n == 3:
                        p.answer()
                        self.ends_with(p, calls, lambda d=d: operations(d))
                time.sleep(0.3)

    def survives_a_lost_state(self):
        with self.program() as p:
            with Daemon(f"--state.file={STATE}", name="before", socket=SOCKET) as d:
                p.start("lost")
                p.ask(f"repeat 100 0 event vm_operation {WORDS} 0.25")
                p.settled()
                check.equal("before", operations(d), 100)
                d.kill()
            p.ask(f"repeat 50 0 event vm_operation {WORDS} 0.25")
            time.sleep(0.7)
            lose_state()
            with Daemon(f"--state.file={STATE}", name="after", socket=SOCKET) as d:
                stats = p.settled()
                agree("lost state", stats)
                check.equal("what was sent after it", (operations(d), stats["sent"], stats["lost"]), (50, 150, 0))
                p.close()

    def loses_nothing_in_children(self):
        with self.program() as p, Daemon(name="fork", socket=SOCKET) as d:
            p.start("fork")
            p.ask(f"event vm_operation {WORDS} 0.25")
            for _ in range(5):
                check.equal("a child", p.ask(f"fork event vm_operation {WORDS} 0.25"), True)
                check.equal("a child that does more", p.ask(f"fork repeat 100 0 event vm_operation {WORDS} 0.25"), True)
            stats = p.settled()
            check.equal("parent and children", (operations(d), stats["sent"]), (506, 1))
            p.close()

    def loses_nothing_at_exit(self):
        with Daemon(name="exit", socket=SOCKET) as d:
            for n in range(1, 4):
                with self.program() as p:
                    p.start("exit")
                    p.ask(f"event vm_operation {WORDS} 0.25")
                    p.send("exit")
                    check.equal("exit status", p.end(), 0)
                check.until("it is there", lambda n=n: operations(d) == n)

    def loses_only_the_newest_at_exit(self):
        """Of a client whose language has no end of a program that it could wait at: what was called before is there, what was
        called just before is there or not, and counts for nobody else."""
        with Daemon(name="exit", socket=SOCKET) as d:
            for n in range(3):
                before = operations(d)
                with self.program() as p:
                    p.start("exit")
                    p.ask(f"event vm_operation {WORDS} 0.25")
                    check.until("it is sent by itself", lambda b=before: operations(d) == b + 1)
                    p.ask(f"event vm_operation {WORDS} 0.25")
                    p.send("exit")
                    check.equal("exit status", p.end(), 0)
                check.until("the source is gone", lambda: source_up(d, "exit") == 0)
                check.holds(f"end {n}: {before}, then {operations(d)}", before + 1 <= operations(d) <= before + 2)

    # ---- Tells

    def tells(self):
        with self.program() as p:
            p.start("tells")
            told = []

            def has(text):
                told.extend(p.ask("messages"))
                return any(text in t for t in told)

            check.until(f"there is no daemon: {told}", lambda: has("cannot connect"))
            for n in range(2):
                with Daemon(f"--state.file={STATE}", name="tells", socket=SOCKET) as d:
                    p.ask("inc no_such_total")
                    refused = "unknown_metric: the" if "stats" in self.lacks else "refused: unknown_metric"
                    check.until(f"a refused line is told: {told}", lambda text=refused: has(text))
                    if n == 1:
                        check.until(f"it is back: {told}", lambda: has("connected again, 0 lost"))
                    kill(d)
            p.close(0)

    def tells_why_it_may_not(self):
        with Daemon(name="group", socket=SOCKET):
            os.chmod(SOCKET, 0)
            with self.program(("setpriv", "--bounding-set=-all", "--inh-caps=-all")) as p:
                p.start("tells")
                told = []
                check.until(f"it is told: {told}", lambda: told.extend(p.ask("messages")) or
                            any("permission denied" in t and "group is root" in t for t in told))
                os.chmod(SOCKET, 0o660)
                if "stats" in self.lacks:
                    check.until(f"it is back: {told}", lambda: told.extend(p.ask("messages")) or any("connected to" in t for t in told))
                else:
                    p.settled()
                p.close(1)

    # ---- Ends

    def ends(self):
        for _ in range(3):
            with self.program() as p:
                before = p.ask("resources")
                p.start("ends")
                p.ask(f"event vm_operation {WORDS} 0.25")
                time.sleep(0.85)  # it has failed a few times, and is about to wait for longer than close may
                begin = time.monotonic()
                stats = p.close(0.3)
                takes("close keeps its time", begin, 0.5)
                agree("closed without a daemon", stats)
                check.equal("what waited is lost", (stats["lost"], stats["waiting"]), (1, 0))
                check.until("nothing is left", lambda p=p, before=before: p.ask("resources") == before)

    def has_no_descriptors(self):
        with self.program() as p, Daemon(name="fds", socket=SOCKET) as d:
            opened = max(map(int, os.listdir(f"/proc/{p.process.pid}/fd"))) + 1
            p.ask("resources")
            _, hard = resource.prlimit(p.process.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(p.process.pid, resource.RLIMIT_NOFILE, (opened, hard))
            p.start("fds")
            p.ask(f"repeat 100 0 event vm_operation {WORDS} 0.25")
            time.sleep(0.5)
            resource.prlimit(p.process.pid, resource.RLIMIT_NOFILE, (hard, hard))
            p.settled()
            check.equal("it connects later", operations(d), 100)
            p.close()

    # ---- Versions

    def speaks_to_older_daemons(self):
        """Daemons that do not know sums, or not the newer keys of a hello either, and that change while it runs."""
        daemon = Versions("old")
        with self.program() as p:
            calls = 60 if "stats" in self.lacks else 12000
            p.start("older")
            p.send(f"repeat {calls} 3 event vm_operation {WORDS} 0.25")
            answer = []
            thread = threading.Thread(target=lambda: answer.append(p.answer()))
            thread.start()
            while thread.is_alive():
                for version in "old", "new", "between":
                    daemon.become(version)
                    daemon.start()
                    time.sleep(0.5)
                    daemon.stop(answers=True)
            with daemon:
                self.ends_with(p, calls, lambda: daemon.value("virtrigaud_vm_operations_total", **OPERATION))

    def infers_nothing_from_the_next_daemon(self):
        """A daemon deals with a first line, three times, and its answers are lost; then another one goes on. What became of
        these three calls is unknown: none is sent again, so none counts twice."""
        for first in Versions.NAMES:
            for then in Versions.NAMES:
                daemon = Versions(first)
                daemon.breaks, daemon.then = 3, then
                with self.program() as p, daemon:
                    p.ask(f"repeat 200 0 event vm_operation {WORDS} 0.25")
                    p.start("replaced")
                    stats = p.settled()
                    p.close()
                found = daemon.value("virtrigaud_vm_operations_total", **OPERATION)
                check.equal(f"{first}, then {then}: {stats}", (daemon.breaks, found), (0, 197 if first == "between" else 200))
                check.equal(f"{first}, then {then}", (stats["applied"], stats["refused"], stats["lost"]), (200, 0, 0))
                check.holds(f"{first}, then {then}: no line that it does not know: {daemon.refusals}", "between" in (first, then)
                            or all(r.reason != "unknown_field" for r in daemon.refusals))

    def says_nothing_wrong(self):
        """Every line fits the catalogue."""
        daemon = FakeDaemon(SOCKET, Catalog.of_exporter(EXPORTER))
        with daemon, self.program() as p:
            p.start("lines")
            for _ in range(3):
                p.ask(f"event vm_operation {WORDS} 0.5")
                p.ask("event task_started")
                p.ask("event rpc method=Create code=OK 0.25")
                p.ask("inc virtrigaud_errors_total reason=x component=provider")
                p.ask("set virtrigaud_provider_tasks_inflight 3")
                p.ask("add virtrigaud_provider_tasks_inflight -1")
                p.ask("observe virtrigaud_ip_discovery_duration_seconds 3")
            p.ask(f"close {check.PATIENCE}")
            check.until("all is there", lambda: daemon.value("virtrigaud_errors_total", reason="x", component="provider") == 3)
            check.equal("refusals", daemon.refusals, [])


PARTS = [
    (set(), Suite.says_nothing_wrong),
    (set(), Suite.comes_back),
    ({"stats"}, Suite.is_never_in_the_way),
    ({"stats", "bytes"}, Suite.takes_whatever_it_is_given),
    ({"sums"}, Suite.adds_up),
    (set(), Suite.moves_its_own_value),
    (set(), Suite.shows_exemplars),
    ({"forget"}, Suite.forgets),
    ({"recorded"}, Suite.records),
    ({"max_bytes"}, Suite.is_bounded),
    ({"max_bytes"}, bounds.keeps_its_gauges),
    ({"max_bytes"}, bounds.tells_how_much_is_lost),
    ({"stats"}, Suite.counts_once),
    ({"max_bytes"}, Suite.counts_once_with_a_full_queue),
    (set(), Suite.survives_an_upgrade),
    ({"stats"}, Suite.survives_a_lost_state),
    ({"fork", "stats"}, Suite.loses_nothing_in_children),
    ({"exit"}, Suite.loses_nothing_at_exit),
    ({"messages"}, Suite.tells),
    ({"messages"}, Suite.tells_why_it_may_not),
    ({"messages"}, trouble.tells_what_is_wrong),
    ({"stats", "clock"}, trouble.outlives_jumps_of_the_clock),
    ({"stats"}, trouble.outlives_a_full_disk),
    ({"stats"}, trouble.loses_its_descriptors),
    ({"resources", "stats"}, Suite.ends),
    ({"stats"}, Suite.has_no_descriptors),
    (set(), Suite.speaks_to_older_daemons),
    ({"stats"}, Suite.infers_nothing_from_the_next_daemon),
]


# Of a client that tells no statistics.
PLAIN_PARTS = [Suite.counts_once_by_its_end, Suite.ends_without_a_daemon, Suite.leaves_nothing_when_killed,
               Suite.is_never_in_the_way_of_a_script, Suite.takes_odd_words, Suite.loses_nothing_in_subshells,
               Suite.goes_on_without_descriptors]


def main(language):
    Suite(language).run()

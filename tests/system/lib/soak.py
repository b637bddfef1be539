# SPDX-License-Identifier: Apache-2.0
"""Who sends, and who scrapes, while a daemon is tormented; and what must be there in the end."""
import collections
import copy
import http.client
import os
import random
import re
import subprocess
import threading
import time

import check
import exposition
from client import Client, line
from daemon import EMIT

CATALOG = """
labels:
  shape: {{values: [round, square], closed: true}}
metrics:
  - {{name: a_total, type: counter, help: "{help}", component: any, labels: [who, what]}}
  - {{name: h_seconds, type: histogram, help: h, component: any, labels: [who], buckets: [1, 4]}}
  - {{name: shaped_total, type: counter, help: h, component: any, labels: [who, shape]}}
  - {{name: g, type: gauge, help: h, component: any, labels: [who]}}
events:
  - {{name: e, labels: [who, shape], value: seconds, updates: [{{add: shaped_total}}, {{observe: h_seconds}}]}}
"""
REFUSED = (
    {"metric": "no", "value": 1}, {"event": "e", "labels": {"who": "x", "shape": "flat"}, "value": 1},
    {"metric": "a_total", "labels": {"who": "x", "what": "y"}, "value": -1}, "nul", b"\xff\n",
)
# virtrigaud-emit does not let these through.
REFUSED_RAW = REFUSED + ("{", "[]", b'"' + b"x" * 70000 + b"\"\n")
OWN = "virtrigaud_exporter_"


class Tally:
    """What one sender's lines came to."""

    def __init__(self):
        self.applied = self.rejected = self.lost = 0
        self.values = collections.Counter()  # (sample, labels) -> value

    def add(self, name, value, **labels):
        self.values[(name, tuple(sorted(labels.items())))] += value

    def observe(self, who, value):
        for le in ("1", "4", "+Inf"):
            self.add("h_seconds_bucket", value <= float(le), who=who, le=le)
        self.add("h_seconds_count", 1, who=who)
        self.add("h_seconds_sum", value, who=who)

    def settle(self, effect):
        """The daemon has dealt with a line that has this effect."""
        kind, who, *rest = effect
        if kind == "refused":
            self.rejected += 1
            return
        self.applied += 1
        if kind == "a":
            self.add("a_total", rest[1], who=who, what=rest[0])
        elif kind == "g":
            self.values[("g", (("who", who),))] = rest[0]
        else:
            self.observe(who, rest[1])
            if kind == "e":
                self.add("shaped_total", 1, who=who, shape=rest[0])


def make_line(rng, who, number, refused):
    """A line, and its effect."""
    kind = rng.choice("aaaeeehhgr")
    value = rng.randrange(1, 8)
    if kind == "r":
        return line(rng.choice(refused)), ("refused", who)
    if kind == "a":
        what = f"w{rng.randrange(min(200, 1 + number // 20))}"
        text = {"metric": "a_total", "labels": {"who": who, "what": what}, "value": value}
        return line(text), ("a", who, what, value)
    if kind == "g":
        return line({"metric": "g", "labels": {"who": who}, "value": number}), ("g", who, number)
    if kind == "h":
        return line({"metric": "h_seconds", "labels": {"who": who}, "value": value}), ("h", who, value, value)
    shape = rng.choice(("round", "square"))
    return line({"event": "e", "labels": {"who": who, "shape": shape}, "value": value}), ("e", who, shape, value)


class Sender:
    """Sends until it is told to rest, and keeps its tally."""

    def __init__(self, torment, component, who, seed):
        self.torment, self.component, self.who = torment, component, who
        self.rng = random.Random(f"{seed} {who}")
        self.tally, self.saved = Tally(), Tally()  # what is left after a loss
        self.saved_ident = None  # of the session that is left
        self.sent = self.gone = self.breaks = 0
        self.going, self.resting, self.ends = threading.Event(), threading.Event(), False
        self.trouble = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while not self.ends:
                if self.going.is_set():
                    self.work()
                else:
                    self.finish()
                    self.resting.set()
                    self.going.wait(0.05)
            self.close()
        except BaseException as e:  # pylint: disable=broad-except
            self.trouble = e
            self.resting.set()

    def rest(self):
        """Asks it to have everything dealt with, and to wait then: `resting`."""
        self.resting.clear()
        self.going.clear()

    def save(self):
        """What it has sent so far is safe; all that comes may be taken back by the next loss."""
        self.saved, self.saved_ident = copy.deepcopy(self.tally), self.ident

    def forget(self):
        """Nothing is safe."""
        self.saved, self.saved_ident = Tally(), None

    def end(self):
        self.ends = True
        self.thread.join(60)
        check.holds(f"{self.who} ends: {self.trouble}", self.trouble is None and not self.thread.is_alive())


class SessionSender(Sender):
    """A session that breaks off where it likes."""

    def __init__(self, *what):
        self.client, self.epoch = None, 0
        self.kept = collections.deque()  # (line, effect) that may not have been dealt with
        self.begin_session()
        super().__init__(*what)

    def begin_session(self, lost=0):
        self.ident, self.fresh, self.lost = os.urandom(8).hex(), True, lost
        self.done = 0  # lines before those kept
        self.written = 0  # of those kept, on any connection
        self.pushed = 0  # of them, on this one

    def connect(self):
        self.close()
        self.client = Client(self.torment.socket)
        epoch = self.torment.epoch
        reply = self.client.ask({"hello": {"component": self.component, "instance": self.who, "session": self.ident,
                                           "lost": self.lost}})
        if reply is None:
            raise ConnectionError("no answer to the hello")
        check.holds(f"the hello of {self.who} is accepted: {reply}", "hello" in reply)
        position, known = reply["hello"]["applied"], reply["hello"]["known"]
        if position < self.done or not (known or self.fresh):
            self.lose(epoch, position)
            return
        if self.fresh:
            self.tally.lost += self.lost
        self.fresh, self.epoch = False, epoch
        self.dealt_with(position)
        self.base, self.pushed = position, 0

    def lose(self, epoch, position):
        """What was dealt with since it was saved is gone, and what is under way is lost."""
        check.holds(f"{self.who} lost nothing without a cause: {position} of {self.done}, session {self.ident}",
                    self.epoch < epoch)
        self.gone += self.tally.applied + self.tally.rejected + self.tally.lost
        self.tally = copy.deepcopy(self.saved)
        if self.ident != self.saved_ident:
            self.tally.lost += self.lost  # this hello has told it anew
        self.gone -= self.tally.applied + self.tally.rejected + self.tally.lost
        for _ in range(self.written):
            self.kept.popleft()
        self.begin_session(lost=self.written)
        self.epoch = epoch
        raise ConnectionError("the session is forgotten")

    def dealt_with(self, position):
        check.holds(f"{self.who}: {self.done} <= {position} <= {self.done + self.written}",
                    self.done <= position <= self.done + self.written)
        for _ in range(position - self.done):
            self.tally.settle(self.kept.popleft()[1])
        self.written -= position - self.done
        self.pushed = max(0, self.pushed - (position - self.done))
        self.done = position

    def push(self):
        text = b"".join(text for text, _ in list(self.kept)[self.pushed:])
        self.pushed = self.written = len(self.kept)
        self.client.socket.sendall(text)

    def sync(self):
        self.client.send({"sync": 0})
        while "sync" not in (reply := self.client.reply() or {}):
            if not reply:
                raise ConnectionError("no answer to the sync")
        self.dealt_with(self.base + reply["applied"] + reply["rejected"])

    def work(self):
        for _ in range(self.rng.randrange(100)):
            self.kept.append(make_line(self.rng, self.who, self.sent, REFUSED_RAW))
            self.sent += 1
        try:
            if self.client is None:
                self.connect()
            self.push()
            dice = self.rng.randrange(20)
            if dice < 8 or len(self.kept) > 5000:
                self.sync()
            elif dice == 8:
                self.client.send(b'{"metric":"a_total","labels":{')  # half a line, which must not count
                self.close()
            elif dice == 9:
                self.close()
            time.sleep(0.002)
        except OSError:
            self.break_off()

    def finish(self):
        until = time.monotonic() + 30
        while self.kept or self.fresh or self.epoch < self.torment.epoch:
            try:
                self.connect()
                self.push()
                self.sync()
            except OSError:
                self.break_off()
            check.holds(f"{self.who} gets rid of its lines", time.monotonic() < until)

    def break_off(self):
        self.breaks += 1
        self.close()
        time.sleep(0.01)

    def close(self):
        if self.client is not None:
            self.client.close()
            self.client = None


class EmitSender(Sender):
    """Feeds virtrigaud-emit, and looks at its account when it has ended. Rests before anything can be lost."""

    def __init__(self, *what):
        self.process, self.effects, self.ident = None, [], None
        super().__init__(*what)

    def work(self):
        if self.process is None:
            self.process = subprocess.Popen(
                [EMIT, "--socket", self.torment.socket, "--component", self.component, "--instance", self.who, "--session"],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            self.said = []
            self.reader = threading.Thread(target=lambda: self.said.extend(self.process.stderr), daemon=True)
            self.reader.start()
        for _ in range(self.rng.randrange(100)):
            text, effect = make_line(self.rng, self.who, self.sent, REFUSED)
            self.process.stdin.write(text)
            self.effects.append(effect)
            self.sent += 1
        self.process.stdin.flush()
        time.sleep(0.002)

    def finish(self):
        if self.process is None:
            return
        self.process.stdin.close()
        status = self.process.wait(60)
        self.reader.join()
        self.process.stderr.close()
        check.holds(f"status of virtrigaud-emit is {status}: {self.who} {self.sent} {self.said}", status in (0, 1))
        self.process = None
        for effect in self.effects:
            self.tally.settle(effect)
        self.effects = []

    def close(self):
        pass


class Scraper:
    """Scrapes without end, in all forms; counts never go back but where something was lost."""

    def __init__(self, torment):
        self.torment, self.ends, self.trouble = torment, False, None
        self.good = self.busy = self.failed = 0
        self.seen, self.epoch = {}, 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while not self.ends:
                self.scrape()
                time.sleep(0.05)
        except BaseException as e:  # pylint: disable=broad-except
            self.trouble = e

    def scrape(self):
        epoch, daemon = self.torment.epoch, self.torment.daemon
        try:
            status, _, body = daemon.request("GET", "/metrics")
        except (OSError, http.client.HTTPException):
            self.failed += 1
            time.sleep(0.05)
            return
        if status != 200:
            check.equal("another answer", status, 503)
            self.busy += 1
            return
        now = {k: v for k, v in series(exposition.parse(body)).items() if k[0] != "g"}
        if epoch == self.epoch == self.torment.epoch:
            for key, value in now.items():
                check.holds(f"{key} does not fall from {self.seen.get(key)} to {value}", value >= self.seen.get(key, 0))
        self.seen, self.epoch = now, epoch
        self.good += 1

    def end(self):
        self.ends = True
        self.thread.join(60)
        check.holds(f"the scraper is well: {self.trouble}", self.trouble is None and not self.thread.is_alive())


def account(shown, component):
    """[applied, rejected, lost]"""
    rejected = shown.samples(OWN + "events_rejected_total")
    return [int(shown.value(OWN + "events_total", component=component)),
            int(sum(n for labels, n in rejected.items() if dict(labels)["component"] == component)),
            int(shown.value(OWN + "client_lost_events_total", component=component))]


def series(shown):
    return {k: v for f in shown.families.values() if not f.name.startswith(("virtrigaud_", "process_"))
            for k, v in f.samples.items()}


def compare(shown, senders):
    """All that a scrape shows is what the lines came to, to the last one."""
    wanted, accounts = {}, {}
    for s in senders:
        wanted.update(s.tally.values)
        accounts.setdefault(s.component, [0, 0, 0])
        for i, n in enumerate((s.tally.applied, s.tally.rejected, s.tally.lost)):
            accounts[s.component][i] += n
    found = series(shown)
    for component, sums in accounts.items():
        found[component], wanted[component] = account(shown, component), sums
    differences = [f"{key} is {found.get(key)}, wanted {wanted.get(key)}" for key in found.keys() | wanted.keys()
                   if found.get(key) != wanted.get(key)]
    check.equal("differences", differences, [])

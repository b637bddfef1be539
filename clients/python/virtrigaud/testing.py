# SPDX-License-Identifier: Apache-2.0
"""For unit tests of programs that use virtrigaud.

    recorder = Recorder()                       # instead of a client
    handle_request()
    assert recorder.value("virtrigaud_errors_total", component="provider", reason="get-vm") == 1

    with FakeDaemon(path, Catalog.of_exporter()) as daemon:     # speaks the protocol
        ...
    assert not daemon.refusals

A recorder takes what handles of its metrics are called with. With a catalogue it applies events to metrics, and keeps in
`refusals` what the daemon would refuse. A fake daemon does the same for any client, whatever its language:
`python3 -m virtrigaud.testing [CATALOG.json] -- PROGRAM...` runs a program's test against one, whose socket is in
VIRTRIGAUD_EVENTS_SOCKET: it fails when the test does, when a line is refused, and when none is sent. Without a file the
catalogue is that of virtrigaud-exporter in PATH. `python3 -m virtrigaud.testing SOCKET [CATALOG.json]` prints each line that it
gets, and what is wrong with it."""
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

from . import _text
from ._catalog import Catalog, Reject, Update, parse
from ._handles import Metrics, default
from ._sender import line_of
from ._store import Chunk, EVENT, Gauged

__all__ = ["Catalog", "FakeDaemon", "Recorder", "Refusal", "Reject"]

Key = Tuple[str, Tuple[Tuple[str, str], ...]]


class Refusal(NamedTuple):
    reason: str
    detail: str
    line: str


class Values:
    """Series and their values. Of a histogram or an event the observed ones are kept."""

    def __init__(self) -> None:
        self.sums: Dict[Key, float] = {}
        self.observed: Dict[Key, List[float]] = {}

    def apply(self, update: Update) -> None:
        key = update.metric, update.labels
        if update.op == "observe":
            self.observed.setdefault(key, []).extend(update.values)
        elif update.op == "set":
            self.sums[key] = update.values[-1]
        else:
            self.sums[key] = self.sums.get(key, 0) + sum(update.values)

    def value(self, name: str, **labels: Any) -> Optional[float]:
        """Of a counter or gauge; how often, of an event or histogram. None when there is no such series. The labels are all
        that the series has."""
        key = name, _text.label_pairs(labels)
        found = [self.sums[key]] if key in self.sums else []
        if key in self.observed:
            found.append(len(self.observed[key]))
        return sum(found) if found else None

    def observations(self, name: str, **labels: Any) -> List[float]:
        return list(self.observed.get((name, _text.label_pairs(labels)), ()))


class Recorder:
    """Takes the place of a client."""

    def __init__(self, metrics: Optional[Metrics] = None, catalog: Optional[Catalog] = None,
                 labels: Optional[Dict[str, str]] = None) -> None:
        self._metrics: Metrics = default if metrics is None else metrics
        if self._metrics.client is not None:
            raise RuntimeError("these metrics have a client")
        self._metrics.put = self._metrics.enqueue
        self._catalog, self._labels = catalog, labels or {}
        self.reset()

    def reset(self) -> None:
        """Forgets all."""
        with self._metrics.lock:
            self._metrics.merge()
            self._metrics.abandon()
            self._metrics.notices.clear()
        self._values = Values()
        self._refusals: List[Refusal] = []

    def _take(self) -> None:
        metrics = self._metrics
        with metrics.lock:
            metrics.merge()
            for pending in metrics.take():
                self._apply(pending)
                metrics.settle(pending, "applied")
            while metrics.notices:
                _, text = metrics.notices.popleft()
                self._refusals.append(Refusal("invalid", text, ""))

    def _apply(self, pending: Any) -> None:
        series = pending.series
        if self._catalog is not None:
            text = line_of(pending).text.decode()
            try:
                for update in self._catalog.updates(json.loads(text), self._labels):
                    self._values.apply(update)
            except Reject as refusal:
                self._refusals.append(Refusal(refusal.reason, refusal.detail, text.rstrip("\n")))
        elif isinstance(pending, Chunk):
            self._values.apply(Update(series.name, series.labels, "observe", list(pending.values)))
        elif isinstance(pending, Gauged):
            self._values.apply(Update(series.name, series.labels, "set", [pending.value]))
        else:
            self._values.apply(Update(series.name, series.labels, "add", [pending.amount]))
            if series.kind == EVENT:
                self._values.observed.setdefault((series.name, series.labels), [])

    def value(self, name: str, **labels: Any) -> Optional[float]:
        """See Values.value(). Without a catalogue `name` may be an event's."""
        self._take()
        return self._values.value(name, **labels)

    def observations(self, name: str, **labels: Any) -> List[float]:
        self._take()
        return self._values.observations(name, **labels)

    @property
    def refusals(self) -> List[Refusal]:
        """What the client or the catalogue would refuse."""
        self._take()
        return self._refusals


class _Connection:
    def __init__(self, s: socket.socket) -> None:
        self.socket = s
        self.hello: Optional[Dict[str, Any]] = None
        self.numbered = self.applied = self.rejected = 0

    def session(self) -> Optional[str]:
        return self.hello.get("session") if self.hello else None


class FakeDaemon:
    """Listens at `path` as the daemon does, with its sessions, and checks lines against the catalogue, if there is one. What it
    keeps outlives stop() and start(), as with a state file."""

    HELLO_KEYS = {"component", "instance", "labels", "session", "lost"}
    NEWER_KEYS = {"interval", "transient"}

    def __init__(self, path: str, catalog: Optional[Catalog] = None, is_old: bool = False) -> None:
        self.path, self._catalog = path, catalog
        self._hello_keys = self.HELLO_KEYS if is_old else self.HELLO_KEYS | self.NEWER_KEYS
        self._is_old = is_old  # knows neither count nor values nor the newer keys of a hello
        self.values = Values()
        self.lines: List[str] = []  # that were applied
        self.refusals: List[Refusal] = []
        self.hellos: List[Dict[str, Any]] = []
        self.pings = 0
        self.sessions: Dict[str, List[int]] = {}  # ID -> position, lost
        self.break_one_in = 0  # lines and replies, at random
        self._lock = threading.Lock()
        self._listener: Optional[socket.socket] = None
        self._connections: Set[socket.socket] = set()
        self._holders: Dict[str, socket.socket] = {}  # of sessions

    def start(self) -> "FakeDaemon":
        if os.path.exists(self.path):
            os.unlink(self.path)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(16)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def stop(self, answers: bool = False) -> None:
        """All connections break, as with kill -9; or first what was dealt with is answered."""
        with self._lock:
            listener, self._listener = self._listener, None
            connections, self._connections = self._connections, set()
            for s in (*([listener] if listener else []), *connections):
                try:
                    s.shutdown(socket.SHUT_RD if answers and s is not listener else socket.SHUT_RDWR)
                except OSError:
                    pass
            if listener is not None:
                listener.close()
        if os.path.exists(self.path):
            os.unlink(self.path)

    def __enter__(self) -> "FakeDaemon":
        return self.start()

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def value(self, name: str, **labels: Any) -> Optional[float]:
        """Needs a catalogue."""
        with self._lock:
            return self.values.value(name, **labels)

    def lost(self) -> int:
        return sum(lost for _, lost in self.sessions.values())

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                s = listener.accept()[0]
            except OSError:
                return
            with self._lock:
                self._connections.add(s)
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s: socket.socket) -> None:
        connection = _Connection(s)
        with s, s.makefile("rb") as lines:
            try:
                for line in lines:
                    with self._lock:
                        is_alive = s in self._connections and line.endswith(b"\n")
                        reply = self._deal(line[:-1], connection) if is_alive else None
                    is_cut = self.break_one_in and random.randrange(self.break_one_in) == 0
                    if not is_alive or is_cut:
                        break
                    if reply is not None:
                        s.sendall(json.dumps(reply).encode() + b"\n")
                        if "error" in reply and b'{"hello"' in line:
                            break
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        with self._lock:
            self._connections.discard(s)

    def _deal(self, line: bytes, connection: _Connection) -> Optional[Dict[str, Any]]:
        connection.numbered += 1
        try:
            value = parse(line)
            if {"hello", "sync", "ping", "forget"} & set(value):
                return self._control(value, connection)
        except Reject as refusal:
            if refusal.reason == "bad_control":
                return self._refuse(refusal, line, connection)
            value = refusal
        session = connection.session()
        if session is not None:
            self.sessions[session][0] += 1
        try:
            if isinstance(value, Reject):
                raise value
            if self._catalog is not None:
                for update in self._catalog.updates(value, (connection.hello or {}).get("labels")):
                    self.values.apply(update)
            elif self._is_old and {"count", "values"} & set(value):
                raise Reject("unknown_field", "there is no such key")
        except Reject as refusal:
            return self._refuse(refusal, line, connection)
        connection.applied += 1
        self.lines.append(line.decode())
        return None

    def _refuse(self, refusal: Reject, line: bytes, connection: _Connection) -> Dict[str, Any]:
        connection.rejected += 1
        self.refusals.append(Refusal(refusal.reason, refusal.detail, line.decode(errors="replace")))
        return {"error": refusal.reason, "line": connection.numbered, "detail": refusal.detail}

    def _control(self, value: Dict[str, Any], connection: _Connection) -> Dict[str, Any]:
        if len(value) != 1:
            raise Reject("bad_control", "a control line has one key")
        key, what = next(iter(value.items()))
        if key == "ping":
            self.pings += 1
            return {"ping": what}
        if key == "sync":
            return {"sync": what, "applied": connection.applied, "rejected": connection.rejected}
        if key == "forget":
            return {"forget": {"series": self._forget(what["labels"])}}
        return self._hello(what, connection)

    def _forget(self, labels: Dict[str, str]) -> int:
        tables: List[Dict[Key, Any]] = [self.values.sums, self.values.observed]
        gone = [(table, k) for table in tables for k in table if labels.items() <= dict(k[1]).items()]
        for table, key in gone:
            del table[key]
        return len(gone)

    def _hello(self, hello: Dict[str, Any], connection: _Connection) -> Dict[str, Any]:
        is_known = True
        if not set(hello) <= self._hello_keys:
            raise Reject("bad_control", "a hello has no such key")
        if connection.hello is None:
            if self._catalog is not None and hello.get("component") not in self._catalog.components:
                raise Reject("bad_control", "no such component")
            connection.hello = hello
            self.hellos.append(hello)
            is_known = "session" not in hello or hello["session"] in self.sessions
        session = connection.session()
        position = connection.applied
        if session is not None:
            holder, self._holders[session] = self._holders.get(session), connection.socket
            if holder is not None and holder is not connection.socket:
                self._connections.discard(holder)  # it is read no further
            kept = self.sessions.setdefault(session, [0, 0])
            kept[1] = max(kept[1], hello.get("lost", 0))
            position = kept[0]
        return {"hello": {"protocol": 1, "applied": position, "known": is_known}}


def check_program(command: List[str], catalog: Catalog) -> int:
    """Runs a program against a fake daemon. Returns its exit status; 1 when a line of its is refused, or it sent none."""
    with tempfile.TemporaryDirectory() as folder, FakeDaemon(folder + "/events.sock", catalog) as daemon:
        status = subprocess.run(command, env={**os.environ, "VIRTRIGAUD_EVENTS_SOCKET": daemon.path}, check=False).returncode
    for refusal in daemon.refusals:
        print(f"REFUSED {refusal.reason}: {refusal.detail}: {refusal.line}", file=sys.stderr)
    if not daemon.lines and not daemon.refusals:
        print("the program has sent nothing", file=sys.stderr)
    return status or int(bool(daemon.refusals) or not daemon.lines)


def show_lines(path: str, catalog: Optional[Catalog]) -> None:
    seen = refused = 0
    with FakeDaemon(path, catalog) as daemon:
        while True:
            threading.Event().wait(0.2)
            for line in daemon.lines[seen:]:
                print(line, flush=True)
                seen += 1
            for refusal in daemon.refusals[refused:]:
                print(f"REFUSED {refusal.reason}: {refusal.detail}: {refusal.line}", flush=True)
                refused += 1


def main() -> int:
    before, command = sys.argv[1:], []
    if "--" in before:
        at = before.index("--")
        before, command = before[:at], before[at + 1:]
    catalog = None
    if len(before) > (0 if command else 1):
        with open(before[-1], encoding="utf-8") as f:
            catalog = Catalog(json.load(f))
    if command:
        return check_program(command, catalog or Catalog.of_exporter())
    show_lines(before[0], catalog)
    return 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""Pushes metrics and events to virtrigaud-exporter. One file, Python's own library alone: copy it.

    import virtrigaud

    v = virtrigaud.Client("provider", "vc1", labels={"provider_type": "vsphere", "provider": "vc1"})
    v.add("virtrigaud_errors_total", reason="ConnectionFailed", component="provider")
    v.set("virtrigaud_provider_tasks_inflight", 3)
    v.event("rpc", 0.84, method="Create", code="OK")
    with v.timer("ip_discovered"):
        wait_for_ip()
    print(v.close())

Calls put a line into a queue and return: they never wait for the daemon. A thread sends the lines, batch by batch,
in a session: what was sent and not acknowledged is sent again after a break from where the daemon had come to, so
that every line counts once, whichever side restarts the connection. When the queue is full, new lines are dropped;
`lost` counts them, and the daemon is told. The labels of the client stand in for those that a call leaves out.

Not a number and infinity raise ValueError; what else does not fit the catalogue is refused by the daemon, and counted.

Account: every line is at any time in one of applied, rejected, unknown (dealt with once, the answer got lost),
lost and waiting. Protocol: virtrigaud-events(7)."""
import collections
import json
import os
import secrets
import socket
import threading
import time

SOCKET = "/run/virtrigaud-exporter/events.sock"
BATCH = 200  # lines between two acknowledgements
ANSWER_SECONDS = 30
RETRY_FIRST, RETRY_LAST = 0.1, 10.0


class _Doubt(Exception):
    """The daemon does not know the session, or counts otherwise than we do."""


class Client:
    def __init__(self, component, instance, labels=None, path=None, limit=10000):
        self._path = path or os.environ.get("VIRTRIGAUD_EVENTS_SOCKET") or SOCKET
        self._hello = {"component": component, "instance": instance}
        if labels:
            self._hello["labels"] = labels
        self._limit = limit
        self._change = threading.Condition()  # guards what follows up to the blank line
        self._queue = collections.deque()  # lines that are not acknowledged
        self._lost = 0
        self._closing = False
        self._account = {"applied": 0, "rejected": 0, "unknown": 0}

        # The thread's own.
        self._session, self._fresh = secrets.token_hex(16), True
        self._unheard = False  # the answer to the session's last hello was not read
        self._position = 0  # the session's, of the first line of the queue
        self._open = 0  # lines of the queue that were sent and not acknowledged
        self._told = 0  # of `lost`, what was acknowledged
        self._told_before = 0  # of that, in former sessions
        self._syncs = 0
        self._retry = RETRY_FIRST
        self._thread = threading.Thread(target=self._run, name="virtrigaud", daemon=True)
        self._thread.start()

    def add(self, metric, by=1, **labels):
        """Adds to a counter or a gauge."""
        self._send({"metric": metric}, labels, op="add", value=by)

    def set(self, metric, value, **labels):
        """Sets a gauge."""
        self._send({"metric": metric}, labels, op="set", value=value)

    def observe(self, metric, value, **labels):
        """Observes into a histogram."""
        self._send({"metric": metric}, labels, op="observe", value=value)

    def event(self, event, value=None, **labels):
        """One happening that updates several metrics at once."""
        self._send({"event": event}, labels, **({} if value is None else {"value": value}))

    def timer(self, event, **labels):
        """`with v.timer(...):` sends the event with the seconds that the block took."""
        return _Timer(self, event, labels)

    def account(self):
        with self._change:
            return self._account | {"lost": self._lost, "waiting": len(self._queue)}

    def close(self, seconds=2.0):
        """Waits for the last acknowledgement, but no longer than that. Returns the account."""
        with self._change:
            self._closing = True
            self._change.notify()
        self._thread.join(seconds)
        return self.account()

    def _send(self, name, labels, **rest):
        # `value` stands last: the daemon need not parse a line again of which it knows all before the number.
        line = name | ({"labels": {k: str(v) for k, v in labels.items()}} if labels else {}) | rest
        text = json.dumps(line, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        with self._change:
            if len(self._queue) < self._limit:
                self._queue.append(text)
                self._change.notify()
            else:
                self._lost += 1

    def _run(self):
        while not self._is_done():
            try:
                self._converse()
            except _Doubt:
                self._renew()
            except (OSError, ValueError, KeyError, TypeError):
                pass  # away, or not what it should be: try again later
            with self._change:
                closing = self._change.wait_for(lambda: self._closing, self._retry)
            if closing:
                time.sleep(RETRY_FIRST)
            self._retry = min(2 * self._retry, RETRY_LAST)

    def _is_done(self):
        with self._change:
            return self._closing and not self._queue and self._lost == self._told

    def _converse(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(ANSWER_SECONDS)
            s.connect(self._path)
            with s.makefile("rb") as replies:
                self._greet(s, replies)
                self._retry = RETRY_FIRST
                while self._wait_for_work():
                    self._send_batch(s, replies)

    def _greet(self, s, replies):
        hello = self._hello | {"session": self._session}
        unheard, self._unheard = self._unheard, not self._fresh
        s.sendall(json.dumps({"hello": hello}).encode() + b"\n")
        answer = self._reply(replies, "hello")["hello"]
        passed = answer["applied"] - self._position
        forgotten = unheard and self._open > 0 and answer["applied"] == 0  # it may be, for all that we know
        if forgotten or not (answer["known"] or self._fresh) or not 0 <= passed <= self._open:
            raise _Doubt
        self._fresh = self._unheard = False
        self._applied = self._rejected = 0  # of this connection
        self._settle(unknown=passed)
        self._open = 0

    def _wait_for_work(self):
        with self._change:
            self._change.wait_for(lambda: self._queue or self._closing or self._lost > self._told)
            return bool(self._queue) or self._lost > self._told

    def _send_batch(self, s, replies):
        with self._change:
            lines = [self._queue[i] for i in range(min(BATCH, len(self._queue)))]
            lost = self._lost
        if lost > self._told:
            lines.append(b'{"hello":{"lost":%d}}\n' % (lost - self._told_before))
        self._syncs += 1
        self._open = len(lines) - (lost > self._told)
        s.sendall(b"".join(lines) + b'{"sync":%d}\n' % self._syncs)
        sync = self._reply(replies, "sync")
        applied, rejected = sync["applied"] - self._applied, sync["rejected"] - self._rejected
        if sync["sync"] != self._syncs or applied + rejected != self._open:
            raise _Doubt
        self._applied, self._rejected = sync["applied"], sync["rejected"]
        self._settle(applied=applied, rejected=rejected)
        self._open, self._told = 0, lost

    def _reply(self, replies, kind):
        """The next reply of this kind. Refusals between are passed over: the sync after them counts them."""
        while True:
            text = replies.readline(65536)
            if not text.endswith(b"\n"):
                raise ConnectionResetError
            reply = json.loads(text)
            if kind in reply:
                return reply
            if kind == "hello" and "error" in reply:
                self._retry = RETRY_LAST  # refused

    def _settle(self, **verdicts):
        with self._change:
            for verdict, n in verdicts.items():
                self._account[verdict] += n
                self._position += n
                for _ in range(n):
                    self._queue.popleft()

    def _renew(self):
        """What was sent and not acknowledged may have been counted or not: it is not sent again."""
        with self._change:
            for _ in range(self._open):
                self._queue.popleft()
            self._lost += self._open
        self._session, self._fresh = secrets.token_hex(16), True
        self._position = self._open = 0
        self._told_before = self._told


class _Timer:
    def __init__(self, client, event, labels):
        self._client, self._event, self._labels = client, event, labels

    def __enter__(self):
        self._begin = time.monotonic()
        return self

    def __exit__(self, *_):
        self._client.event(self._event, time.monotonic() - self._begin, **self._labels)

# SPDX-License-Identifier: Apache-2.0
"""A client that keeps what was not dealt with, and sends it again after a break."""
import collections
import os
import time

import check
from client import Client, line


class Session:
    def __init__(self, daemon, component="provider", instance="s", ident=None, seconds=30, **hello):
        self.path = daemon if isinstance(daemon, str) else daemon.socket
        self.hello = {"component": component, "instance": instance, "session": ident or os.urandom(8).hex(), **hello}
        self.seconds = seconds  # to come back after a break
        self.kept = collections.deque()  # lines that may not have been dealt with
        self.sent = 0  # of these, on this connection
        self.done = 0  # lines before them
        self.base = 0  # `done` when this connection began
        self.breaks = 0
        self.known = None  # what the last hello was told
        self.client = None

    def connect(self):
        """One try. What the daemon dealt with is kept no longer."""
        self.close()
        self.client = Client(self.path)
        reply = self.client.ask({"hello": self.hello})
        if reply is None:
            raise ConnectionError("no answer to the hello")
        check.holds(f"the hello is accepted: {reply}", "hello" in reply)
        self.known = reply["hello"]["known"]
        self.dealt_with(reply["hello"]["applied"])
        self.base = self.done
        self.sent = 0

    def dealt_with(self, position):
        check.holds(f"{self.done} <= {position} <= {self.done + len(self.kept)}",
                    self.done <= position <= self.done + len(self.kept))
        for _ in range(position - self.done):
            self.kept.popleft()
        self.sent -= position - self.done
        self.done = position

    def put(self, *values):
        self.kept.extend(line(v) for v in values)

    def push(self):
        """Sends what was not sent yet."""
        text = b"".join(list(self.kept)[self.sent:])
        self.sent = len(self.kept)
        self.client.socket.sendall(text)

    def sync(self):
        """Waits for what was sent. Returns the refusals."""
        self.client.send({"sync": self.done})
        errors = []
        while "sync" not in (reply := self.client.reply() or {}):
            if not reply:
                raise ConnectionError("no answer to the sync")
            errors.append(reply)
        self.dealt_with(self.base + reply["applied"] + reply["rejected"])
        return errors

    def go_on(self, sync=True):
        """Sends all, and waits for it to be dealt with, over as many connections as it takes."""
        end = time.monotonic() + self.seconds
        while True:
            try:
                if self.client is None:
                    self.connect()
                self.push()
                if sync:
                    self.sync()
                return
            except OSError:
                self.close()
                self.breaks += 1
                check.holds("the daemon is there again", time.monotonic() < end)
                time.sleep(0.01)

    def close(self):
        if self.client is not None:
            self.client.close()
            self.client = None

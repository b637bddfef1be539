# SPDX-License-Identifier: Apache-2.0
"""A client of the stream socket."""
import json
import socket

import check


def line(value):
    """A line of the protocol: text as it stands, anything else as JSON; bytes are sent without a LF of ours."""
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))).encode() + b"\n"


def metric(name, value=None, op=None, **labels):
    out = {"metric": name}
    if labels:
        out["labels"] = labels
    if op is not None:
        out["op"] = op
    if value is not None:
        out["value"] = value
    return out


def event(name, value=None, **labels):
    out = {"event": name, "labels": labels}
    if value is not None:
        out["value"] = value
    return out


def hello(component, instance=None, **labels):
    out = {"component": component}
    if instance is not None:
        out["instance"] = instance
    if labels:
        out["labels"] = labels
    return {"hello": out}


class Client:
    """`with Client(daemon) as c:`; also without `with`, when its end does not matter."""

    def __init__(self, daemon, timeout=check.PATIENCE):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(daemon if isinstance(daemon, str) else daemon.socket)
        self.input = self.socket.makefile("rb")
        self.syncs = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.input.close()
        self.socket.close()

    def send(self, *values):
        self.socket.sendall(b"".join(line(v) for v in values))
        return self

    def reply(self):
        """The next reply; None at the end."""
        text = self.input.readline()
        return json.loads(text) if text else None

    def ask(self, value):
        return self.send(value).reply()

    def finish(self):
        """Ends its side and returns all replies that still come."""
        self.socket.shutdown(socket.SHUT_WR)
        return [json.loads(text) for text in self.input]

    def sync(self):
        """Waits until all is applied. Returns (applied, rejected, error replies before it)."""
        self.syncs += 1
        self.send({"sync": self.syncs})
        errors = []
        while "sync" not in (reply := self.reply() or check.holds("a sync is answered", False)):
            errors.append(reply)
        check.equal("the sync is ours", reply["sync"], self.syncs)
        return reply["applied"], reply["rejected"], errors

    def apply(self, *values):
        """Sends lines, all of which must be applied."""
        before = self.sync()[0]
        self.send(*values)
        applied, _, errors = self.sync()
        check.equal("nothing is refused", errors, [])
        return applied - before

# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the daemon that keeps sessions and dies when told to, so that clients can be tried against every
way to break: it deals with lines, and what it has dealt with survives; replies need not."""
import json
import os
import random
import re
import socket
import threading

CONTROL = re.compile(rb'\{"(hello|sync|ping)"')


class Keeper:
    def __init__(self, path):
        self.path = path
        self.sessions = {}  # id -> [position, lost]
        self.forgotten = 0  # of `lost`, of sessions that were forgotten
        self.lines = []  # dealt with, over all sessions
        self.hellos = []
        self.die_one_in = 0  # lines
        self.forget = False  # the sessions, at the next hello
        self.back = None  # where the next hello finds its session, which is unknown from then on
        self.rolled_back = set()  # sessions
        self.ends = []  # (kind, forget): control lines to come after which a connection ends without an answer
        self.listener = None
        self.running = threading.Event()  # cleared: stands still
        self.running.set()
        self.lock = threading.Lock()
        self.connections = []

    def __enter__(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(8)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()
        return self

    def __exit__(self, *_):
        """Dies: nothing is answered any more, the socket file goes."""
        os.unlink(self.path)
        self.running.set()
        with self.lock:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            for s in self.connections:
                self.end(s)
            self.connections.clear()

    @staticmethod
    def end(s):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def accept(self, listener):
        while True:
            try:
                s = listener.accept()[0]
            except OSError:
                return
            with self.lock:
                self.connections.append(s)
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        state = {"session": None, "applied": 0, "rejected": 0}
        with s, s.makefile("rb") as lines:
            try:
                for text in lines:
                    self.running.wait()
                    with self.lock:
                        alive = s in self.connections and text.endswith(b"\n")
                        reply = self.deal(text, state) if alive else None
                    if not alive or self.is_end(text) or (self.die_one_in and random.randrange(self.die_one_in) == 0):
                        self.end(s)
                        return
                    if reply is not None:
                        s.sendall(json.dumps(reply).encode() + b"\n")
            except OSError:
                pass

    def is_end(self, text):
        if not self.ends or not text.startswith(b'{"%s"' % self.ends[0][0].encode()):
            return False
        self.forget |= self.ends.pop(0)[1]
        return True

    def deal(self, text, state):
        if not CONTROL.match(text):
            refused = b"no_such" in text
            state["rejected" if refused else "applied"] += 1
            self.sessions[state["session"]][0] += 1
            self.lines.append(text.decode())
            return {"error": "unknown_metric", "line": 0, "detail": ""} if refused else None
        control = json.loads(text)
        if "hello" in control:
            return self.hello(control["hello"], state)
        if "ping" in control:
            return {"ping": control["ping"]}
        return {"sync": control["sync"], "applied": state["applied"], "rejected": state["rejected"]}

    def hello(self, hello, state):
        known = True
        if state["session"] is None:
            self.hellos.append(hello)
            state["session"] = hello["session"]
            if self.forget:
                self.forgotten += sum(lost for _, lost in self.sessions.values())
                self.sessions, self.forget = {}, False
            if self.back is not None and hello["session"] in self.sessions:
                self.rolled_back.add(hello["session"])
                del self.lines[len(self.lines) - self.sessions[hello["session"]][0] + self.back:]
                self.sessions[hello["session"]], self.back = [self.back, 0], None
            known = hello["session"] in self.sessions and hello["session"] not in self.rolled_back
        session = self.sessions.setdefault(state["session"], [0, 0])
        session[1] = max(session[1], hello.get("lost", 0))
        return {"hello": {"protocol": 1, "applied": session[0], "known": known}}

    def lost(self):
        return self.forgotten + sum(lost for _, lost in self.sessions.values())

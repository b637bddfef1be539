# SPDX-License-Identifier: Apache-2.0
"""The driver of clients/python: ../README.md says what it reads and answers."""
import json
import os
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../python"))
import virtrigaud  # noqa: E402
import virtrigaud.testing  # noqa: E402

KINDS = {"inc": virtrigaud.Counter, "add": virtrigaud.Gauge, "set": virtrigaud.Gauge, "observe": virtrigaud.Histogram,
         "event": virtrigaud.Event}


class Driver:
    def __init__(self):
        self.handles = {}
        self.client = None
        self.messages = []
        self.recorder = None

    def exemplar(self, name, trace, *words):
        labels = dict(word.split("=", 1) for word in words[:-1])
        virtrigaud.Histogram(name).observe_with_exemplar(float(words[-1]), {"trace_id": trace}, labels)
        return True

    @staticmethod
    def forget(*words):
        virtrigaud.default.forget(dict(word.split("=", 1) for word in words))
        return True

    def record(self):
        self.recorder = virtrigaud.testing.Recorder()
        return True

    def recorded(self, name, *words):
        return self.recorder.value(name, **dict(word.split("=", 1) for word in words))

    def call(self, kind, name, *words):
        """One call of a handle, as a function without arguments."""
        labels = dict(word.split("=", 1) for word in words if "=" in word)
        numbers = [float(word) for word in words if "=" not in word]
        key = KINDS[kind], name
        handle = self.handles.get(key) or self.handles.setdefault(key, KINDS[kind](name))
        method = getattr(handle, "record" if kind == "event" else kind)
        return lambda: method(*numbers, **labels)

    def repeat(self, count, pause, *words):
        call, longest = self.call(*words), 0.0
        for i in range(int(count)):
            begin = time.perf_counter()
            call()
            longest = max(longest, time.perf_counter() - begin)
            if i % 10 == 9 and float(pause) > 0:
                time.sleep(float(pause) / 1000)
        return {"longest": longest}

    def start(self, component, instance, socket, *words):
        more, labels = {}, dict(word.split("=", 1) for word in words)
        for limit in "max_bytes", "max_series":
            if limit in labels:
                more[limit] = int(labels.pop(limit))
        self.client = virtrigaud.Client(component, instance, labels, path=socket,
                                        hook=lambda kind, text: self.messages.append(text), **more)
        return True

    @staticmethod
    def shown(stats):
        return {k: getattr(stats, k) for k in ("sent", "applied", "refused", "lost", "waiting", "invalid")}

    def take_messages(self):
        taken, self.messages = self.messages, []
        return taken

    def fork(self, *words):
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            self.do(*words)
            sys.exit(0)
        return os.waitpid(pid, 0)[1] == 0

    def do(self, command, *words):
        if command in KINDS:
            self.call(command, *words)()
            return True
        if command == "flush":
            return self.client.flush(float(words[0]))
        if command == "stats":
            return self.shown(self.client.stats())
        if command == "close":
            return self.shown(self.client.close(float(words[0])))
        if command == "messages":
            return self.take_messages()
        if command == "resources":
            return {"threads": threading.active_count(), "descriptors": len(os.listdir("/proc/self/fd"))}
        function = {"start": self.start, "repeat": self.repeat, "fork": self.fork, "exemplar": self.exemplar,
                    "forget": self.forget, "recorder": self.record, "recorded": self.recorded}.get(command)
        return function(*words) if function else "unsupported"


def main():
    driver = Driver()
    for line in sys.stdin.buffer:
        words = [urllib.parse.unquote(word, errors="surrogateescape") for word in line.decode().split()]
        if words == ["exit"]:
            break
        try:
            answer = driver.do(*words)
        except Exception as error:  # pylint: disable=broad-except
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()

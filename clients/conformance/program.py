# SPDX-License-Identifier: Apache-2.0
"""A driver that runs, and what all parts of the suite say of clients and daemons."""
import json
import os
import queue
import subprocess
import threading
import time

import check
from daemon import BUILD, TMP

SOCKET = os.path.join(TMP, "events.sock")
STATE = os.path.join(TMP, "state")
KILLS = 20 if os.environ.get("VE_LONG") else 6
OPERATION = {"operation": "Describe", "provider_type": "vsphere", "provider": "vc1", "outcome": "success"}
WORDS = " ".join(f"{k}={v}" for k, v in OPERATION.items())
HELLO = "provider_type=vsphere provider=vc1"
BUILD_INFO = {"version": "1.2", "git_sha": "abc", "go_version": "none"}


class Program:
    """A driver that runs."""

    def __init__(self, command, before=()):
        environment = {**os.environ, "PATH": BUILD + ":" + os.environ["PATH"], "TMPDIR": TMP}
        self.process = subprocess.Popen([*before, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
                                        cwd=TMP)
        self.answers = queue.Queue()
        threading.Thread(target=self.read, args=(self.process.stdout,), daemon=True).start()

    def read(self, stdout):
        for line in stdout:
            self.answers.put(line)
        self.answers.put(b"")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self.process.kill()
        self.end()

    def end(self, seconds=check.PATIENCE):
        """Ends its input. Returns its exit status."""
        if not self.process.stdin.closed:
            self.process.stdin.close()
        return self.process.wait(seconds)

    def send(self, text):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def answer(self, seconds=2 * check.PATIENCE):
        try:
            line = self.answers.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"the driver does not answer within {seconds} s") from None
        check.holds("the driver goes on", line)
        return json.loads(line)

    def ask(self, text, seconds=2 * check.PATIENCE):
        self.send(text)
        answer = self.answer(seconds)
        check.holds(f"{text[:200]}: {answer}", not isinstance(answer, dict) or "error" not in answer)
        check.holds(f"{text[:200]}: {answer}", answer != "unsupported")
        return answer

    def start(self, instance, more=""):
        check.equal("start", self.ask(f"start provider {instance} {SOCKET} {more} {HELLO}".replace("  ", " ")), True)

    def settled(self, seconds=check.PATIENCE):
        check.equal("all is acknowledged in time", self.ask(f"flush {seconds}", seconds + 10), True)
        return self.ask("stats")

    def close(self, seconds=check.PATIENCE):
        return self.ask(f"close {seconds}", seconds + 10)


def clear():
    for path in STATE, SOCKET:
        if os.path.exists(path):
            os.remove(path)


def agree(what, stats):
    check.equal(f"{what}: each call is in one place: {stats}",
                stats["applied"] + stats["refused"] + stats["lost"] + stats["waiting"], stats["sent"])


def takes(what, begin, seconds):
    """It has taken at most so long since `begin`. A busy machine may add fifty times what a process takes that does nothing:
    0.1 s where nothing else runs."""
    taken, now = time.monotonic() - begin, time.monotonic()
    subprocess.run(["true"], check=True)
    most = seconds + 50 * (time.monotonic() - now)
    check.holds(f"{what}: {taken:.2f} s, at most {most:.2f} s", taken < most)


def operations(d):
    return d.value("virtrigaud_vm_operations_total", **OPERATION) or 0


def source_up(d, instance):
    return d.value("virtrigaud_source_up", component="provider", source=instance)


def kill(d):
    """Kills it once its state file has its name: until then the next daemon finds an older one."""
    check.until("the state file has its name", lambda: not os.path.exists(STATE + ".new"))
    d.kill()


def lose_state():
    """What a killed daemon had no time to name as well."""
    for path in STATE, STATE + ".new":
        if os.path.exists(path):
            os.remove(path)

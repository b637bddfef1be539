# SPDX-License-Identifier: Apache-2.0
"""The real daemon in TMP, on a port that the kernel chooses; ended with the test, however that ends."""
import http.client
import os
import re
import signal
import subprocess

import check
import exposition

BUILD, SRC, TMP = os.environ["BUILD"], os.environ["SRC"], os.environ["TMP"]
EXPORTER = os.path.join(BUILD, "virtrigaud-exporter")
EMIT = os.path.join(BUILD, "virtrigaud-emit")
CTL = os.path.join(BUILD, "virtrigaud-ctl")


def run(*command, **more):
    """Runs a program to its end. Returns it with status, stdout and stderr as text."""
    more.setdefault("timeout", 2 * check.PATIENCE)
    more.setdefault("stdin", None if "input" in more else subprocess.DEVNULL)
    if "input" in more:
        del more["stdin"]
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


def write(name, text):
    """Writes a file in TMP and returns its path."""
    path = os.path.join(TMP, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


class Daemon:
    """`with Daemon("--flag=value") as d:`; d.socket and d.port say where it is."""

    def __init__(self, *flags, name="d", address="127.0.0.1:0", socket=None, before=(), catalog=""):
        self.socket = socket or os.path.join(TMP, name + ".sock")
        self.log_path = os.path.join(TMP, name + ".log")
        self.command = [*before, EXPORTER, f"--events.socket={self.socket}", f"--web.listen-address={address}",
                        f"--catalog.dir={catalog}", *flags]
        self.process = None
        self.port = None
        self.ended = False  # by the test
        self.patience = check.PATIENCE  # seconds until it must be ready
        self.pass_fds = ()

    def __enter__(self):
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            pass_fds=self.pass_fds)
        try:
            check.until("the daemon is ready", lambda: self.process.poll() is not None or "msg=ready" in self.log(), self.patience)
            check.holds(f"the daemon does not start: {self.log()}", self.process.poll() is None)
        except BaseException:
            self.kill()
            raise
        self.port = int(re.search(r"port=\"?(\d+)", self.log()).group(1))
        return self

    def __exit__(self, kind, *_):
        """After a good test a daemon that still runs must end well too."""
        died = not self.ended and self.process.poll() is not None
        if kind is None and not died and not self.ended:
            self.look_at_the_end()
        try:
            ends = 0 if died or self.ended or kind is not None else self.stop()
        except subprocess.TimeoutExpired:
            ends = "never"
        self.kill()
        if kind is not None or died or ends != 0:
            print(self.log())
        check.holds(f"the daemon died by itself: {self.process.returncode}", not died)
        check.equal("exit status of the daemon", ends, 0)

    def look_at_the_end(self):
        """Whatever a test did, OpenMetrics must be sound; the parser is too slow for the largest."""
        status, _, body = self.request("GET", "/metrics", exposition.ACCEPT_OPENMETRICS)
        check.equal("status of OpenMetrics", status, 200)
        if len(body) < 2000000:
            exposition.parse_openmetrics(body)

    def kill(self):
        self.ended = True
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def log(self):
        with open(self.log_path, encoding="utf-8") as f:
            return f.read()

    def signal(self, number):
        self.process.send_signal(number)

    def pause(self):
        """Stops all its threads where they stand; SIGCONT lets them go on."""
        self.signal(signal.SIGSTOP)
        tasks = f"/proc/{self.process.pid}/task"

        def is_still():
            states = []
            for task in os.listdir(tasks):
                with open(f"{tasks}/{task}/stat", encoding="ascii") as f:
                    states.append(f.read().rpartition(")")[2].split()[0])
            return set(states) == {"T"}

        check.until("it stands still", is_still)

    def stop(self, seconds=check.PATIENCE):
        """Asks it to stop. Returns the exit status."""
        self.ended = True
        self.signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def request(self, method, path, headers=None, timeout=check.PATIENCE):
        """Returns (status, headers, body as text)."""
        status, got, body = self.request_bytes(method, path, headers, timeout)
        return status, got, body.decode()

    def request_bytes(self, method, path, headers=None, timeout=check.PATIENCE):
        """Returns (status, headers, body)."""
        http_client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            http_client.request(method, path, headers=headers or {})
            answer = http_client.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            http_client.close()

    def scrape(self, path="/metrics", timeout=check.PATIENCE):
        """Returns what a scrape shows, parsed."""
        status, _, body = self.request("GET", path, timeout=timeout)
        check.equal(f"status of {path}", status, 200)
        return exposition.parse(body)

    def scrape_openmetrics(self, path="/metrics", timeout=check.PATIENCE):
        """The same as OpenMetrics."""
        status, headers, body = self.request("GET", path, exposition.ACCEPT_OPENMETRICS, timeout)
        check.equal(f"status of {path}", status, 200)
        check.equal("content type", headers["Content-Type"], "application/openmetrics-text; version=1.0.0; charset=utf-8")
        return exposition.parse_openmetrics(body)

    def value(self, name, **labels):
        """The value of one sample in a new scrape; None when it is not there."""
        return self.scrape().value(name, **labels)

    def reload(self):
        """Sends SIGHUP and waits for its outcome. Returns the log lines about it."""
        words = "configuration reloaded", "configuration refused"
        before = self.log()
        self.signal(signal.SIGHUP)
        check.until("the reload is logged", lambda: any(w in self.log()[len(before):] for w in words))
        return self.log()[len(before):]

    def rss(self):
        """Resident bytes."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def cpu(self):
        """Seconds of CPU time so far."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

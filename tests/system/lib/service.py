# SPDX-License-Identifier: Apache-2.0
"""For the tests of the daemon as a service: plays systemd's part, and asks the daemon what it counted."""
import fcntl
import http.client
import os
import re
import socket
import subprocess
import sys
import threading
import time

import check

BUILD = os.environ["BUILD"]
TMP = os.environ["TMP"]
PORT = int(os.environ["VE_PORT"])
DAEMON = BUILD + "/virtrigaud-exporter"
QUEUE = '{"metric":"virtrigaud_queue_depth","labels":{"kind":"K"},"value":%d}\n'
ADD = '{"metric":"virtrigaud_provider_tasks_inflight","labels":{"provider_type":"t","provider":"p"},"op":"add","value":1}\n'
COUNT = 'virtrigaud_provider_tasks_inflight{provider_type="t",provider="p"}'
_running = []


def fail(text):
    print("FAILED: " + text)
    sys.exit(1)


def expect(what, wanted, found):
    if wanted != found:
        fail(f"{what}: wanted {wanted!r}, found {found!r}")


def wait_for(what, condition, seconds=check.PATIENCE):
    """Returns the first true value of condition()."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            fail("waited in vain for " + what)
        time.sleep(0.02)


def stream(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.bind(path)
    s.listen(64)
    return s


def datagram(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(path)
    return s


def tcp(port):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", port))
    s.listen(64)
    return s


def start(*flags, passed=(), names=None, env=None, err=None):
    """Starts the daemon; passed is [(name, socket)...], in the order of the descriptors."""
    high = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 100) for _, s in passed]

    def hand_over():
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i)

    names = ":".join(n for n, _ in passed) if names is None else names
    full = dict(os.environ, **(env or {}))
    command = [DAEMON, "--catalog.dir=", *flags]
    if passed:
        full.update(LISTEN_FDS=str(len(passed)), LISTEN_FDNAMES=names)
        command = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *command]
    process = subprocess.Popen(command, env=full, preexec_fn=hand_over if passed else None, stderr=err,
                               pass_fds=range(3, 3 + len(high)))
    _running.append(process)
    for fd in high:
        os.close(fd)
    return process


def stop(process, status=0):
    process.terminate()
    try:
        expect("exit status", status, process.wait(check.PATIENCE))
    except subprocess.TimeoutExpired:
        fail("the daemon does not stop")


def get(port=PORT, path="/metrics"):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=check.PATIENCE)
    c.request("GET", path)
    response = c.getresponse()
    return response.status, response.read().decode()


def is_ready(port=PORT):
    try:
        return get(port, "/readyz")[0] == 200
    except OSError:
        return False


def value(series, port=PORT):
    """The value of a series as text, or None."""
    found = re.search("^" + re.escape(series) + " (.*)$", get(port)[1], re.M)
    return found and found.group(1)


def send(path, text):
    """Sends and ends, without waiting for anybody to accept."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.connect(path)
    s.sendall(text.encode())
    s.close()


def push(path, text):
    """Sends and waits until all is applied; returns the reply to sync."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(check.PATIENCE)
    s.connect(path)
    s.sendall(text.encode() + b'{"sync":1}\n')
    with s.makefile() as lines:
        for line in lines:
            if line.startswith('{"sync"'):
                return line
    fail("no reply to sync")


class Notify:
    """The socket to which a service speaks; messages are dicts with the time at which they came."""

    def __init__(self, path=TMP + "/notify"):
        self.path = path
        self.messages = []
        self.socket = datagram(path)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            data, fds, _, _ = socket.recv_fds(self.socket, 4096, 4)
            for fd in fds:
                os.close(fd)
            message = dict(line.split("=", 1) for line in data.decode().splitlines())
            message["at"] = time.monotonic()
            self.messages.append(message)

    def count(self, key, since=0.0):
        return sum(key in m and m["at"] > since for m in list(self.messages))

    def wait(self, key, n=1, seconds=20):
        """The n-th message that has the key."""
        wait_for(f"{n} messages {key}", lambda: self.count(key) >= n, seconds)
        return [m for m in self.messages if key in m][n - 1]


def end_all():
    for process in _running:
        if process.poll() is None:
            process.kill()
            process.wait()

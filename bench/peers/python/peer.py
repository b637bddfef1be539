# SPDX-License-Identifier: Apache-2.0
"""What the peers that are programs of others have in common: the modes of bench/README.md, a process with its CPU
time, and the numbering of the series."""
import argparse
import http.server
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import machine  # noqa: E402

SEED = 20240229
OPERATIONS = ["Create", "Delete", "Power", "Describe", "Reconfigure"]
TYPES = ["vsphere", "libvirt", "proxmox", "mock"]
OUTCOMES = ["success", "failure", "error"]
QUICK = os.environ.get("BENCH_QUICK") == "1"
REPEATS = 2 if QUICK else 5
ROUND_SECONDS = 4  # of one repetition; it ends with the write during which they pass
WRITE = 65536


class Skip(Exception):
    """Why a mode cannot be."""


def labels(i):
    """Those of series i, as bench/README.md numbers them."""
    return OPERATIONS[i % 5], TYPES[i // 5 % 4], f"provider-{i // 60:06}", OUTCOMES[i // 20 % 3]


def first_value(i):
    """Of one to seven digits."""
    return 1 + i * 2654435761 % (10 ** (1 + i % 7) - 1)


def main(**modes):
    """Calls the mode that the command line names, with its arguments, and prints what it returns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("mode")
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--buckets", type=int, default=0)
    parser.add_argument("--socket")
    parser.add_argument("--listen")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        if given.mode not in modes:
            raise Skip(f"no mode {given.mode}")
        result = modes[given.mode](given)
    except Skip as reason:
        result = f"SKIP: {reason}"
    if result is not None:
        print(result if isinstance(result, str) else json.dumps(result), flush=True)


def need(program):
    """The path of a program of Debian's; those of administrators are not in everybody's PATH."""
    path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if path is None:
        raise Skip(f"{program} is not installed")
    return path


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Process:
    """A program in a folder of its own, which ends with the block."""

    def __init__(self, command):
        self.folder = tempfile.mkdtemp(prefix="peer-")
        with open(self.folder + "/log", "wb") as log:
            self.process = subprocess.Popen(command(self.folder), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.folder)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, address):
        """Waits until it listens. An address is a path or a port."""
        end = time.monotonic() + 20
        while True:
            s = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
            try:
                s.connect(address if isinstance(address, str) else ("127.0.0.1", address))
                return s
            except OSError:
                s.close()
            if self.process.poll() is not None or time.monotonic() > end:
                with open(self.folder + "/log", encoding="utf-8", errors="replace") as f:
                    sys.exit((f.read().strip().splitlines() or ["it does not listen"])[-1])
            time.sleep(0.01)

    def settle(self):
        """Waits until it has nothing to do: twice in a row it used less than 1 ms of 50."""
        calm, before = 0, machine.cpu_ns(self.pid)
        end = time.monotonic() + 60
        while calm < 2 and time.monotonic() < end:
            time.sleep(0.05)
            now = machine.cpu_ns(self.pid)
            calm = calm + 1 if now - before < 1000000 else 0
            before = now


def rounds(process, n, event, deal_with, most):
    """Median ns of CPU and of wall per event of several rounds over n series in a random order. `event(i)` gives the
    bytes, `deal_with(piece, count)` sends them and comes back when they were read."""
    rng = random.Random(SEED)
    cpu, wall = [], []
    for _ in range(REPEATS):
        pieces = []
        size = count = 0
        piece = []
        for _ in range(most):
            piece.append(event(rng.randrange(n)))
            size += len(piece[-1])
            if size >= WRITE:
                pieces.append((b"".join(piece), len(piece)))
                piece, size = [], 0
        if piece:
            pieces.append((b"".join(piece), len(piece)))
        process.settle()
        used, start = machine.cpu_ns(process.pid), time.monotonic()
        for text, lines in pieces:
            deal_with(text, lines)
            count += lines
            if time.monotonic() - start > ROUND_SECONDS:
                break
        spent = time.monotonic() - start
        process.settle()
        cpu.append((machine.cpu_ns(process.pid) - used) / count)
        wall.append(spent * 1e9 / count)
    return {"ns_per_event": statistics.median(cpu), "wall_ns_per_event": statistics.median(wall)}


class Exchange:
    """A connection whose replies are counted by a thread, so that neither side waits for the other."""

    def __init__(self, connection, ends):
        self.connection = connection
        self.ends = ends
        self.replies = 0
        self.sent = 0
        self.news = threading.Condition()
        threading.Thread(target=self.count, daemon=True).start()

    def count(self):
        rest = b""
        while piece := self.connection.recv(WRITE):
            rest += piece
            with self.news:
                self.replies += rest.count(self.ends)
                self.news.notify()
            rest = rest[rest.rfind(self.ends) + 1:][-len(self.ends):]

    def send(self, text, count):
        """Sends that many lines, when no more than as many as these wait for their replies."""
        self.connection.sendall(text)
        self.sent += count
        self.wait(self.sent - count)

    def wait(self, replies=None):
        wanted = self.sent if replies is None else replies
        with self.news:
            if not self.news.wait_for(lambda: self.replies >= wanted, 30):
                sys.exit("replies are missing")


def serve(pid, change):
    """Says that `pid` is ready, answers `GET /change` on a port of its own, and ends as a peer shall."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            change()
            self.send_response(200)
            self.send_header("Content-Length", "3")
            self.end_headers()
            self.wfile.write(b"ok\n")

        def log_message(self, format, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"ready {pid} {server.server_port}", flush=True)
    while sys.stdin.buffer.read(4096):
        pass

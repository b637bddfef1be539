# SPDX-License-Identifier: Apache-2.0
"""The processes that are measured: the daemon, the floor and peers that serve. Each is a context manager that has
`socket`, `port` and `pid`, runs on the CPU for what is measured unless told otherwise, and ends with its block."""
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import load
import machine

HELLO = b'{"hello":{"component":"manager","instance":"bench"}}\n'
# As they are built in, but for the limits of those metrics of which a row needs many, and for 15 buckets.
CATALOG = """metrics:
  - {{name: virtrigaud_vm_operations_total, type: counter, help: VM operations., component: manager, labels:
     [operation, provider_type, provider, outcome], precreate: true, series_limit: {0}, replace: true}}
  - {{name: virtrigaud_vm_operations_duration_seconds, type: histogram, help: Time of a VM operation., component: manager,
     labels: [operation, provider_type, provider], buckets: duration_seconds, series_limit: {0}, replace: true}}
"""


class Failure(Exception):
    """What made a row impossible; becomes its note."""


class Bench:
    """Where everything stands, and how the bench's programs are run."""

    def __init__(self, build, first_port, daemon=None, loads=None):
        """daemon: another program than the one that was built here. loads: those of another Bench, to send the same."""
        self.build = build
        self.daemon = daemon or os.path.join(build, "virtrigaud-exporter")
        self.src = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        self.quick = os.environ.get("BENCH_QUICK") == "1"
        self.repeats = 2 if self.quick else 5
        self.fewest = min(3, self.repeats)
        self.row_seconds = 2  # after which a row is content with the fewest repetitions
        self.many = 200_000 if self.quick else 1_000_000  # series, where a row wants many
        if not os.path.exists(self.daemon) or not os.path.exists(os.path.join(build, "bench", "send")):
            sys.exit(f"the daemon or the programs that measure it are not in {build}: make bench-programs")
        self.tmp = tempfile.mkdtemp(prefix="tmp-", dir=os.path.join(build, "bench"))
        self.server_cpu, self.client_cpu = machine.cpus()
        self.port = first_port
        self.started = 0
        self.sockets = tempfile.mkdtemp(prefix="ve-bench-")  # short, since the address of a socket holds 108 bytes
        self.loads = loads or load.Loads(self.tmp)
        said = subprocess.run([self.program(), "--help"], capture_output=True, text=True, check=True).stdout
        self.has_state = "--state.file" in said
        self.results = {}  # the rows so far, by name
        self.copies = None

    def memcpy(self):
        """Gigabytes that this machine copies in a second."""
        if self.copies is None:
            self.copies = self.tool("memcpy", cpu=self.server_cpu)["gb_per_second"]
        return self.copies

    @staticmethod
    def same(what, found, wanted):
        if found != wanted:
            raise Failure(f"{what}: {found:g}, not {wanted:g}")

    def rounds(self, times=1):
        """The repetitions of a row: as many as usual, when there is time so many times as many, and fewer when they take
        long."""
        end = time.monotonic() + self.row_seconds
        for i in range(self.repeats if self.quick else self.repeats * times):
            if i >= self.fewest and time.monotonic() > end:
                return
            yield i

    def program(self):
        return self.daemon

    def tool(self, name, *arguments, cpu="client", timeout=120):
        """Runs one of the small programs. Returns what it printed."""
        where = self.client_cpu if cpu == "client" else cpu
        done = subprocess.run([os.path.join(self.build, "bench", name), *map(str, arguments)], capture_output=True,
                              text=True, timeout=timeout, check=False, preexec_fn=machine.pin(where))
        if done.returncode != 0:
            raise Failure(f"{name}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def next_name(self):
        self.started += 1
        return os.path.join(self.tmp, f"{self.started}")

    def next_port(self):
        """One that nobody listens on."""
        for _ in range(90):
            self.port = self.port + 1 if self.port % 100 < 99 else self.port - 90
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    s.bind(("127.0.0.1", self.port))
                    return self.port
                except OSError:
                    pass
        raise Failure("no port is free")

    def close(self):
        shutil.rmtree(self.tmp, ignore_errors=True)
        shutil.rmtree(self.sockets, ignore_errors=True)


class Serving:
    def __init__(self, bench, cpu="server"):
        self.bench = bench
        self.cpu = bench.server_cpu if cpu == "server" else cpu
        self.name = bench.next_name()
        self.socket = os.path.join(bench.sockets, os.path.basename(self.name) + ".sock")
        self.datagram = os.path.join(bench.sockets, os.path.basename(self.name) + ".dgram")
        self.port = bench.next_port()
        self.process = None
        self.pid = None
        self.change_port = None
        self.held = None

    def command(self):
        raise NotImplementedError

    def start(self, **more):
        with open(self.name + ".log", "wb") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.PIPE, stderr=log,
                                            preexec_fn=machine.pin(self.cpu), **more)
        self.pid = self.process.pid

    def __enter__(self):
        self.start(stdout=subprocess.PIPE)
        said = self.process.stdout.readline().decode().strip()
        if not said.startswith("ready "):
            self.stop()
            raise Failure(said.removeprefix("SKIP: ") if said.startswith("SKIP: ") else self.last_words(said))
        words = said.split()
        self.pid = int(words[1])
        self.change_port = int(words[2]) if len(words) > 2 else self.port
        return self

    def last_words(self, said):
        with open(self.name + ".log", encoding="utf-8", errors="replace") as f:
            lines = f.read().strip().splitlines()
        return lines[-1] if lines else said or "it ended without a word"

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.held is not None:
            self.held.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def hold(self):
        """Stays connected as the source that the sender is, so that it has one life for the whole run."""
        self.held = socket.socket(socket.AF_UNIX)
        self.held.connect(self.socket)
        self.held.sendall(HELLO)
        self.held.recv(4096)

    def measured(self, work):
        """(what work() gave, CPU seconds that this process used meanwhile)."""
        before = machine.cpu_ns(self.pid)
        given = work()
        return given, (machine.cpu_ns(self.pid) - before) / 1e9

    def send(self, path, *flags, cpu="client", rejected=False):
        """Sends a file and waits until it is applied, or all of it rejected. Returns what the sender says, with the CPU
        seconds as `cpu`."""
        sent, used = self.measured(lambda: self.bench.tool("send", f"--socket={self.socket}", *flags, path, cpu=cpu))
        if (sent["applied"], sent["refused"]) != ((0, sent["lines"]) if rejected else (sent["lines"], 0)):
            raise Failure(f"of {sent['lines']} lines {sent['applied']} were applied, {sent['refused']} rejected")
        return sent | {"cpu": used}

    def fetch(self, path="/metrics", form="plain", cpu="client"):
        got, used = self.measured(lambda: self.bench.tool("fetch", self.port, path, form, cpu=cpu))
        if got["status"] != 200:
            raise Failure(f"GET {path} gives status {got['status']}")
        return got | {"cpu": used}


class Daemon(Serving):
    """As users run it: with a state file where it can, and a source that is connected."""

    def __init__(self, bench, *flags, series=1000, many=1000, limit=None, workers=1, cache=None, state=True,
                 cpu="server"):
        """Room for `series` of the mixed load, and `many` of one metric, or just the limit; state: a path, or whether to have
        one."""
        super().__init__(bench, cpu)
        os.mkdir(self.name + ".d")
        with open(self.name + ".d/bench.yaml", "w", encoding="utf-8") as f:
            f.write(CATALOG.format(max(10000, many, series // 2)))
        self.ready_at = None
        self.flags = [f"--events.socket={self.socket}", f"--events.datagram-socket={self.datagram}",
                      f"--web.listen-address=127.0.0.1:{self.port}", f"--catalog.dir={self.name}.d", f"--events.workers={workers}",
                      f"--limits.series={limit or max(1000000, 2 * series, 2 * many)}",
                      f"--limits.series-per-metric={limit or max(10000, series // 2)}", *flags]
        if cache is not None:
            self.flags.append(f"--events.cache-size={cache}")
        if state and bench.has_state:
            self.flags.append("--state.file=" + (state if isinstance(state, str) else self.name + ".state"))

    def command(self):
        return [self.bench.program(), *self.flags]

    def __enter__(self):
        self.start(stdout=subprocess.DEVNULL)
        self.ready_at = self.wait_ready()
        self.hold()
        return self

    def wait_ready(self, seconds=120):
        """Until it says in its log that it is ready. Returns when that was."""
        end = time.monotonic() + seconds
        while True:
            with open(self.name + ".log", encoding="utf-8", errors="replace") as f:
                if "msg=ready" in f.read():
                    return time.monotonic()
            if self.process.poll() is not None or time.monotonic() > end:
                said = self.last_words("")
                self.stop()
                raise Failure(said)
            time.sleep(0.001)

    def stop(self):
        super().stop()
        shutil.rmtree(self.name + ".d", ignore_errors=True)
        for path in glob.glob(self.name + ".state*"):
            os.remove(path)

    def value(self, name):
        """The sum of all samples of one of its own metrics."""
        sums = [float(m) for m in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", self.text(name), re.M)]
        return sum(sums)

    def text(self, name):
        with socket.create_connection(("127.0.0.1", self.port)) as s:
            s.sendall(f"GET /metrics?name[]={name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            with s.makefile("rb") as f:
                return f.read().decode()


class Floor(Serving):
    def command(self):
        return [os.path.join(self.bench.build, "bench", "floor"), self.socket, self.datagram, str(self.port)]


class Peer(Serving):
    """A peer in one of its modes that serve; see bench/README.md."""

    def __init__(self, bench, name, mode, *arguments):
        super().__init__(bench)
        self.path = os.path.join(bench.src, "bench/peers", name)
        self.arguments = [mode, *arguments, "--listen", f"127.0.0.1:{self.port}"]
        if mode == "serve":
            self.arguments += ["--socket", self.socket]

    def command(self):
        return [self.path, *self.arguments]

    def start(self, **more):
        super().start(env=peer_environment(self.bench), **more)

    def change(self):
        self.bench.tool("fetch", self.change_port, "/change", "plain")


def peer_environment(bench):
    folder = os.path.join(bench.build, "bench/peers")
    os.makedirs(folder, exist_ok=True)
    env = dict(os.environ, BENCH_BUILD=folder, BENCH_SRC=bench.src)
    env.pop("MAKEFLAGS", None)
    return env


def peers(bench):
    folder = os.path.join(bench.src, "bench/peers")
    return sorted(n for n in os.listdir(folder) if os.path.isfile(f"{folder}/{n}") and os.access(f"{folder}/{n}", os.X_OK)) \
        if os.path.isdir(folder) else []


def peer_result(bench, name, mode, *arguments, timeout=90):
    """What a peer prints in a mode that prints. Raises Failure with the reason of a SKIP."""
    try:
        done = subprocess.run([os.path.join(bench.src, "bench/peers", name), mode, *map(str, arguments)],
                              capture_output=True, text=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL,
                              preexec_fn=machine.pin(None if mode == "setup" else bench.server_cpu),
                              env=peer_environment(bench))
    except subprocess.TimeoutExpired:
        raise Failure(f"{mode} takes more than {timeout} s") from None
    skip = re.search(r"^SKIP: (.*)", done.stdout, re.M)
    if skip:
        raise Failure(skip[1])
    if done.returncode != 0:
        raise Failure((done.stderr.strip().splitlines() or [f"{mode} ends with status {done.returncode}"])[-1])
    last = done.stdout.strip().splitlines()[-1]
    return {} if mode == "setup" else json.loads(last)

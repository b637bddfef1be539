# SPDX-License-Identifier: Apache-2.0
"""Parts of the suite: what never works, and is told at once, and what works again later."""
import os
import resource
import socket
import time

import check
from clock import Clock
from daemon import TMP, Daemon
from program import SOCKET, STATE, WORDS, agree, operations, takes


def tells_what_is_wrong(suite):
    """A socket or a hello with which nothing is ever sent: the reason is told, no call waits, and what was called is lost."""
    file, datagrams = os.path.join(TMP, "file"), os.path.join(TMP, "datagrams.sock")
    with open(file, "w", encoding="ascii"), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(datagrams)
        for component, path, reason in (
                ("provider", TMP + "/" + 200 * "x", f"the socket's path has {len(TMP) + 201} bytes, 107 are possible"),
                ("provider", TMP + "/missing/socket", "no socket there"),
                ("provider", file, "nobody listens"),
                ("provider", file + "/socket", "not a directory"),
                ("provider", datagrams, "a datagram socket"),
                ("nonsense", SOCKET, "hello")):
            with Daemon(name="wrong", socket=SOCKET), suite.program() as p:
                p.send(f"start {component} wrong {path}")
                p.answer()  # C's is an error where no attempt can help
                p.ask(f"event vm_operation {WORDS} 1")
                told = []
                check.until(f"{path}: {reason} is told: {told}",
                            lambda p=p, told=told, reason=reason: told.extend(p.ask("messages")) or any(reason in t.lower() for t in told))
                if "stats" in suite.lacks:
                    check.holds(f"{path}: it is lost", p.close(1)["status"] != 0)
                    continue
                stats = p.close(0.2)
                agree(path, stats)
                check.equal(f"{path}: the call", (stats["lost"], stats["waiting"]), (1, 0))
        os.remove(datagrams)


def outlives_jumps_of_the_clock(suite):
    """The wall clock of the machine jumps, forward and back: what is called is sent in time, and an exemplar that was called before
    the jump and sent after it, since no daemon was there, counts with its observation."""
    clock, day = Clock(), 86400
    histogram = "virtrigaud_ip_discovery_duration_seconds provider_type=vsphere"

    def exemplar(p, trace):
        p.ask(f"exemplar {histogram.replace(' ', f' {trace} ')} 0.5")

    with suite.program(clock.before) as p:
        p.start("clock")
        for n, jump in enumerate((0, day, -day, 30, 0)):
            with suite.program(clock.before) as early:
                early.start(f"early{n}")
                exemplar(early, f"before{n}")
                clock.move(real=jump // 2)
                with Daemon(f"--state.file={STATE}", name=f"clock{n}", socket=SOCKET, before=clock.before) as d:
                    begin = time.monotonic()
                    early.settled()
                    p.settled()
                    takes(f"{jump}: they are back", begin, 2)
                    agree("early", early.close(0.2))
                    for word in "before", "after":
                        begin = time.monotonic()
                        p.ask(f"set virtrigaud_queue_depth kind={word} {n}")
                        clock.move(real=jump)
                        check.until("it is sent by itself", lambda d=d, w=word, n=n: d.value("virtrigaud_queue_depth", kind=w) == n)
                        takes(f"{jump}: it is sent by itself", begin, 1)
                    exemplar(p, f"after{n}")
                    p.settled()
                    check.equal("observations", d.value("virtrigaud_ip_discovery_duration_seconds_count", provider_type="vsphere"), 2 * n + 2)
        stats = p.close(0.2)
        agree("jumps", stats)
        check.equal("calls", (stats["sent"], stats["applied"]), (15, 15))


def outlives_a_full_disk(suite):
    """The daemon's files may not grow any more: the client has nothing of it, and nothing is lost."""
    with suite.program() as p, Daemon(f"--state.file={STATE}", name="disk", socket=SOCKET) as d:
        p.start("disk")
        p.ask(f"repeat 100 0 event vm_operation {WORDS} 1")
        p.settled()
        resource.prlimit(d.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        for i in range(200):
            p.ask(f"inc virtrigaud_errors_total reason=r{i} component=provider")
        p.ask(f"repeat 100 0 event vm_operation {WORDS} 1")
        stats = p.settled()
        errors = sum(v for k, v in d.scrape().samples("virtrigaud_errors_total").items() if dict(k)["reason"].startswith("r"))
        check.equal("calls", (operations(d), errors, stats["applied"], stats["sent"]), (200, 200, 400, 400))
        told = p.ask("messages")
        check.holds(f"it has one connection: {told}", all("connected to" in t or t.startswith("INFO") for t in told) and len(told) == 1)
        p.close()


def loses_its_descriptors(suite):
    """None is left when the daemon is started again: what is called meanwhile waits until there is one."""
    with suite.program() as p:
        hard = resource.prlimit(p.process.pid, resource.RLIMIT_NOFILE)[1]
        with Daemon(f"--state.file={STATE}", name="held", socket=SOCKET) as d:
            p.start("held")
            p.ask(f"event vm_operation {WORDS} 1")
            p.settled()
            p.ask("messages")
            resource.prlimit(p.process.pid, resource.RLIMIT_NOFILE, (3, hard))
        with Daemon(f"--state.file={STATE}", name="left", socket=SOCKET) as d:
            p.ask(f"repeat 100 0 event vm_operation {WORDS} 1")
            told = []
            check.until(f"it is told: {told}", lambda: told.extend(p.ask("messages")) or any(
                "descriptor" in t or "too many open files" in t.lower() for t in told))
            check.equal("before", operations(d), 1)
            resource.prlimit(p.process.pid, resource.RLIMIT_NOFILE, (hard, hard))
            begin = time.monotonic()
            stats = p.settled()
            takes("it connects", begin, 2)
            agree("descriptors", stats)
            check.equal("calls", (operations(d), stats["sent"], stats["lost"]), (101, 101, 0))
            p.close()

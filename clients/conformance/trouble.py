# SPDX-License-Identifier: Apache-2.0
"""Parts of the suite: what never works, and is told at once, and what works again later."""
import os
import socket

import check
from daemon import TMP, Daemon
from program import SOCKET, WORDS, agree


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

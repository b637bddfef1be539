# SPDX-License-Identifier: Apache-2.0
"""Parts of the suite: more series and calls than there is room for."""
import re

import check
from daemon import Daemon
from program import SOCKET, STATE, WORDS, agree, kill


def keeps_its_gauges(suite):
    """More gauges than there is room for: those that were there first keep their newest values, whatever else is called, and what
    finds no room is lost, and told."""
    with suite.program() as p:
        p.start("series", "max_series=20")
        for value in 1, 2:
            for kind in range(30):
                p.ask(f"set virtrigaud_queue_depth kind=k{kind} {value}")
        p.ask("repeat 100 0 inc virtrigaud_errors_total reason=x component=provider")
        with Daemon(name="series", socket=SOCKET) as d:
            stats = p.settled()
            agree("more gauges than there is room for", stats)
            seen = {dict(k)["kind"]: v for k, v in d.scrape().samples("virtrigaud_queue_depth").items()}
            check.equal("values", seen, {f"k{kind}": 2 for kind in range(20)})
            check.equal("calls", (stats["sent"], stats["applied"], stats["lost"]), (160, 40, 120))
            told = p.ask("messages")
            check.holds(f"it is told: {told}", any("lost: no_room" in t for t in told))
            check.holds(f"not too often: {told}", len(told) < 20)
            p.ask("set virtrigaud_queue_depth kind=k7 3")
            p.settled()
            check.equal("it goes on", d.value("virtrigaud_queue_depth", kind="k7"), 3)
            p.close()
            check.equal("the daemon knows", d.scrape().total("virtrigaud_exporter_client_lost_events_total"), 120)


def tells_how_much_is_lost(suite):
    """The hook, the statistics and the daemon know of the same number of lost calls after each outage."""
    def told_lost(p):
        found = [re.search(r"connected.*?(\d+) lost", text) for text in p.ask("messages")]
        return sum(int(match[1]) for match in found if match)

    with suite.program() as p:
        told = before = 0
        p.start("outage", "max_bytes=20000")
        for n, words in enumerate((f"event vm_operation {WORDS} 0.25", "observe virtrigaud_ip_discovery_duration_seconds 0.5",
                                   f"event vm_operation {WORDS} 0.25")):
            p.ask(f"repeat {9000 + 41 * n} 0 {words}")
            if n == 0:
                p.ask("repeat 30 0 observe virtrigaud_ip_discovery_duration_seconds 0.5")
            with Daemon(f"--state.file={STATE}", name=f"outage{n}", socket=SOCKET) as d:
                stats = p.settled()
                agree(f"outage {n}", stats)
                told += told_lost(p)
                check.holds(f"outage {n}: some is lost: {stats}", stats["lost"] > before)
                before = stats["lost"]
                daemon = d.scrape().total("virtrigaud_exporter_client_lost_events_total")
                check.equal(f"outage {n}: lost by the hook, by the statistics, and to the daemon", (told, stats["lost"], daemon),
                            (stats["lost"],) * 3)
                kill(d)
        p.close(0)

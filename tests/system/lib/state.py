# SPDX-License-Identifier: Apache-2.0
"""What tests of the state file share."""
import glob
import os

import check
import daemon

CATALOG = """
labels:
  outcome: {values: [good, bad], closed: true}
metrics:
  - {name: ops_total, type: counter, help: o, component: any, labels: [x, outcome]}
  - {name: depth, type: gauge, help: d, component: any, labels: [x]}
  - {name: took_seconds, type: histogram, help: t, component: any, labels: [x], buckets: [1, 2.5]}
"""
# What the exporter tells of this very process.
OWN = ("process_", "virtrigaud_exporter_config_", "virtrigaud_exporter_worker_", "virtrigaud_exporter_scrape",
       "virtrigaud_exporter_cache_", "virtrigaud_exporter_connections", "virtrigaud_exporter_event_bytes",
       "virtrigaud_exporter_state_", "virtrigaud_source_events_")


def path(name="series.state"):
    return os.path.join(daemon.TMP, name)


class Kept(daemon.Daemon):
    """A daemon with a state file."""

    def __init__(self, *flags, file=None, **more):
        self.file = file or path()
        super().__init__("--state.file=" + self.file, *flags, **more)

    def shown(self):
        """The exposition, but for what is told of this very process, as text."""
        status, _, body = self.request("GET", "/metrics")
        check.equal("status", status, 200)
        return "".join(line + "\n" for line in body.splitlines()
                       if not line.removeprefix("# HELP ").removeprefix("# TYPE ").startswith(OWN))

    def aside(self):
        """The files that were set aside."""
        return sorted(p.removeprefix(self.file) for p in glob.glob(self.file + ".aside*"))

    def settled(self):
        """Waits until the file has its name."""
        check.until("the file has its name", lambda: not os.path.exists(self.file + ".new"))
        return self


def unmarked(data):
    """The bytes of a state file, as they are before something goes on from it: a word of the header says that."""
    return data if len(data) < 88 or data[:8] != b"VGSTATE\n" else data[:84] + bytes(4) + data[88:]


def ok(d):
    return d.value("virtrigaud_exporter_state_ok")

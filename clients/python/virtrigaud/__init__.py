# SPDX-License-Identifier: Apache-2.0
"""Pushes metrics and events to virtrigaud-exporter. Python's own library alone.

    import virtrigaud

    rpc = virtrigaud.Event("rpc", ("provider_type", "method", "code"))
    errors = virtrigaud.Counter("virtrigaud_errors_total", component="provider")
    tasks = virtrigaud.Gauge("virtrigaud_provider_tasks_inflight")

    with virtrigaud.Client("provider", "vc1", labels={"provider_type": "vsphere", "provider": "vc1"}):
        errors.inc(reason="ConnectionFailed")
        tasks.set(3)
        with rpc.timer(method="Create") as t:
            create()
            t.labels(code="OK")

Handles may be made and called before there is a client. docs/clients/python.md has more; the module `virtrigaud.testing` is
for unit tests. Protocol: virtrigaud-events(7)."""
from ._client import Client, Stats
from ._handles import Counter, Event, Gauge, Histogram, Info, Metrics, Timer, default

__all__ = ["Client", "Counter", "Event", "Gauge", "Histogram", "Info", "Metrics", "Stats", "Timer", "default"]
__version__ = "0.2.0"

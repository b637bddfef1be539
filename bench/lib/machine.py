# SPDX-License-Identifier: Apache-2.0
"""What the runner needs of Linux: which CPUs there are, and what a process has used."""
import os
import platform
import time


def cpus():
    """(for what is measured, for who sends), or twice the same where there is one only."""
    all_of_us = sorted(os.sched_getaffinity(0))
    return all_of_us[-1], all_of_us[-2 if len(all_of_us) > 1 else -1]


def pin(cpu):
    """For subprocess: the child runs on this CPU, or anywhere when it is None."""
    return (lambda: os.sched_setaffinity(0, {cpu})) if cpu is not None else None


def cpu_ns(pid):
    """CPU time of all threads of a process, to the nanosecond: clock_getcpuclockid(3)."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def wait_idle(pid):
    """Until it has used next to nothing for 20 ms."""
    before = 0
    while cpu_ns(pid) - before > 1_000_000:
        before = cpu_ns(pid)
        time.sleep(0.02)


def status(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(key + ":"))


def resident(pid):
    return status(pid, "VmRSS") * 1024


def wakeups(pid):
    """How often its threads went to sleep of themselves."""
    return sum(status(f"{pid}/task/{tid}", "voluntary_ctxt_switches") for tid in os.listdir(f"/proc/{pid}/task"))


def describe():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), platform.machine())
    with open("/proc/meminfo", encoding="ascii") as f:
        memory = int(f.readline().split()[1]) // 1048576
    return {"cpu": model, "cpus": len(os.sched_getaffinity(0)), "memory_gib": memory,
            "kernel": platform.release().split("-")[0], "load_before": os.getloadavg()[0]}

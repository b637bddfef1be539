# SPDX-License-Identifier: Apache-2.0
"""What the runner needs of Linux: which CPUs there are, what a process has used, and what the rest of the machine does."""
import os
import platform
import resource
import time

NOISY = 0.1  # CPUs in use by others, from which on a measurement says little


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


def busy_seconds():
    """CPU seconds that the whole machine has used since it was started, time stolen by its host included."""
    with open("/proc/stat", encoding="ascii") as f:
        user, nice, system, _, _, irq, softirq, steal = map(int, f.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def stat_fields(pid):
    """The fields of proc_pid_stat(5) after the name, and the name."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
        before, _, after = f.read().rpartition(")")
    return after.split(), before.partition("(")[2]


def processes():
    """{pid: (parent, CPU seconds with those of children that ended, name)} of all that can be seen."""
    tick = os.sysconf("SC_CLK_TCK")
    out = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields, name = stat_fields(pid)
        except OSError:
            continue  # it ended
        out[int(pid)] = (int(fields[1]), sum(map(int, fields[11:15])) / tick, name)
    return out


def is_ours(all_of_them, pid):
    """Whether the process is this one or below it."""
    while pid in all_of_them and pid != os.getpid():
        pid = all_of_them[pid][0]
    return pid == os.getpid()


class Others:
    """How many CPUs processes other than this one and its children use, from one call of `since` to the next."""

    def __init__(self):
        self.since()

    def since(self):
        """(CPUs in use by others since the last call, the name of the process that used most of that, or "")."""
        now, busy, all_of_them = time.monotonic(), busy_seconds(), processes()
        ours = sum(cpu for pid, (_, cpu, _) in all_of_them.items() if pid != os.getpid() and is_ours(all_of_them, pid))
        for who in resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN:
            used = resource.getrusage(who)
            ours += used.ru_utime + used.ru_stime
        share, name = 0.0, ""
        if hasattr(self, "before"):
            then, busy_then, ours_then, seen = self.before
            share = max(0.0, (busy - busy_then) - (ours - ours_then)) / max(now - then, 1e-3)
            used = {pid: cpu - seen.get(pid, (0, 0, ""))[1] for pid, (_, cpu, _) in all_of_them.items()
                    if not is_ours(all_of_them, pid)}
            most = max(used, key=used.get, default=None)
            name = all_of_them[most][2] if most is not None and used[most] > 0 else ""
        self.before = now, busy, ours, all_of_them
        return share, name

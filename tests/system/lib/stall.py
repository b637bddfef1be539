# SPDX-License-Identifier: Apache-2.0
"""Makes one thread of a process stand still while the others go on, as a debugger does."""
import ctypes
import os

import service as s

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def ptrace(request, tid):
    # A signal of 0 lets it go on as if nothing had been.
    if libc.ptrace(ctypes.c_long(request), ctypes.c_long(tid), None, None) < 0:
        s.fail(f"ptrace {request:#x}: {os.strerror(ctypes.get_errno())}")


def thread(pid, name):
    """The id of the thread of this name."""
    tasks = f"/proc/{pid}/task"
    for tid in os.listdir(tasks):
        with open(f"{tasks}/{tid}/comm", encoding="utf-8") as f:
            if f.read().strip() == name:
                return int(tid)
    return s.fail("no thread " + name)


def state(pid, tid):
    with open(f"/proc/{pid}/task/{tid}/stat", encoding="utf-8") as f:
        return f.read().rsplit(")", 1)[1].split()[0]


def stop(pid, name):
    """Returns the thread, which stands still now."""
    tid = thread(pid, name)
    ptrace(PTRACE_SEIZE, tid)
    ptrace(PTRACE_INTERRUPT, tid)
    s.wait_for(name + " to stand still", lambda: state(pid, tid) == "t")
    return tid


def go_on(tid):
    os.waitpid(tid, WALL)
    ptrace(PTRACE_DETACH, tid)


def reap(tid):
    """Takes what the kernel tells its tracer, so that a killed process can end. Returns whether it has."""
    found, status = os.waitpid(tid, WALL | os.WNOHANG)
    return found == tid and (os.WIFSIGNALED(status) or os.WIFEXITED(status))

# SPDX-License-Identifier: Apache-2.0
"""A clock of its own for a program: `before=Clock().before` for a Daemon, and move() while it runs."""
import mmap
import os
import struct

import check
from daemon import SRC, TMP, run


class Clock:
    def __init__(self):
        library, path = os.path.join(TMP, "clock.so"), os.path.join(TMP, "clock")
        made = run(os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-D_GNU_SOURCE", "-o", library,
                   os.path.join(SRC, "tests/system/lib/clock.c"))
        check.equal(f"the clock compiles: {made.stderr}", made.returncode, 0)
        with open(path, "wb") as f:
            f.write(bytes(16))
        with open(path, "r+b") as f:
            self.page = mmap.mmap(f.fileno(), 16)
        self.before = "env", f"LD_PRELOAD={library}", f"VE_CLOCK={path}"

    def move(self, real=0, monotonic=0):
        """Sets what is added, in seconds. Timers of the kernel know nothing of it."""
        self.page[:] = struct.pack("=qq", real, monotonic)

# SPDX-License-Identifier: Apache-2.0
"""Runs in the place of the daemon, in its sandbox, and tries what it should not do. Prints one word for each."""
import ctypes
import errno
import mmap
import os
import socket

libc = ctypes.CDLL(None, use_errno=True)


def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")


def write(path):
    with open(path, "w", encoding="utf-8") as f:
        f.write("x")


tries = {
    "state": lambda: write("/var/lib/virtrigaud-exporter/probe"),
    "runtime": lambda: write("/run/virtrigaud-exporter/probe"),
    "open-folder": lambda: write("/srv/open/probe"),
    "home": lambda: os.listdir("/home/open"),
    "tmp": lambda: os.stat("/tmp/outside"),
    "unix-socket": lambda: socket.socket(socket.AF_UNIX).close(),
    "inet-socket": lambda: socket.socket(socket.AF_INET).close(),
    "packet-socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
    "namespace": lambda: check(libc.unshare(0x10000000)),
    "writable-code": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close(),
    "priority": lambda: os.setpriority(os.PRIO_PROCESS, 0, 5),
    "chown": lambda: os.chown("/var/lib/virtrigaud-exporter/probe", 0, 0),
    "device": lambda: os.stat("/dev/mem"),
    "ring": lambda: check(libc.syscall(425, 1, None)),  # io_uring_setup
    "execute": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "setuid-file": lambda: os.chmod("/var/lib/virtrigaud-exporter/probe", 0o4755),
}
with open("/var/lib/virtrigaud-exporter/report", "w", encoding="utf-8") as out:
    for name, attempt in tries.items():
        try:
            attempt()
            print(name, "done", file=out)
        except OSError as e:
            print(name, errno.errorcode[e.errno], file=out)

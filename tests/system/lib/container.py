# SPDX-License-Identifier: Apache-2.0
"""For the tests that boot a systemd of their own: the container, and the service in it."""
import os
import signal
import subprocess
import time

import service as s

UNIT = "virtrigaud-exporter.service"
EVENTS = "/run/virtrigaud-exporter/events.sock"


def child(pid):
    """The first child of a process, or None."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as f:
        found = f.read().split()
    return int(found[0]) if found else None


class Container:
    """A systemd as process 1. It would outlive systemd-nspawn; unshare's namespace of processes ends with unshare,
    and takes it along however this test ends. What it is given says which root systemd-nspawn boots."""

    def __init__(self, *root):
        self.init = None
        self.log = open(s.TMP + "/boot.log", "w+", encoding="utf-8")  # pylint: disable=consider-using-with
        self.unshare = subprocess.Popen(
            ["unshare", "--fork", "--pid", "--mount-proc", "--kill-child", "systemd-nspawn", "--quiet", *root,
             "--register=no", "--keep-unit", "--private-network", "-b", "--console=pipe", "systemd.unit=basic.target"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)

    def boot(self):
        """Returns whether it came up."""
        end = time.monotonic() + 60
        while time.monotonic() < end and self.unshare.poll() is None:
            nspawn = child(self.unshare.pid)
            self.init = nspawn and child(nspawn)
            if self.init and self.run("systemctl", "is-system-running")[1].strip() in ("running", "degraded"):
                return True
            time.sleep(0.1)
        return False

    def said(self):
        """The end of what came while it booted."""
        self.log.seek(0)
        return " ".join(self.log.read().split())[-200:]

    def enter(self, namespaces, command):
        done = subprocess.run(["nsenter", "-t", str(self.init), *namespaces, *command], check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        return done.returncode, done.stdout

    def run(self, *command):
        return self.enter(("-m", "-u", "-i", "-n", "-p"), command)

    def must(self, *command):
        status, said = self.run(*command)
        s.expect(" ".join(command) + " says " + said, 0, status)
        return said

    def get(self):
        """Scrapes with this system's curl, since the container need not have one; None when nobody serves."""
        status, body = self.enter(("-n",), ("curl", "-sf", "--max-time", "20", "http://127.0.0.1:8080/metrics"))
        return body if status == 0 else None

    def show_journal(self):
        print(self.run("journalctl", "-q", "--no-pager", "-n", "60", "-u", "virtrigaud*", "-u", "probe*")[1])

    def path(self, path):
        return f"/proc/{self.init}/root{path}"

    def write(self, path, text):
        with open(self.path(path), "w", encoding="utf-8") as f:
            f.write(text)

    def end(self):
        first = self.unshare.poll() is None and child(self.unshare.pid)
        if first:
            os.kill(first, signal.SIGKILL)
        self.unshare.wait(20)
        self.log.close()


def show(c, what):
    return c.must("systemctl", "show", "--value", "-p", what, UNIT).strip()


def value(c, series):
    found = [line.split()[-1] for line in (c.get() or "").splitlines() if line.startswith(series + " ")]
    return found[0] if found else None


def wait_value(c, series, wanted):
    s.wait_for(f"{series} {wanted}", lambda: value(c, series) == wanted, 30)

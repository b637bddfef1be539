# SPDX-License-Identifier: Apache-2.0
"""A root with nothing but some of this system's Debian packages and what they depend on: what a build does not name
among its packages is not there. Copied from this system's files, so that no archive is asked."""
import os
import re
import subprocess

FORMAT = "${Package}\t${Architecture}\t${Essential}\t${Status}\t${Pre-Depends}, ${Depends}\t${Provides}\n"
INFO = "var/lib/dpkg/info"
MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


def names(relation):
    """The alternatives of each dependency, without versions and architectures."""
    return [[re.sub(r"[:(\[<].*", "", word).strip() for word in entry.split("|")]
            for entry in relation.split(",") if entry.strip()]


class Packages:
    def __init__(self):
        said = subprocess.run(["dpkg-query", "-W", "-f", FORMAT], check=True, text=True, stdout=subprocess.PIPE).stdout
        self.rows = {}
        self.essential = []
        self.provided = {}
        for line in said.splitlines():
            name, machine, essential, status, depends, provides = line.split("\t")
            if status != "install ok installed":
                continue
            self.rows[name] = (machine, names(depends))
            if essential == "yes":
                self.essential.append(name)
            for entry in names(provides):
                self.provided.setdefault(entry[0], name)

    def closure(self, wanted):
        """These packages, the essential ones, and what all of them need. Raises KeyError for one that is missing."""
        found = set()
        left = [[name] for name in [*self.essential, *wanted]]
        while left:
            entry = left.pop()
            there = [n for n in (n if n in self.rows else self.provided.get(n) for n in entry) if n]
            if not there:
                raise KeyError(" | ".join(entry))
            if not found.intersection(there):
                found.add(there[0])
                left += self.rows[there[0]][1]
        return found

    def info(self, name):
        """The beginning of the names of dpkg's files about it."""
        return name if os.path.exists(f"/{INFO}/{name}.list") else f"{name}:{self.rows[name][0]}"


def status_of(found):
    with open("/var/lib/dpkg/status", encoding="utf-8") as f:
        for paragraph in f.read().split("\n\n"):
            named = re.match(r"Package: (\S+)", paragraph)
            if named and named[1] in found:
                yield paragraph.strip("\n") + "\n\n"


def make(root, wanted):
    """Fills the folder."""
    packages = Packages()
    found = packages.closure(wanted)
    paths = set()
    for name in found:
        info = packages.info(name)
        with open(f"/{INFO}/{info}.list", encoding="utf-8") as f:
            paths.update(f.read().split("\n"))
        paths.update(f"/{INFO}/{e}" for e in os.listdir("/" + INFO) if e.startswith(info + "."))
    paths.update(f"/etc/alternatives/{e}" for e in os.listdir("/etc/alternatives"))
    for folder in ("/usr/bin", "/usr/sbin", "/usr/lib"):  # names that lead to these
        paths.update(e.path for e in os.scandir(folder)
                     if e.is_symlink() and os.readlink(e.path).startswith("/etc/alternatives/"))
    paths.update(("/var/lib/dpkg/info/format", "/var/lib/dpkg/arch", "/var/lib/dpkg/diversions"))
    paths.update(("/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/ld.so.conf"))
    paths.update("/" + m for m in MERGED if os.path.islink("/" + m))
    # A folder that is a link here is the folder that it leads to.
    paths = {os.path.join(os.path.realpath(os.path.dirname(p)), os.path.basename(p)) for p in paths
             if p.startswith("/") and p != "/." and os.path.lexists(p)}
    listed = "".join("." + p + "\0" for p in sorted(paths)).encode()
    os.mkdir(root)
    pack = subprocess.Popen(["tar", "-C", "/", "-c", "--no-recursion", "--null", "-T", "-"], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE)
    unpack = subprocess.Popen(["tar", "-C", root, "-x"], stdin=pack.stdout)
    pack.stdin.write(listed)
    pack.stdin.close()
    if unpack.wait() != 0 or pack.wait() != 0:
        raise OSError("the files cannot be copied")
    with open(root + "/var/lib/dpkg/status", "w", encoding="utf-8") as f:
        f.writelines(status_of(found))
    for folder in ("dev", "proc", "root", "srv", "tmp", "var/lib/dpkg/updates", "var/tmp"):
        os.makedirs(f"{root}/{folder}", exist_ok=True)
    subprocess.run(["chroot", root, "ldconfig"], check=True)
    return found

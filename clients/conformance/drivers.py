# SPDX-License-Identifier: Apache-2.0
"""The drivers: how each is built and run, and what its client does not offer."""
import os
import shutil
import subprocess
from typing import Dict, List, NamedTuple, Optional

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENTS = os.path.dirname(HERE)


class Driver(NamedTuple):
    source: str  # below clients/; a driver without it does not exist yet
    needs: str  # program to build or run it
    build: List[str]  # in the source's folder; OUTPUT stands for the program
    command: List[str]
    # Commands, and: "exit" (a program that ends without close loses what waits), "sums" (adds nothing up), "bytes" (as %XX),
    # "clock" (asks libc for the time, where the suite moves it), each with the reason, which is printed beside the part that is
    # not run.
    lacks: Dict[str, str]


DRIVERS: Dict[str, Driver] = {
    "python": Driver("conformance/python/driver.py", "python3", [],
                     ["/usr/bin/python3", "-W", "error::ResourceWarning", HERE + "/python/driver.py"], {}),
    "go": Driver("go/conformance/main.go", "go", ["go", "build", "-o", "OUTPUT", "."], ["OUTPUT"],
                 {"fork": "Go has no fork; a program that it executes has a client of its own",
                  "exit": "Go has no end of a program that a package could wait at",
                  "clock": "Go asks the kernel for the time, not libc; a unit test has what it sends"}),
    "c": Driver("c/conformance/driver.c", "cc", ["make", "-s", "PROGRAM=OUTPUT"], ["OUTPUT"], {}),
    "shell": Driver("conformance/shell/driver.sh", "sh", [], ["/bin/sh", "-eu", HERE + "/shell/driver.sh"],
                    {"stats": "a script learns at its close what became of its lines",
                     "flush": "a script learns at its close what became of its lines",
                     "bytes": "words of a shell have no NUL; plain parts push odd words",
                     "sums": "each push is a line",
                     "forget": "a script forgets with virtrigaud-emit beside its session: docs/clients/shell.md",
                     "recorded": "a unit test puts a virtrigaud-emit of its own into PATH",
                     "max_bytes": "the buffers of virtrigaud-emit have one size, which 613-client-shell fills"}),
}


def command(language: str, folder: str) -> Optional[List[str]]:
    """Builds the driver in `folder`. None when there is none, or nothing to build it with."""
    driver = DRIVERS[language]
    source, output = os.path.join(CLIENTS, driver.source), os.path.join(folder, "driver")
    if not os.path.exists(source) or shutil.which(driver.needs) is None:
        return None
    if driver.build:
        environment = {**os.environ, "GOCACHE": folder + "/cache", "GOPROXY": "off", "GO111MODULE": "on", "GOFLAGS": "-mod=mod",
                       "HOME": folder}
        subprocess.run([word.replace("OUTPUT", output) for word in driver.build], cwd=os.path.dirname(source), check=True,
                       env=environment, timeout=500)
    return [word.replace("OUTPUT", output) for word in driver.command]

# SPDX-License-Identifier: Apache-2.0
"""The drivers: how each is built and run, and what its client does not offer."""
import os
import shutil
import subprocess
from typing import Dict, FrozenSet, List, NamedTuple, Optional

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENTS = os.path.dirname(HERE)


class Driver(NamedTuple):
    source: str  # below clients/; a driver without it does not exist yet
    needs: str  # program to build or run it
    build: List[str]  # in the source's folder; OUTPUT stands for the program
    command: List[str]
    # Commands, and: "exit" (a program that ends without close loses what waits), "sums" (adds nothing up), "gauges" (does not
    # send them again), "bytes" (as %XX).
    lacks: FrozenSet[str]


DRIVERS: Dict[str, Driver] = {
    "python": Driver("conformance/python/driver.py", "python3", [],
                     ["/usr/bin/python3", "-W", "error::ResourceWarning", HERE + "/python/driver.py"], frozenset()),
    "go": Driver("go/conformance/main.go", "go", ["go", "build", "-o", "OUTPUT", "."], ["OUTPUT"], frozenset({"fork", "exit"})),
    "c": Driver("c/conformance/driver.c", "cc", ["make", "-s", "PROGRAM=OUTPUT"], ["OUTPUT"], frozenset()),
    "shell": Driver("conformance/shell/driver.sh", "sh", [], ["/bin/sh", "-eu", HERE + "/shell/driver.sh"],
                    frozenset({"fork", "stats", "forget", "recorded", "flush", "messages", "resources", "max_bytes", "sums", "gauges", "bytes"})),
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
                       env=environment, timeout=100)
    return [word.replace("OUTPUT", output) for word in driver.command]

# SPDX-License-Identifier: Apache-2.0
"""All rows, and which of them are asked for; and whether the machine is quiet enough to measure them."""
import importlib
import os
import sys
import time

import machine
from table import ROWS

# In the order of the table: the peers are compared with rows before them.
for group in "events", "scrape", "rest", "peering":
    importlib.import_module(group)


def chosen(wanted):
    """The functions that give the rows that are asked for, each once, in the order of the table."""
    def asks_for(word):
        return [word] if word in ROWS else [name for name in ROWS if name.startswith(word)]
    for word in wanted:
        if not asks_for(word):
            sys.exit(f"there is no row {word}; bench/run --list names all")
    names = {name for word in wanted for name in asks_for(word)} if wanted else ROWS
    return list(dict.fromkeys(ROWS[name][0] for name in ROWS if name in names))


def busy(others):
    """What Others.since gave, in words."""
    share, name = others
    return f"other processes{f' ({name} and others)' if name else ''} used {share:.2f} CPUs"


def warn(text):
    print(f"WARNING: {text}; the figures of this run say little", file=sys.stderr, flush=True)


def warn_if_noisy():
    """Looks for a second what others do, and says so when that is much. Returns how many CPUs they use."""
    watch = machine.Others()
    time.sleep(1)
    others = watch.since()
    load = os.getloadavg()[0]
    if others[0] >= machine.NOISY:
        warn("the machine is not quiet: " + busy(others))
    elif load >= 0.5:
        warn(f"the machine was not quiet just now: its load is {load:.2f}")
    return others[0]

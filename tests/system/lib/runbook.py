# SPDX-License-Identifier: Apache-2.0
"""The runbooks of docs/alerts.md, by the names of their alerts."""
import os
import re

from daemon import SRC

with open(os.path.join(SRC, "docs/alerts.md"), encoding="utf-8") as f:
    SECTIONS = {part.split("\n", 1)[0]: part for part in re.split(r"^## ", f.read(), flags=re.M)[1:]}


def commands(alert):
    """Its commands, each with what the page shows behind it."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", SECTIONS[alert], flags=re.M | re.S):
        for command in re.split(r"^[#$] ", block, flags=re.M)[1:]:
            words, _, shown = command.partition("\n")
            found.append((words, shown))
    return found

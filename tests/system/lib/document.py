# SPDX-License-Identifier: Apache-2.0
"""The fenced blocks of a document, which tests run: sh ones must end well and print the text block right after them;
yaml, go, python and c ones that begin with the name of a file are written to it; others are only shown."""
import os
import re
import subprocess

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
NAME = re.compile(r"(?:#|//) ([\w./-]+\.(?:yml|yaml|go|py|c))\n")


def blocks(text, address):
    """Yields language, text with `address` for localhost:8080, and what a sh block prints (None: not told)."""
    found = list(BLOCK.finditer(text))
    for at, block in enumerate(found):
        after = found[at + 1] if at + 1 < len(found) else None
        adjoins = after is not None and after[1] == "text" and text[block.end():after.start()] == "\n"
        yield block[1], block[2].replace("localhost:8080", address), after[2] if adjoins else None


def run_sh(text, wanted, seconds=120):
    done = subprocess.run(["sh", "-euc", text], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, timeout=seconds)
    assert done.returncode == 0, f"status {done.returncode} of:\n{text}\n{done.stdout}"
    assert wanted is None or done.stdout == wanted, f"of:\n{text}\nis told:\n{wanted}\nbut there is:\n{done.stdout}"


def write_file(text):
    """Returns whether the block names a file."""
    name = NAME.match(text)
    if name is None:
        return False
    os.makedirs(os.path.dirname(os.path.abspath(name[1])), exist_ok=True)
    with open(name[1], "w", encoding="utf-8") as f:
        f.write(text)
    return True

# SPDX-License-Identifier: Apache-2.0
"""For the programs that count what tests reach: clang's tools."""
import subprocess


def tool(name):
    """The tool of the compiler's own version, which alone reads its profiles."""
    version = subprocess.run(["clang", "-dumpversion"], capture_output=True, text=True, check=True).stdout
    return f"{name}-{version.split('.')[0]}"

# SPDX-License-Identifier: Apache-2.0
"""What tests say of what they see; a failed one ends the test with both sides printed."""
import time

PATIENCE = 60  # seconds in which what happens at once has happened on a machine that has much else to do


def equal(what, found, wanted):
    if found != wanted:
        raise AssertionError(f"{what}\n  is     {found!r}\n  wanted {wanted!r}")


def holds(what, found):
    if not found:
        raise AssertionError(what)


def has(what, text, part):
    if part not in text:
        raise AssertionError(f"{what}\n  lacks {part!r}\n  in    {text!r}")


def until(what, condition, seconds=PATIENCE):
    """Waits until condition() is true and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)

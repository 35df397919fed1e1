"""How long the cases, and the tests of this project, wait before they call something hung.

A deadline that a test sets for something that should happen is written `patient(seconds)`. On a machine that is much
slower than usual, such as one whose processor is emulated, PODWRIGHT_TEST_PATIENCE multiplies them all, and the pauses
between looks at something, which would keep such a processor from its work. Times that are a part of what is tested (a
command's time-out, a grace period) stay as they are.
"""

from __future__ import annotations

import os

VARIABLE = "PODWRIGHT_TEST_PATIENCE"


def factor(given: str) -> float:
    """The variable's value as a number. Empty is 1. Raises ValueError for what is no number from 1 to 1000. Pure."""
    value = float(given or 1)
    if not 1 <= value <= 1000:
        raise ValueError(f"{VARIABLE} must be a number from 1 to 1000, and is {given!r}")
    return value


FACTOR = factor(os.environ.get(VARIABLE, ""))


def patient(seconds: float) -> float:
    """A deadline in seconds, for this machine."""
    return seconds * FACTOR

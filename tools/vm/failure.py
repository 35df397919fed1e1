"""The one error of `tools.vm`: its message says what failed and what to do."""

from __future__ import annotations


class VmError(Exception):
    """A step could not be done."""

"""Runs the compare program on two trees."""

from __future__ import annotations

import os
import sys

import msgspec

from podwright.errors import Internal
from podwright.process import Command, ProcessRunner

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "compare", "__main__.py")
TIMEOUT_S = 4 * 3600.0


async def differences(runner: ProcessRunner, tree: str, expected: str) -> list[str]:
    """The first differences of `tree` from the expected one, as `/path: what`. Raises Internal."""
    command = Command(argv=(sys.executable, "-I", "-S", PROGRAM, tree, expected), timeout_s=TIMEOUT_S)
    completed = await runner.run(command)
    try:
        return msgspec.json.decode(completed.stdout, type=list[str])
    except msgspec.DecodeError as failure:
        words = completed.error_text()
        raise Internal(f"the compare program ended with {completed.shell_code}: {words}") from failure

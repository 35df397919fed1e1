"""Waits until the machine is idle, so that no target pays for cleanup after the one before it."""

from __future__ import annotations

import asyncio
import time

BUSY_SHARE = 0.05  # of all processors; below it, the machine is idle
LOOK_S = 0.5


async def settle(limit_s: float) -> bool:
    """Return when the machine was idle for LOOK_S, or after `limit_s`. Returns whether it was idle."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        before = _times()
        await asyncio.sleep(LOOK_S)
        if busy_share(before, _times()) < BUSY_SHARE:
            return True
    return False


def busy_share(before: str, after: str) -> float:
    """The busy share of all processors between two first lines of /proc/stat (proc(5))."""
    spent = [int(later) - int(earlier) for earlier, later in zip(before.split()[1:], after.split()[1:], strict=True)]
    total, idle = sum(spent[:8]), spent[3] + spent[4]  # guest times are included in the first fields
    return 1 - idle / total if total > 0 else 0.0


def _times() -> str:
    with open("/proc/stat", encoding="ascii") as file:
        return file.readline()

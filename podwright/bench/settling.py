"""Waiting until the machine is idle, so that no target pays for what the one before it left to be cleaned up."""

from __future__ import annotations

import asyncio
import time

BUSY_SHARE = 0.05  # of all processors; below, the machine is idle
LOOK_S = 0.5


async def settle(limit_s: float) -> bool:
    """Return when the machine was idle for LOOK_S, or after `limit_s`; whether it was."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        before = _times()
        await asyncio.sleep(LOOK_S)
        if busy_share(before, _times()) < BUSY_SHARE:
            return True
    return False


def busy_share(before: str, after: str) -> float:
    """Of the time between two first lines of /proc/stat (proc(5)), that in which processors had work."""
    spent = [int(later) - int(earlier) for earlier, later in zip(before.split()[1:], after.split()[1:], strict=True)]
    total, idle = sum(spent[:8]), spent[3] + spent[4]  # those of guests are in the first already
    return 1 - idle / total if total > 0 else 0.0


def _times() -> str:
    with open("/proc/stat", encoding="ascii") as file:
        return file.readline()

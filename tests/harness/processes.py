"""Reads what /proc shows everybody of processes, and ends those that tests start."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path


@contextlib.asynccontextmanager
async def ended(process: asyncio.subprocess.Process, *, within_s: float) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that has ended with the block, or is killed. Raises TimeoutError when the block takes longer."""
    try:
        async with asyncio.timeout(within_s):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            # wait() alone never returns while the pipes hold more than the reader's buffers.
            await process.communicate()


def command_lines() -> dict[int, str]:
    """The arguments of every process by its PID, NUL between them."""
    lines = {}
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            lines[int(pid)] = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
        except OSError:  # it has ended
            continue
    return lines

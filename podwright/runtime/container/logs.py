"""ReopenContainerLog: after a rotation, the monitor opens the log's path anew."""

from __future__ import annotations

import asyncio
import os

from podwright.errors import DeadlineExceeded, FailedPrecondition

REOPEN = b"2 0 0\n"  # conmon's control message: kind, and two numbers that only resizing uses
REOPEN_TIMEOUT_S = 10.0
POLL_S = 0.002


async def reopen(bundle: str, log_path: str) -> None:
    """Return when the file exists anew. Raises FailedPrecondition and DeadlineExceeded."""
    if not log_path:
        return
    try:
        fifo = os.open(f"{bundle}/ctl", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as failure:
        raise FailedPrecondition(f"the monitor of {log_path} does not listen: {failure.strerror}") from failure
    try:
        os.write(fifo, REOPEN)
    finally:
        os.close(fifo)
    try:
        async with asyncio.timeout(REOPEN_TIMEOUT_S):
            while not os.path.exists(log_path):  # noqa: ASYNC110 # the monitor tells nobody but the directory
                await asyncio.sleep(POLL_S)
    except TimeoutError as late:
        raise DeadlineExceeded(f"log {log_path} was not opened anew") from late

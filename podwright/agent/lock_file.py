"""The file of `--lock-file`, by which agents of one machine take turns (as in cmd/kubelet/app of Kubernetes 1.36)."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import AsyncIterator, Callable

from podwright.errors import FailedPrecondition
from podwright.linux.inotify import IN_DELETE_SELF, IN_OPEN, Inotify

log = logging.getLogger(__name__)

FILE_MODE = 0o600
POLL_S = 0.2  # flock(2) can wait only in a thread, which could not be ended


@contextlib.asynccontextmanager
async def hold_file(path: str, contended: Callable[[], None] | None = None) -> AsyncIterator[None]:
    """Hold the file until the end of the context or of the process. Waits while another process holds it.

    `contended` is called when another process opens the file (`--exit-on-lock-contention`). Makes the file if it is
    missing. Raises FailedPrecondition if it cannot be used.
    """
    async with contextlib.AsyncExitStack() as stack:
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, FILE_MODE)
            stack.callback(os.close, descriptor)
            await _lock(descriptor, path)
            if contended is not None:
                inotify = Inotify()
                stack.callback(inotify.close)
                inotify.add(path, IN_OPEN | IN_DELETE_SELF, contended)
        except OSError as failure:
            raise FailedPrecondition(
                f"lock file {path} cannot be used: {failure.strerror}", hint="choose another one by --lock-file"
            ) from failure
        yield


async def _lock(descriptor: int, path: str) -> None:
    is_logged = False
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if not is_logged:
            log.info("the agent waits for its lock file, which another process holds: path=%s", path)
            is_logged = True
        await asyncio.sleep(POLL_S)

"""The log followers of one pod: one task for each instance of a container, ended when the instance has ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable

from podwright.agent.seed.logs import LogParser, follow_log
from podwright.agent.seed.orchestration.container import log_path
from podwright.agent.seed.reporter import LogLine

log = logging.getLogger(__name__)

FINISH_TIMEOUT_S = 10.0


class LogTails:
    """Follows every instance that it is told of."""

    def __init__(self, log_directory: str, emit: Callable[[LogLine], None]) -> None:
        self._directory = log_directory
        self._emit = emit
        self._tasks: dict[tuple[str, int], tuple[asyncio.Task[None], asyncio.Event]] = {}

    def follow(self, container: str, attempt: int) -> None:
        """Begin, unless it is followed already."""
        if (container, attempt) in self._tasks:
            return
        ended = asyncio.Event()
        path = os.path.join(self._directory, log_path(container, attempt))
        task = asyncio.create_task(
            follow_log(path, LogParser(container), self._emit, ended), name=f"log {container}/{attempt}"
        )
        self._tasks[container, attempt] = (task, ended)

    async def finish(self, container: str, attempt: int) -> None:
        """Return once everything that the instance wrote has been emitted."""
        self.follow(container, attempt)
        task, ended = self._tasks[container, attempt]
        ended.set()
        await self._settle(task)

    async def close(self) -> None:
        """Read all to the end, then stop."""
        for _, ended in self._tasks.values():
            ended.set()
        for task, _ in self._tasks.values():
            await self._settle(task)

    async def _settle(self, task: asyncio.Task[None]) -> None:
        await _quietly(asyncio.wait_for(asyncio.shield(task), FINISH_TIMEOUT_S))
        task.cancel()


async def _quietly(work: Awaitable[None]) -> None:
    """A log that cannot be read must not fail the pod."""
    with contextlib.suppress(TimeoutError):
        try:
            await work
        except OSError as failure:
            log.warning("log cannot be followed error=%s", failure)

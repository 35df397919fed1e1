"""The log followers of one pod: one task for each instance of a container, ended when the instance has ended."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

from podwright.agent.run.reporter import LogLine
from podwright.agent.seed.orchestration.container import log_path
from podwright.crilog.follow import LogFollower, LogWatch
from podwright.crilog.lines import Line, LineParser

log = logging.getLogger(__name__)

FINISH_TIMEOUT_S = 10.0


class LogTails:
    """Follows every instance that `follow` names, from its first line on."""

    def __init__(self, log_directory: str, emit: Callable[[LogLine], None]) -> None:
        self._directory = log_directory
        self._emit = emit
        self._watch: LogWatch | None = None
        self._tasks: dict[tuple[str, int], tuple[asyncio.Task[None], LogFollower]] = {}

    def follow(self, container: str, attempt: int) -> None:
        """Begin, unless it is followed already."""
        if (container, attempt) in self._tasks:
            return
        if self._watch is None:
            self._watch = LogWatch()
        path = os.path.join(self._directory, log_path(container, attempt))
        follower = LogFollower(path, LineParser(), lambda line: self._emit(_for_people(container, line)), self._watch)
        task = asyncio.create_task(follower.run(), name=f"log {container}/{attempt}")
        self._tasks[container, attempt] = (task, follower)

    async def finish(self, container: str, attempt: int) -> None:
        """Return once everything that the instance wrote has been emitted."""
        self.follow(container, attempt)
        task, follower = self._tasks[container, attempt]
        follower.finish()
        await self._settle(task)

    async def close(self) -> None:
        """Read all to the end, then stop."""
        for _, follower in self._tasks.values():
            follower.finish()
        for task, _ in self._tasks.values():
            await self._settle(task)
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    async def _settle(self, task: asyncio.Task[None]) -> None:
        """Wait for its end, but not for ever. A log that cannot be read must not fail the pod."""
        await asyncio.wait((task,), timeout=FINISH_TIMEOUT_S)
        task.cancel()
        (result,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(result, OSError):
            log.warning("log cannot be followed task=%s error=%s", task.get_name(), result)
        elif isinstance(result, Exception):
            raise result


def _for_people(container: str, line: Line) -> LogLine:
    text = line.text.decode(errors="replace")
    return LogLine(container=container, stream=line.stream, time=line.time, text=text)

"""Follows the logs of a run: one task for each instance of a container, until the instance has ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from podwright.agent.run.reporter import LogLine
from podwright.crilog.follow import LogFollower, LogWatch
from podwright.crilog.lines import Line, LineParser
from podwright.k8s.objects import Pod

log = logging.getLogger(__name__)

FINISH_TIMEOUT_S = 10.0

# The path of the log of a container's instance, by its attempt.
LogPath = Callable[[Pod, str, int], str]
Key = tuple[str, str, int]


class LogTails:
    """Follows every instance that `follow` names, from its first line on."""

    def __init__(self, path_of: LogPath, emit: Callable[[LogLine], None], label_of: Callable[[Pod], str]) -> None:
        """`label_of` returns the pod's name for its lines, or an empty text."""
        self._path_of = path_of
        self._emit = emit
        self._label_of = label_of
        self._watch: LogWatch | None = None
        self._tasks: dict[Key, tuple[asyncio.Task[None], LogFollower]] = {}

    def follow(self, pod: Pod, container: str, attempt: int) -> None:
        """Follow the log, unless it is followed already."""
        key = (pod.metadata.uid, container, attempt)
        if key in self._tasks:
            return
        if self._watch is None:
            self._watch = LogWatch()
        label = self._label_of(pod)
        path = self._path_of(pod, container, attempt)
        follower = LogFollower(
            path, LineParser(), lambda line: self._emit(_for_people(label, container, line)), self._watch
        )
        task = asyncio.create_task(follower.run(), name=f"log {pod.metadata.name}/{container}/{attempt}")
        self._tasks[key] = (task, follower)

    async def finish(self, pod: Pod, container: str, attempt: int) -> None:
        """Wait until all output of the instance was emitted."""
        self.follow(pod, container, attempt)
        task, follower = self._tasks[pod.metadata.uid, container, attempt]
        follower.finish()
        await _settle(task)

    async def close(self) -> None:
        """Read all logs to the end, then stop."""
        for _, follower in self._tasks.values():
            follower.finish()
        for task, _ in self._tasks.values():
            await _settle(task)
        if self._watch is not None:
            self._watch.close()
            self._watch = None


async def _settle(task: asyncio.Task[None]) -> None:
    """Wait for the end of a follower, with a limit. An unreadable log must not fail the pod."""
    await asyncio.wait((task,), timeout=FINISH_TIMEOUT_S)
    task.cancel()
    (result,) = await asyncio.gather(task, return_exceptions=True)
    if isinstance(result, OSError):
        log.warning("a log cannot be followed: task=%s error=%s", task.get_name(), result)
    elif isinstance(result, Exception):
        raise result


def _for_people(pod: str, container: str, line: Line) -> LogLine:
    text = line.text.decode(errors="replace")
    return LogLine(pod=pod, container=container, stream=line.stream, time=line.time, text=text)

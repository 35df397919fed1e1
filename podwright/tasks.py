"""Background tasks: named, watched and ended in one way.

An owner keeps its tasks in a `Tasks`. A failed task is logged with its name, so no failure is silent. `close` ends
what still runs before the owner goes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Any, TypeVar

log = logging.getLogger(__name__)

Result = TypeVar("Result")

STUCK_S = 5.0  # a task that has not ended so long after its cancellation is named in the log, and cancelled again
END_LIMIT_S = 20.0  # then it is left behind: an owner must not wait for it forever


class Tasks:
    """The tasks of one owner."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    def start(self, work: Coroutine[Any, Any, Result], *, name: str) -> asyncio.Task[Result]:
        """Run `work` in the background. A failure is logged, so the caller need not await the task."""
        task = self._add(work, name)
        task.add_done_callback(_log_failure)
        return task

    def job(self, work: Coroutine[Any, Any, Result], *, name: str) -> asyncio.Task[Result]:
        """As `start`, for a task whose caller awaits it and gets its failure."""
        return self._add(work, name)

    def _add(self, work: Coroutine[Any, Any, Result], name: str) -> asyncio.Task[Result]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._closed:
            task.cancel()
        return task

    def __len__(self) -> int:
        """The number of running tasks."""
        return len(self._tasks)

    def cancel(self) -> None:
        """Cancel the running tasks, without waiting for their end. New tasks may be started."""
        for task in self._tasks:
            task.cancel()

    async def settle(self, timeout_s: float) -> None:
        """Wait up to `timeout_s` for the tasks to end, then cancel them."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)
        await self.close()

    async def close(self) -> None:
        """Cancel what runs and wait for its end, END_LIMIT_S at most. What is started later is cancelled at once."""
        self._closed = True
        current = asyncio.current_task()
        await end_all(lambda: self._tasks - {current})  # a task may start another one as it ends


async def end_all(running: Callable[[], Collection[asyncio.Task[Any]]]) -> None:
    """Cancel what `running` gives until it gives nothing. After END_LIMIT_S, what still runs is named and left."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + END_LIMIT_S
    while tasks := running():
        for task in tasks:
            task.cancel()
        left_s = deadline - loop.time()
        if left_s <= 0:
            for task in tasks:
                log.error("task does not end and is left behind: name=%s", task.get_name())
            return
        _, stuck = await asyncio.wait(tasks, timeout=min(STUCK_S, left_s))
        for task in stuck:
            log.warning("task does not end: name=%s", task.get_name())


def task_of(work: Awaitable[Result], *, name: str) -> asyncio.Task[Result]:
    """A task of what need not be a coroutine. The caller awaits it, or cancels it."""
    return asyncio.create_task(_result(work), name=name)


def is_cancelled() -> bool:
    """Whether the current task is cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def retrieve(done: asyncio.Future[Any]) -> None:
    """Read the failure of a job that may have no waiter left, or asyncio reports it as never retrieved.

    For `add_done_callback`. Waiters get the failure all the same.
    """
    if not done.cancelled():
        done.exception()


async def _result(work: Awaitable[Result]) -> Result:
    return await work


def _log_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (failure := task.exception()) is not None:
        log.error("task failed: name=%s error=%s", task.get_name(), failure, exc_info=failure)

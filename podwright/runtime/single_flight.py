"""Retry joins the job: callers who ask for the same thing while it is being done wait for one job.

The job belongs to nobody's RPC, so that a caller whose deadline passes neither stops it nor loses its result: the
kubelet's retry finds it done, or still under way. Jobs that are only worth their callers' waiting (a pull) can be made
to end with the last of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from podwright.timeline import Step

log = logging.getLogger(__name__)


Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")


class _Job(Generic[Result]):
    """One job and how many wait for it."""

    def __init__(self, task: asyncio.Task[Result]) -> None:
        self.task = task
        self.callers = 0


class SingleFlight(Generic[Key, Result]):
    """Jobs under way, by key."""

    def __init__(self, label: str, *, outlives_callers: bool = True) -> None:
        """`label` names the jobs in logs. Jobs that do not outlive their callers are cancelled with the last one."""
        self._label = label
        self._outlives_callers = outlives_callers
        self._jobs: dict[Key, _Job[Result]] = {}  # those that may be joined
        self._tasks: set[asyncio.Task[Result]] = set()  # and those that are ending, too

    async def join(self, key: Key, start: Callable[[], Awaitable[Result]]) -> Result:
        """The result of the job for `key`, which is started if there is none. Raises what the job raises."""
        job = self._jobs.get(key)
        if job is None:
            job = self._jobs[key] = _Job(asyncio.create_task(self._run(start), name=self._label))
            self._tasks.add(job.task)
            job.task.add_done_callback(lambda _: self._finished(key, job))
        job.callers += 1
        try:
            return await asyncio.shield(job.task)
        finally:
            job.callers -= 1
            if not (self._outlives_callers or job.callers or job.task.done()):
                self._forget(key, job)
                job.task.cancel()
                await asyncio.wait({job.task})

    def __contains__(self, key: Key) -> bool:
        """Whether a job for `key` is under way."""
        return key in self._jobs

    async def finished(self, key: Key) -> None:
        """Wait for the job for `key`, whatever comes of it; returns at once when there is none."""
        job = self._jobs.get(key)
        if job is not None:
            await asyncio.wait({job.task})

    async def settle(self, timeout_s: float) -> None:
        """Wait for the jobs under way; those that take longer are cancelled, and undo what they did."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=timeout_s)
        for task in late:
            log.warning("cancelling a job that did not end in time: job=%s", self._label)
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=timeout_s)

    async def cancel(self) -> None:
        """Cancel all jobs, and wait until they have undone what they did."""
        for task in self._tasks:
            if not task.cancelling():  # a second time would interrupt the undoing
                task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self, start: Callable[[], Awaitable[Result]]) -> Result:
        with Step(self._label):
            return await start()

    def _finished(self, key: Key, job: _Job[Result]) -> None:
        self._forget(key, job)
        self._tasks.discard(job.task)
        # Read the exception, so that a job whose callers have all gone is not reported as "never retrieved".
        if not job.task.cancelled() and (failure := job.task.exception()) is not None:
            log.debug("job failed: job=%s error=%s", self._label, failure)

    def _forget(self, key: Key, job: _Job[Result]) -> None:
        """The next caller starts a new one."""
        if self._jobs.get(key) is job:
            del self._jobs[key]

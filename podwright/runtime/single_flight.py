"""Single flight: concurrent requests for the same thing wait for one job.

The job does not belong to one RPC. A caller whose deadline passes neither stops the job nor loses its result: the
kubelet's retry finds the job finished or in progress. Jobs that are useful only to their callers, such as a pull, can
end with the last caller.
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
    """A job and the number of its callers."""

    def __init__(self, task: asyncio.Task[Result]) -> None:
        self.task = task
        self.callers = 0


class SingleFlight(Generic[Key, Result]):
    """Jobs in progress, by key."""

    def __init__(self, label: str, *, outlives_callers: bool = True) -> None:
        """`label` names the jobs in logs. Without `outlives_callers`, a job is cancelled when its last caller goes."""
        self._label = label
        self._outlives_callers = outlives_callers
        self._jobs: dict[Key, _Job[Result]] = {}  # jobs that callers may join
        self._tasks: set[asyncio.Task[Result]] = set()  # including jobs that are being cancelled

    async def join(self, key: Key, start: Callable[[], Awaitable[Result]]) -> Result:
        """The result of the job for `key`. Starts it if there is none. Raises what the job raises."""
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
        """Whether a job for `key` is in progress."""
        return key in self._jobs

    async def finished(self, key: Key) -> None:
        """Wait for the end of the job for `key`, successful or not. Returns at once if there is none."""
        job = self._jobs.get(key)
        if job is not None:
            await asyncio.wait({job.task})

    async def settle(self, timeout_s: float) -> None:
        """Wait up to `timeout_s` for the jobs in progress, then cancel the others, which undo their work."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=timeout_s)
        for task in late:
            log.warning("job did not end in time, cancelling it: job=%s", self._label)
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=timeout_s)

    async def cancel(self) -> None:
        """Cancel all jobs and wait until they have undone their work."""
        for task in self._tasks:
            if not task.cancelling():  # a second cancellation would interrupt the undo
                task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self, start: Callable[[], Awaitable[Result]]) -> Result:
        with Step(self._label):
            return await start()

    def _finished(self, key: Key, job: _Job[Result]) -> None:
        self._forget(key, job)
        self._tasks.discard(job.task)
        # Read the exception. Otherwise asyncio reports a job without callers as "never retrieved".
        if not job.task.cancelled() and (failure := job.task.exception()) is not None:
            log.debug("job failed: job=%s error=%s", self._label, failure)

    def _forget(self, key: Key, job: _Job[Result]) -> None:
        """Forget the job, so that the next caller starts a new one."""
        if self._jobs.get(key) is job:
            del self._jobs[key]

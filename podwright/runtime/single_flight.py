"""Retry joins the job: callers who ask for the same thing while it is being done wait for one job.

The job belongs to nobody's RPC, so that a caller whose deadline passes neither stops it nor loses its result: the
kubelet's retry finds it done, or still under way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")


class SingleFlight(Generic[Key, Result]):
    """Jobs under way, by key."""

    def __init__(self, label: str) -> None:
        """`label` names the jobs in logs."""
        self._label = label
        self._jobs: dict[Key, asyncio.Task[Result]] = {}

    async def join(self, key: Key, start: Callable[[], Awaitable[Result]]) -> Result:
        """The result of the job for `key`, which is started if there is none. Raises what the job raises."""
        job = self._jobs.get(key)
        if job is None:
            job = asyncio.ensure_future(self._run(start))
            self._jobs[key] = job
            job.add_done_callback(lambda done: self._finished(key, done))
        return await asyncio.shield(job)

    def __contains__(self, key: Key) -> bool:
        """Whether a job for `key` is under way."""
        return key in self._jobs

    async def finished(self, key: Key) -> None:
        """Wait for the job for `key`, whatever comes of it; returns at once when there is none."""
        job = self._jobs.get(key)
        if job is not None:
            await asyncio.wait({job})

    async def settle(self, timeout_s: float) -> None:
        """Wait for the jobs under way; those that take longer are cancelled, and undo what they did."""
        jobs = list(self._jobs.values())
        if not jobs:
            return
        _, late = await asyncio.wait(jobs, timeout=timeout_s)
        for job in late:
            log.warning("cancelling a job that did not end in time: job=%s", self._label)
            job.cancel()
        if late:
            await asyncio.wait(late, timeout=timeout_s)

    @staticmethod
    async def _run(start: Callable[[], Awaitable[Result]]) -> Result:
        return await start()

    def _finished(self, key: Key, job: asyncio.Task[Result]) -> None:
        self._jobs.pop(key, None)
        # Read the exception, so that a job whose callers have all gone is not reported as "never retrieved".
        if not job.cancelled() and (failure := job.exception()) is not None:
            log.debug("job failed: job=%s error=%s", self._label, failure)

"""StopContainer: the stop signal once, a grace period that can only shrink, then SIGKILL. One job per container.

The job continues after its caller's deadline. A later call with a shorter grace period shortens it, as a kubelet does
for evictions.
"""

from __future__ import annotations

import asyncio
import logging
import signal

from podwright.errors import DeadlineExceeded
from podwright.runtime.container.protocol import Environment, Runner
from podwright.runtime.model.container import Container, ContainerState
from podwright.runtime.model.ids import ContainerId
from podwright.timeline import Step

log = logging.getLogger(__name__)

KILL_TIMEOUT_S = 10.0  # after SIGKILL; a process that needs longer hangs in the kernel


class Stopper:
    """The stop jobs in progress."""

    def __init__(self, env: Environment, runner: Runner) -> None:
        self._env = env
        self._runner = runner
        self._jobs: dict[ContainerId, _StopJob] = {}

    async def stop(self, container: Container, grace_s: float) -> None:
        """Stop it, and return when its end is recorded. Raises DeadlineExceeded if it cannot be killed."""
        if container.state is not ContainerState.RUNNING:
            return
        job = self._jobs.get(container.id)
        if job is None:
            job = _StopJob(grace_s)
            self._jobs[container.id] = job
            job.task = asyncio.create_task(self._run(container, job), name=f"stop {container.id[:12]}")
            job.task.add_done_callback(lambda task: self._finished(container.id, task))
        else:
            job.hurry(grace_s)
        await asyncio.shield(job.task)

    def __contains__(self, container_id: ContainerId) -> bool:
        """Whether the container is being stopped."""
        return container_id in self._jobs

    def _finished(self, container_id: ContainerId, task: asyncio.Task[None]) -> None:
        del self._jobs[container_id]
        if not task.cancelled() and (failure := task.exception()) is not None:  # also without a caller that waits
            log.warning("stop failed: id=%s error=%s", container_id[:12], failure)

    async def _run(self, container: Container, job: _StopJob) -> None:
        ended = asyncio.create_task(self._runner.exited(container.id), name=f"wait for the end of {container.id[:12]}")
        try:
            if job.remaining_s() > 0:
                await self._env.task(container).kill(container.stop_signal)
                with Step("grace"):
                    await self._wait_out_grace(ended, job)
            if not ended.done():
                with Step("kill"):
                    await self._kill(container, ended)
        finally:
            ended.cancel()

    @staticmethod
    async def _wait_out_grace(ended: asyncio.Task[None], job: _StopJob) -> None:
        while not ended.done() and (remaining := job.remaining_s()) > 0:
            job.hurried.clear()
            hurried = asyncio.create_task(job.hurried.wait(), name="wait for a shorter grace")
            await asyncio.wait({ended, hurried}, timeout=remaining, return_when=asyncio.FIRST_COMPLETED)
            hurried.cancel()

    async def _kill(self, container: Container, ended: asyncio.Task[None]) -> None:
        task = self._env.task(container)
        await task.kill(signal.SIGKILL)
        await asyncio.wait({ended}, timeout=KILL_TIMEOUT_S / 2)
        if not ended.done():
            await task.kill(signal.SIGKILL, everyone=True)
            await asyncio.wait({ended}, timeout=KILL_TIMEOUT_S / 2)
        if not ended.done():
            raise DeadlineExceeded(
                f"container {container.id[:12]} does not end after SIGKILL",
                hint="a process may hang in the kernel, see its stack in /proc/PID/stack",
            )


class _StopJob:
    """One stop. Its deadline can only move closer."""

    task: asyncio.Task[None]

    def __init__(self, grace_s: float) -> None:
        self._deadline = asyncio.get_running_loop().time() + max(grace_s, 0)
        self.hurried = asyncio.Event()

    def remaining_s(self) -> float:
        return self._deadline - asyncio.get_running_loop().time()

    def hurry(self, grace_s: float) -> None:
        self._deadline = min(self._deadline, asyncio.get_running_loop().time() + max(grace_s, 0))
        self.hurried.set()

"""PauseContainer and UnpauseContainer: freeze all processes of a running container, and let them run again.

CRI has no state for a paused container, so it stays RUNNING. Only the kernel knows, so a pause outlives the daemon.
Pausing a paused container succeeds, as does unpausing one that is not paused, because retries must not fail. A stop
first ends a pause so that the container receives the signal, and no pause begins after it. An exec in a paused
container fails, because its process would be frozen as well.
"""

from __future__ import annotations

import logging

from podwright.errors import FailedPrecondition
from podwright.runtime.container.protocol import Environment
from podwright.runtime.container.stopping import Stopper
from podwright.runtime.keyed_locks import KeyedLocks
from podwright.runtime.model.container import Container
from podwright.runtime.model.ids import ContainerId
from podwright.runtime.single_flight import SingleFlight

log = logging.getLogger(__name__)


class Pauser:
    """The pauses in progress. They continue when their callers leave."""

    def __init__(self, env: Environment, stopper: Stopper) -> None:
        self._env = env
        self._stopper = stopper
        self._turns: KeyedLocks[ContainerId] = KeyedLocks()
        self._jobs: SingleFlight[tuple[ContainerId, bool], None] = SingleFlight("pause container")

    async def pause(self, container: Container) -> None:
        """Pause it. Raises FailedPrecondition if it does not run, and DeadlineExceeded."""
        await self._jobs.join((container.id, True), lambda: self._pause(container.id))

    async def unpause(self, container: Container) -> None:
        """Let it run again. Raises FailedPrecondition if it does not run."""
        await self._jobs.join((container.id, False), lambda: self._unpause(container.id))

    async def _pause(self, container_id: ContainerId) -> None:
        async with self._turns[container_id]:
            task = self._env.task(self._env.store.get(container_id))
            if container_id in self._stopper:
                raise FailedPrecondition(f"container {container_id[:12]} is being stopped")
            await task.pause()
            if container_id in self._stopper:  # began in the meantime, and may have resumed it before the pause
                await task.resume()
                raise FailedPrecondition(f"container {container_id[:12]} is being stopped")
            log.info("container is paused: id=%s", container_id[:12])

    async def _unpause(self, container_id: ContainerId) -> None:
        async with self._turns[container_id]:
            await self._env.task(self._env.store.get(container_id)).resume()
            log.info("container is unpaused: id=%s", container_id[:12])

    async def settle(self, timeout_s: float) -> None:
        """Wait for the pauses in progress."""
        await self._jobs.settle(timeout_s)

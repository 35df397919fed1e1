"""PauseContainer and UnpauseContainer: every process of a running container stands still, and goes on.

A paused container is RUNNING for CRI, which has no word for it; the kernel alone knows, so that a pause outlives the
daemon. Pausing what is paused is a success, and so is unpausing what is not: a retry must not fail. A stop ends a
pause first, so that the signal is heard; nothing is paused any more once a stop has begun. An exec in a paused
container is refused, for its process would stand still as well.
"""

from __future__ import annotations

import logging

from podwright.errors import FailedPrecondition
from podwright.runtime.container.environment import ContainerEnvironment
from podwright.runtime.container.stopping import Stopper
from podwright.runtime.keyed_locks import KeyedLocks
from podwright.runtime.model.container import Container, ContainerState
from podwright.runtime.model.ids import ContainerId
from podwright.runtime.single_flight import SingleFlight

log = logging.getLogger(__name__)


class Freezer:
    """The pauses under way; they go on when their callers leave."""

    def __init__(self, env: ContainerEnvironment, stopper: Stopper) -> None:
        self._env = env
        self._stopper = stopper
        self._turns: KeyedLocks[ContainerId] = KeyedLocks()
        self._jobs: SingleFlight[tuple[ContainerId, bool], None] = SingleFlight("pause container")

    async def pause(self, container: Container) -> None:
        """Return when it stands still. Raises FailedPrecondition when it does not run, and DeadlineExceeded."""
        await self._jobs.join((container.id, True), lambda: self._pause(container.id))

    async def unpause(self, container: Container) -> None:
        """Let it go on. Raises FailedPrecondition when it does not run."""
        await self._jobs.join((container.id, False), lambda: self._unpause(container.id))

    async def _pause(self, container_id: ContainerId) -> None:
        async with self._turns[container_id]:
            container = self._running(container_id)
            if container_id in self._stopper:
                raise FailedPrecondition(f"container {container_id[:12]} is being stopped")
            task = self._env.task(container)
            await task.pause()
            if container_id in self._stopper:  # it came meanwhile, and may have resumed it too early
                await task.resume()
                raise FailedPrecondition(f"container {container_id[:12]} is being stopped")
            log.info("container is paused: id=%s", container_id[:12])

    async def _unpause(self, container_id: ContainerId) -> None:
        async with self._turns[container_id]:
            await self._env.task(self._running(container_id)).resume()
            log.info("container is not paused any more: id=%s", container_id[:12])

    def _running(self, container_id: ContainerId) -> Container:
        container = self._env.store.get(container_id)
        if container.state is not ContainerState.RUNNING:
            raise FailedPrecondition(f"container {container_id[:12]} is not running ({container.state})")
        return container

    async def settle(self, timeout_s: float) -> None:
        """Wait for the pauses under way."""
        await self._jobs.settle(timeout_s)

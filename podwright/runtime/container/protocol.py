"""What `requests` and its steps need of an engine: its records, what runs, and when it ends."""

from __future__ import annotations

from typing import Protocol

from podwright.runtime.model.container import Container
from podwright.runtime.model.ids import ContainerId
from podwright.runtime.state import Store


class RunningTask(Protocol):
    """A running container. `handlers.protocol.Task` documents the methods."""

    async def kill(self, number: int, *, everyone: bool = False) -> None: ...
    async def pause(self) -> None: ...
    async def resume(self) -> None: ...
    async def is_paused(self) -> bool: ...


class Environment(Protocol):
    """Where the records are, and what runs."""

    @property
    def store(self) -> Store[Container]: ...
    def task(self, container: Container) -> RunningTask:
        """Raises FailedPrecondition for a container that does not run."""


class Runner(Protocol):
    """Starts containers, and knows when they end."""

    async def start(self, container: Container) -> None:
        """Start a CREATED container and record it as RUNNING."""

    async def exited(self, container_id: ContainerId) -> None:
        """Wait until the end of the container is recorded. Returns at once if it is not running."""

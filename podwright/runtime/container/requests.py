"""Which requests for containers are allowed when, and look-ups: the same whatever runs the containers.

An engine extends `ContainerRequests` with its steps. A repeated request joins the one in progress.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable

from podwright.errors import AlreadyExists, FailedPrecondition, NotFound
from podwright.runtime.container.ending import write_off
from podwright.runtime.container.pausing import Pauser
from podwright.runtime.container.protocol import Environment, Runner
from podwright.runtime.container.stopping import Stopper
from podwright.runtime.model.container import Container, ContainerConfig, ContainerState
from podwright.runtime.model.ids import ContainerId, SandboxId
from podwright.runtime.single_flight import SingleFlight
from podwright.runtime.state import Database, Store


def open_store(database: Database) -> Store[Container]:
    """The store of container records."""
    return Store(
        database,
        Container,
        table="containers",
        label="container",
        id_of=lambda record: record.id,
        name_of=lambda record: key(record.sandbox_id, record.config),
        group_of=lambda record: record.sandbox_id,
    )


def key(sandbox_id: SandboxId, config: ContainerConfig) -> tuple[str | int, ...]:
    """What is unique among containers."""
    return (sandbox_id, config.name, config.attempt)


class ContainerRequests(ABC):
    """All containers of an engine."""

    def __init__(self, env: Environment, runner: Runner) -> None:
        self._store = env.store
        self._starter = runner
        self._stopper = Stopper(env, runner)
        self._pauser = Pauser(env, self._stopper)
        self._creates: SingleFlight[tuple[str | int, ...], ContainerId] = SingleFlight("create container")
        self._starts: SingleFlight[ContainerId, None] = SingleFlight("start container")
        self._removes: SingleFlight[ContainerId, None] = SingleFlight("remove container")
        self._adopted: frozenset[ContainerId] = frozenset()  # whose start a crash of the daemon interrupted

    # -- steps of the engine

    @abstractmethod
    async def _delete(self, container_id: ContainerId) -> None:
        """Delete a container that does not run, and its record."""

    # -- requests

    async def _create_once(
        self, sandbox_id: SandboxId, config: ContainerConfig, make: Callable[[], Awaitable[ContainerId]]
    ) -> ContainerId:
        """Create a container. A repeated request joins the first one or returns its container.

        Raises AlreadyExists, and what `make` raises.
        """
        name = key(sandbox_id, config)
        existing = self._store.named(name)
        if existing is None or existing.state is ContainerState.CREATING:
            made = await self._creates.join(name, make)
            existing = self._store.find(made)
            if existing is None or existing.config == config:
                return made
        elif existing.state is ContainerState.CREATED and existing.config == config:
            return existing.id
        raise AlreadyExists(
            f"container {config.name} attempt {config.attempt} exists already as {existing.id[:12]} "
            f"({existing.state})",
            hint="remove it, or increase the attempt number",
        )

    async def start(self, container_id: str) -> None:
        """Start a CREATED container. Raises NotFound, FailedPrecondition, and what the runtime below reports.

        For a running one it raises: the caller may have missed the first answer, or may expect a fresh process. A
        request in progress is joined.
        """
        container = self.get(container_id)
        if container.id not in self._starts:
            if container.id in self._adopted and container.state is ContainerState.RUNNING:
                self._adopted -= {container.id}  # a retry of the start that was interrupted
                return
            if container.state is not ContainerState.CREATED or container.id in self._removes:
                raise starts_once(container, removing=container.id in self._removes)
        await self._starts.join(container.id, lambda: self._starter.start(container))

    async def stop(self, container_id: str, grace_s: float) -> None:
        """Stop the container. An unknown, created or exited one succeeds. Raises DeadlineExceeded."""
        container = self._find(container_id)
        if container is None:
            return
        await self._starts.finished(container.id)
        await self._stopper.stop(self._store.get(container.id), grace_s)

    async def remove(self, container_id: str) -> None:
        """Kill the container if it runs and delete it, except its log. An unknown one succeeds.

        Raises FailedPrecondition while it is being started.
        """
        container = self._find(container_id)
        if container is None:
            return
        if container.id in self._starts:
            raise FailedPrecondition(f"container {container.id[:12]} is being started", hint="stop it first")
        await self._removes.join(container.id, lambda: self._remove(container.id))

    async def _remove(self, container_id: ContainerId) -> None:
        await self._stopper.stop(self._store.get(container_id), 0)
        await self._delete(container_id)

    async def pause(self, container_id: str) -> None:
        """Pause the container: see `pausing`. Raises NotFound, FailedPrecondition and DeadlineExceeded."""
        await self._pauser.pause(self.get(container_id))

    async def unpause(self, container_id: str) -> None:
        """Unpause the container. Raises NotFound and FailedPrecondition."""
        await self._pauser.unpause(self.get(container_id))

    # -- look-up

    @property
    def generation(self) -> int:
        """A number that changes with every change of a record."""
        return self._store.generation

    def get(self, container_id: str) -> Container:
        """A container that is visible to clients. Raises NotFound and InvalidArgument."""
        container = self._find(container_id)
        if container is None:
            raise NotFound(f"container {container_id[:64]!r} does not exist")
        return container

    def _find(self, container_id: str) -> Container | None:
        container = self._store.find(container_id)
        return None if container is None or container.state is ContainerState.CREATING else container

    def visible(self) -> list[Container]:
        """All containers that are visible to clients, oldest first."""
        shown = [container for container in self._store if container.state is not ContainerState.CREATING]
        return sorted(shown, key=lambda container: container.created_at)

    def in_sandbox(self, sandbox_id: SandboxId) -> list[Container]:
        """The containers of a sandbox, oldest first, including those that clients do not see yet."""
        return sorted(self._store.group(sandbox_id), key=lambda container: container.created_at)

    # -- steps for `pods`

    async def kill_all(self, sandbox_id: SandboxId) -> None:
        """SIGKILL all containers of a sandbox and wait for their ends.

        A container that is being created is waited for: its creation fails because the sandbox is not ready any
        longer.
        """
        for container in self.in_sandbox(sandbox_id):
            await self._creates.finished(key(sandbox_id, container.config))
        await _all(self.stop(container.id, 0) for container in self.in_sandbox(sandbox_id))

    async def write_off(self, sandbox_id: SandboxId) -> None:
        """As `kill_all`, and record containers that never started as EXITED."""
        await self.kill_all(sandbox_id)
        for container in self.in_sandbox(sandbox_id):
            write_off(self._store, container, "its sandbox was lost")

    async def remove_all(self, sandbox_id: SandboxId) -> None:
        """Remove every container of a sandbox."""
        await _all(self.remove(container.id) for container in self.in_sandbox(sandbox_id))

    async def settle(self, timeout_s: float) -> None:
        """Wait for requests in progress, then cancel and undo them."""
        for flight in (self._creates, self._starts, self._removes):
            await flight.settle(timeout_s)
        await self._pauser.settle(timeout_s)


def starts_once(container: Container, *, removing: bool) -> FailedPrecondition:
    """The error for a container that is not CREATED, with a hint for the caller."""
    label = f"container {container.id[:12]}"
    if removing:
        return FailedPrecondition(f"{label} cannot be started: it is being removed")
    if container.state is ContainerState.RUNNING:
        return FailedPrecondition(
            f"{label} was started already, and runs{f' as PID {container.pid}' if container.pid else ''}",
            hint="nothing to do if this is a retry: ContainerStatus shows its state",
        )
    return FailedPrecondition(
        f"{label} was started already, and has ended ({container.reason}, exit code {container.exit_code})",
        hint="create another one with a higher attempt number",
    )


async def _all(steps: Iterable[Awaitable[None]]) -> None:
    """Run all steps to their end, then raise the first failure."""
    for outcome in await asyncio.gather(*steps, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome

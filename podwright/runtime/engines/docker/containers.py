"""Containers: create, start, stop, remove, exec and look up.

The rules are those of the native engine's `container.service`. The steps are in the modules beside this one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any

import msgspec

from podwright.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from podwright.linux import cgroup
from podwright.process import Completed
from podwright.runtime.container import validate
from podwright.runtime.container.freezing import Freezer
from podwright.runtime.container.service import starts_once
from podwright.runtime.container.stopping import Stopper
from podwright.runtime.container.updating import check_memory
from podwright.runtime.engines.docker import creating, limits, refusals
from podwright.runtime.engines.docker.container_environment import EngineEnvironment
from podwright.runtime.engines.docker.host import EngineRecord, Listed
from podwright.runtime.engines.docker.running import EngineRunner
from podwright.runtime.engines.docker.stdio import attaching, execs
from podwright.runtime.handlers.protocol import Attached, Exec
from podwright.runtime.keyed_locks import KeyedLocks
from podwright.runtime.model.base import Resources
from podwright.runtime.model.container import Container, ContainerConfig, ContainerState
from podwright.runtime.model.ids import ContainerId, SandboxId
from podwright.runtime.model.streaming import AttachRequest, ExecRequest
from podwright.runtime.model.usage import Usage
from podwright.runtime.oci_spec import resources
from podwright.runtime.single_flight import SingleFlight
from podwright.streams.remote_command.resize import TerminalSize
from podwright.tasks import Tasks

log = logging.getLogger(__name__)


class EngineContainers:
    """All containers of the daemon."""

    def __init__(self, env: EngineEnvironment) -> None:
        """`recover` must run before any other call."""
        self._env = env
        self._store = env.store
        self.runner = EngineRunner(env)
        self._stopper = Stopper(env, self.runner)
        self._freezer = Freezer(env, self._stopper)
        self._updates: KeyedLocks[ContainerId] = KeyedLocks()
        self._creates: SingleFlight[tuple[str | int, ...], ContainerId] = SingleFlight("create container")
        self._starts: SingleFlight[ContainerId, None] = SingleFlight("start container")
        self._removes: SingleFlight[ContainerId, None] = SingleFlight("remove container")
        self._leaving: set[ContainerId] = set()  # whose disappearance from the Engine is no news
        self._background = Tasks()

    @property
    def generation(self) -> int:
        """A number that changes with every change of a record."""
        return self._store.generation

    # -- life

    async def create(self, sandbox_id: str, config: ContainerConfig) -> ContainerId:
        """Create a container in a READY sandbox. A repeated request joins the first one or returns its container.

        Raises NotFound (sandbox, image), InvalidArgument, FailedPrecondition and AlreadyExists. A failure leaves
        nothing behind.
        """
        validate.check(config)
        sandbox = self._env.sandboxes.get(sandbox_id)
        name = key(sandbox.id, config)
        existing = self._store.named(name)
        if existing is None or existing.state is ContainerState.CREATING:
            made = await self._creates.join(name, lambda: creating.create(self._env, sandbox, config))
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
        """Start a CREATED container. A request in progress is joined.

        Raises NotFound, FailedPrecondition, and what the Engine reports.
        """
        container = self.get(container_id)
        if container.id not in self._starts and (
            container.state is not ContainerState.CREATED or container.id in self._removes
        ):
            raise starts_once(container, removing=container.id in self._removes)
        await self._starts.join(container.id, lambda: self.runner.start(container))

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
        await self._forget(container_id)

    async def _forget(self, container_id: ContainerId) -> None:
        self._leaving.add(container_id)
        try:
            await self._env.host.remove(container_id)
            self._env.logs.forget(container_id)
            self._store.delete(container_id)
        finally:
            self._leaving.discard(container_id)

    async def pause(self, container_id: str) -> None:
        """Pause the container: see `container.freezing`. Raises NotFound and FailedPrecondition."""
        await self._freezer.pause(self.get(container_id))

    async def unpause(self, container_id: str) -> None:
        """Unpause the container. Raises NotFound and FailedPrecondition."""
        await self._freezer.unpause(self.get(container_id))

    async def update(self, container_id: str, change: Resources) -> None:
        """Set the limits in `change` and keep the others. Raises NotFound, InvalidArgument, FailedPrecondition."""
        container = self.get(container_id)
        await self._starts.finished(container.id)
        async with self._updates[container.id]:
            container = self.get(container.id)
            if container.state not in (ContainerState.CREATED, ContainerState.RUNNING):
                raise FailedPrecondition(
                    f"cannot update the resources of container {container.id[:12]}: it is {container.state}"
                )
            granted = self._env.limits(resources.merged(container.resources, change))
            refusals.check_resources(f"container {container.id[:12]}", granted)
            if container.state is ContainerState.RUNNING:
                check_memory(container, granted, cgroup.memory_held_bytes(self._env.cgroups, container.cgroup))
            await self._env.host.update(container.id, limits.fields(granted))
            self._store.put(msgspec.structs.replace(self._store.get(container.id), resources=granted))

    # -- processes

    async def check_exec(self, container: Container, command: tuple[str, ...]) -> None:
        """Raises InvalidArgument and FailedPrecondition for a command that cannot run."""
        if not command or not command[0]:
            raise InvalidArgument("exec: the command is empty")
        if any("\0" in word for word in command):
            raise InvalidArgument("exec: the command contains a NUL byte")
        if await self._env.task(container).is_paused():  # the command would be frozen as well
            raise FailedPrecondition(f"container {container.id[:12]} is paused", hint="unpause it first")

    async def exec_sync(self, container_id: str, command: tuple[str, ...], timeout_s: float) -> Completed:
        """Run a command and wait for its end. `timeout_s` 0 means no limit.

        Raises NotFound, InvalidArgument, FailedPrecondition, DeadlineExceeded and RuntimeFailed.
        """
        container = self.get(container_id)
        await self.check_exec(container, command)
        host = self._env.host
        session = await execs.prepare(
            host, self._env.cgroups, container, command, terminal=False, gone=self.runner.exited
        )
        return await execs.run(
            session,
            host,
            f"exec in container {container.id[:12]}",
            timeout_s=timeout_s,
            output_limit_bytes=self._env.settings.exec_output_limit_bytes,
        )

    async def exec(self, request: ExecRequest, size: TerminalSize | None = None) -> Exec:
        """Start a command with its stdio held by the caller. Raises as `exec_sync` does."""
        container = self.get(request.container_id)
        await self.check_exec(container, request.command)
        session = await execs.prepare(
            self._env.host,
            self._env.cgroups,
            container,
            request.command,
            terminal=request.tty,
            gone=self.runner.exited,
        )
        return await execs.start(
            session, self._env.host, self._background, terminal=request.tty, stdin=request.stdin, size=size
        )

    async def attach(self, request: AttachRequest) -> Attached:
        """Attach to the stdio of its first process. Raises NotFound and FailedPrecondition."""
        container = self.get(request.container_id)
        self.task(container)
        return await attaching.attach(self._env.host, container, self._background)

    def task(self, container: Container) -> object:
        """Raises FailedPrecondition if the container does not run."""
        return self._env.task(container)

    async def reopen_log(self, container_id: str) -> None:
        """Reopen its log file. Raises NotFound, FailedPrecondition and OSError."""
        container = self.get(container_id)
        self.task(container)
        if container.log_path:
            self._env.logs.reopen(container.id)

    # -- look-up

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

    def document(self, container: Container) -> dict[str, Any]:
        """The document for a verbose status."""
        return {
            "pid": container.pid,
            "sandboxID": container.sandbox_id,
            "cgroup": container.cgroup,
            "engine": container.task,
        }

    # -- usage

    def usage_cgroup(self, container: Container) -> str | None:
        """The cgroup with the container's usage."""
        return container.cgroup if container.state is ContainerState.RUNNING else None

    async def told_usages(self, _wanted: Iterable[Container]) -> dict[ContainerId, Usage]:
        """None: the usage of all is in cgroups of this host."""
        return {}

    def written_files(self, container: Container) -> str:
        """The directory of what the container wrote into its root. One that cannot exist if the driver has none."""
        return EngineRecord.of(container.task).upper or f"{self._env.root}/unknown"

    # -- steps for `pods`

    async def kill_all(self, sandbox_id: SandboxId) -> None:
        """SIGKILL all containers of a sandbox and wait for their ends."""
        for container in self.in_sandbox(sandbox_id):
            await self._creates.finished(key(sandbox_id, container.config))
        await _all(self.stop(container.id, 0) for container in self.in_sandbox(sandbox_id))

    async def write_off(self, sandbox_id: SandboxId) -> None:
        """As `kill_all`, and record containers that never started as EXITED."""
        await self.kill_all(sandbox_id)
        for container in self.in_sandbox(sandbox_id):
            self.runner.write_off(container, "its sandbox was lost")

    async def remove_all(self, sandbox_id: SandboxId) -> None:
        """Remove every container of a sandbox."""
        await _all(self.remove(container.id) for container in self.in_sandbox(sandbox_id))

    # -- reconciliation

    async def recover(self, *, rebooted: bool = False) -> None:  # noqa: ARG002 # the Engine knows
        """At start: undo incomplete containers and compare the others with the Engine. Raises as EngineHost does."""
        for container in self._store:
            is_lone = self._env.sandboxes.find(container.sandbox_id) is None
            if container.state is ContainerState.CREATING or is_lone:
                await self._forget(container.id)
        await self.compare(await self._env.host.ours())

    async def compare(self, listed: Mapping[str, Listed]) -> None:
        """Correct the records of containers that are otherwise in the Engine. Raises as EngineHost does."""
        for container in self._store:
            found = listed.get(container.id)
            match container.state:
                case ContainerState.RUNNING if (
                    found is None or not found.runs or not self.runner.follows(container.id)
                ):
                    await self.runner.observe(container.id)
                case ContainerState.CREATED if found is None or not found.is_created:
                    if container.id not in self._starts:
                        await self.runner.observe(container.id)
                case ContainerState.CREATING if key(container.sandbox_id, container.config) not in self._creates:
                    await self._forget(container.id)  # the Engine was away when it had to be undone
                case _:
                    continue

    def note_end(self, container_id: ContainerId) -> None:
        """The Engine tells that it has ended, or is gone."""
        if self._store.find(container_id) is not None and container_id not in self._leaving:
            self.runner.look(container_id)

    async def close(self, timeout_s: float) -> None:
        """Wait for jobs in progress, then cancel and undo them. Containers keep running."""
        for flight in (self._creates, self._starts, self._removes):
            await flight.settle(timeout_s)
        await self._freezer.settle(timeout_s)
        await self.runner.close()
        await self._background.close()


def key(sandbox_id: SandboxId, config: ContainerConfig) -> tuple[str | int, ...]:
    """What is unique among containers."""
    return (sandbox_id, config.name, config.attempt)


async def _all(steps: Iterable[Awaitable[None]]) -> None:
    """Run all steps to their end, then raise the first failure."""
    for outcome in await asyncio.gather(*steps, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome

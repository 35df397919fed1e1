"""The container service: create, start, stop, remove, exec and look up containers.

Called by the gRPC edge, and by `pods` for all containers of a pod. This service decides what is allowed when. The
modules beside it do the steps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any

import msgspec

from podwright.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from podwright.linux.cgroup import CgroupHost
from podwright.process import Completed
from podwright.runtime.config import Config
from podwright.runtime.container import creation, execution, recovery, validate
from podwright.runtime.container.editing import SpecEdit
from podwright.runtime.container.environment import ContainerEnvironment
from podwright.runtime.container.freezing import Freezer
from podwright.runtime.container.place import RestoredContent
from podwright.runtime.container.running import ContainerRunner
from podwright.runtime.container.stopping import Stopper
from podwright.runtime.container.updating import Updater
from podwright.runtime.handlers.protocol import Attached, Exec, Handler, Task
from podwright.runtime.handlers.registry import Handlers
from podwright.runtime.image import ImageService
from podwright.runtime.keyed_locks import KeyedLocks
from podwright.runtime.lifecycle import LifeCycles
from podwright.runtime.model.base import Resources
from podwright.runtime.model.container import Container, ContainerConfig, ContainerState
from podwright.runtime.model.ids import ContainerId, SandboxId
from podwright.runtime.model.streaming import AttachRequest, ExecRequest
from podwright.runtime.model.usage import Usage
from podwright.runtime.oci_spec.builder import HostAbilities
from podwright.runtime.sandbox.service import SandboxService
from podwright.runtime.security.profiles import Profiles
from podwright.runtime.single_flight import SingleFlight
from podwright.runtime.state import Database, Store
from podwright.streams.remote_command.resize import TerminalSize


def open_store(database: Database) -> Store[Container]:
    """The store of container records."""
    return Store(
        database,
        Container,
        table="containers",
        label="container",
        id_of=lambda record: record.id,
        name_of=lambda record: _key(record.sandbox_id, record.config),
        group_of=lambda record: record.sandbox_id,
    )


class ContainerService:
    """All containers of the daemon."""

    def __init__(  # noqa: PLR0913 # what it works with, each once
        self,
        store: Store[Container],
        config: Config,
        *,
        host: HostAbilities,
        cgroups: CgroupHost,
        profiles: Profiles,
        sandboxes: SandboxService,
        images: ImageService,
        handlers: Handlers,
        life: LifeCycles,
        edits: tuple[SpecEdit, ...],
    ) -> None:
        """`recover` must run before any other call."""
        self._store = store
        self._env = ContainerEnvironment(
            root=config.root,
            state=config.state,
            settings=config.containers,
            host=host,
            cgroups=cgroups,
            default_profile=profiles.seccomp,
            apparmor=profiles.apparmor,
            store=store,
            sandboxes=sandboxes,
            images=images,
            handlers=handlers,
            edits=edits,
            life=life,
        )
        self._sandboxes = sandboxes
        self._runner = ContainerRunner(self._env)
        self._stopper = Stopper(self._env, self._runner)
        self._freezer = Freezer(self._env, self._stopper)
        self._updater = Updater(self._env)
        self._reopens: KeyedLocks[ContainerId] = KeyedLocks()
        self._creates: SingleFlight[tuple[str | int, ...], ContainerId] = SingleFlight("create container")
        self._starts: SingleFlight[ContainerId, None] = SingleFlight("start container")
        self._removes: SingleFlight[ContainerId, None] = SingleFlight("remove container")
        self._adopted: frozenset[ContainerId] = frozenset()

    @property
    def generation(self) -> int:
        """A number that changes with every change of a record."""
        return self._store.generation

    def handler_of(self, container: Container) -> Handler:
        """The handler of the container's pod. Raises InvalidArgument if it is no longer configured."""
        return self._env.handler_of(container)

    def written_files(self, container: Container) -> str:
        """The directory of files that the container wrote into its root."""
        return self._env.paths(container.id).upper

    async def create(
        self, sandbox_id: str, config: ContainerConfig, kept: RestoredContent | None = None
    ) -> ContainerId:
        """Create a container in a READY sandbox. With `kept`, the container takes over that restored content.

        A repeated request joins the first one or returns its container. Raises NotFound (sandbox, image),
        InvalidArgument, FailedPrecondition and AlreadyExists. A failure leaves nothing behind.
        """
        validate.check(config)
        sandbox = self._sandboxes.get(sandbox_id)
        key = _key(sandbox.id, config)
        existing = self._store.named(key)
        if existing is None or existing.state is ContainerState.CREATING:
            made = await self._creates.join(key, lambda: creation.create(self._env, sandbox, config, kept))
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
        """Start a CREATED container. Raises NotFound, FailedPrecondition, and what the OCI runtime reports.

        For a running one it raises: the caller may have missed the first answer, or may expect a fresh process. A
        request in progress is joined.
        """
        container = self.get(container_id)
        if container.id in self._starts:
            await self._starts.join(container.id, lambda: self._runner.start(container))
            return
        if container.id in self._adopted and container.state is ContainerState.RUNNING:
            self._adopted -= {container.id}  # a retry of a start that a crash interrupted
            return
        if container.state is not ContainerState.CREATED or container.id in self._removes:
            raise starts_once(container, removing=container.id in self._removes)
        await self._starts.join(container.id, lambda: self._runner.start(container))

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
        container = self._store.get(container_id)
        async with self._env.life.held():
            await self._runner.delete(container)
            if self._env.life:
                await self._env.life.remove_container(self._sandboxes.record(container.sandbox_id), container)
            await recovery.forget(self._env, container)

    async def exec_sync(self, container_id: str, command: tuple[str, ...], timeout_s: float) -> Completed:
        """Run a command in the container: see `execution`. Also raises NotFound."""
        return await execution.exec_sync(self._env, self.get(container_id), command, timeout_s)

    async def update(self, container_id: str, change: Resources) -> None:
        """Change its limits: see `updating`. Waits for a start in progress. Also raises NotFound."""
        container = self.get(container_id)
        await self._starts.finished(container.id)
        await self._updater.update(container.id, change)

    async def update_quietly(self, container_id: str, change: Resources) -> None:
        """As `update`, on behalf of a listener of the life cycle: no listener is asked."""
        await self._updater.update(self.get(container_id).id, change, quietly=True)

    async def pause(self, container_id: str) -> None:
        """Pause the container: see `freezing`. Raises NotFound, FailedPrecondition and DeadlineExceeded."""
        await self._freezer.pause(self.get(container_id))

    async def unpause(self, container_id: str) -> None:
        """Unpause the container. Raises NotFound and FailedPrecondition."""
        await self._freezer.unpause(self.get(container_id))

    async def check_exec(self, container: Container, command: tuple[str, ...]) -> None:
        """Check whether `exec` could start the command now. Raises InvalidArgument and FailedPrecondition."""
        await execution.check(self._env, container, command)

    async def exec(self, request: ExecRequest, size: TerminalSize | None = None) -> Exec:
        """Start a command with its stdio held by the caller: see `execution`. Also raises NotFound."""
        return await execution.start(self._env, self.get(request.container_id), request, size)

    def task(self, container: Container) -> Task:
        """The task of a running container. Raises FailedPrecondition if it does not run."""
        return self._env.task(container)

    def usage_cgroup(self, container: Container) -> str | None:
        """The cgroup with the container's usage, or None if there is none, as for a virtual machine."""
        task = self._env.tasks.get(container.id)
        return None if task is None else task.cgroup

    async def told_usages(self, wanted: Iterable[Container]) -> dict[ContainerId, Usage]:
        """Usage as reported by handlers, for containers whose usage is in no cgroup of this host."""
        usages = {}
        for container in wanted:
            task = self._env.tasks.get(container.id)
            if task is not None and task.cgroup is None and (usage := await task.stats()) is not None:
                usages[container.id] = usage
        return usages

    async def attach(self, request: AttachRequest) -> Attached:
        """Attach to the stdio of its first process: see Task.attach. Also raises NotFound."""
        return await self._env.task(self.get(request.container_id)).attach()

    async def reopen_log(self, container_id: str) -> None:
        """Reopen its log file. Raises NotFound, FailedPrecondition and DeadlineExceeded."""
        container = self.get(container_id)
        task = self._env.task(container)
        async with self._reopens[container.id]:
            await task.reopen_log()

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

    def spec(self, container: Container) -> bytes:
        """Its OCI spec as JSON. Empty if the spec is gone."""
        try:
            with open(self._env.paths(container.id).spec, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return b"{}"

    def document(self, container: Container) -> dict[str, Any]:
        """The document for a verbose status."""
        return {
            "pid": container.pid,
            "sandboxID": container.sandbox_id,
            "cgroup": container.cgroup,
            "task": container.task,
            "runtimeSpec": msgspec.json.decode(self.spec(container)),
        }

    def in_sandbox(self, sandbox_id: SandboxId) -> list[Container]:
        """The containers of a sandbox, oldest first, including those that clients do not see yet."""
        return sorted(self._store.group(sandbox_id), key=lambda container: container.created_at)

    async def kill_all(self, sandbox_id: SandboxId) -> None:
        """SIGKILL all containers of a sandbox and wait for their ends.

        A container that is being created is waited for: its creation fails because the sandbox is not ready any
        longer.
        """
        for container in self.in_sandbox(sandbox_id):
            await self._creates.finished(_key(sandbox_id, container.config))
        await _all(self.stop(container.id, 0) for container in self.in_sandbox(sandbox_id))

    async def write_off(self, sandbox_id: SandboxId) -> None:
        """As `kill_all`, and record containers that never started as EXITED."""
        await self.kill_all(sandbox_id)
        for container in self.in_sandbox(sandbox_id):
            recovery.write_off(self._env, container, "its sandbox was lost")

    async def remove_all(self, sandbox_id: SandboxId) -> None:
        """Remove every container of a sandbox."""
        await _all(self.remove(container.id) for container in self.in_sandbox(sandbox_id))

    async def recover(self, *, rebooted: bool = False) -> None:
        """At start, after the sandboxes: see `recovery`. Raises OSError."""
        self._adopted = await recovery.recover(self._env, self._runner, rebooted=rebooted)

    async def close(self, timeout_s: float) -> None:
        """Wait for jobs in progress, then cancel and undo them. Containers keep running."""
        for flight in (self._creates, self._starts, self._removes):
            await flight.settle(timeout_s)
        await self._updater.settle(timeout_s)
        await self._freezer.settle(timeout_s)
        await self._runner.close()


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


def _key(sandbox_id: SandboxId, config: ContainerConfig) -> tuple[str | int, ...]:
    if not sandbox_id:
        raise InvalidArgument("the sandbox id is empty")
    return (sandbox_id, config.name, config.attempt)


async def _all(steps: Iterable[Awaitable[None]]) -> None:
    """Run all steps to their end, then raise the first failure."""
    for outcome in await asyncio.gather(*steps, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome

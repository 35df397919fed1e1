"""Containers: create, start, stop, remove, exec and look up.

The rules are those of the native engine's `container.service`. The steps are in the modules beside this one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from podwright.errors import FailedPrecondition
from podwright.linux import cgroup
from podwright.process import Completed
from podwright.runtime.container import execution, validate
from podwright.runtime.container.requests import ContainerRequests, key
from podwright.runtime.container.updating import check_memory
from podwright.runtime.engines.docker import creating, limits, refusals
from podwright.runtime.engines.docker.container_environment import EngineEnvironment
from podwright.runtime.engines.docker.host import EngineRecord, ListedContainer
from podwright.runtime.engines.docker.running import EngineRunner
from podwright.runtime.engines.docker.stdio import attaching, execs
from podwright.runtime.handlers.protocol import Attached, Exec
from podwright.runtime.keyed_locks import KeyedLocks
from podwright.runtime.model.base import Resources
from podwright.runtime.model.container import Container, ContainerConfig, ContainerState
from podwright.runtime.model.ids import ContainerId
from podwright.runtime.model.streaming import AttachRequest, ExecRequest
from podwright.runtime.model.usage import Usage
from podwright.runtime.oci_spec import resources
from podwright.streams.remote_command.resize import TerminalSize
from podwright.tasks import Tasks

log = logging.getLogger(__name__)


class EngineContainers(ContainerRequests):
    """All containers of the daemon."""

    def __init__(self, env: EngineEnvironment) -> None:
        """`recover` must run before any other call."""
        self._env = env
        self.runner = EngineRunner(env)
        super().__init__(env, self.runner)
        self._updates: KeyedLocks[ContainerId] = KeyedLocks()
        self._leaving: set[ContainerId] = set()  # whose disappearance from the Engine is no news
        self._background = Tasks()

    # -- life

    async def create(self, sandbox_id: str, config: ContainerConfig) -> ContainerId:
        """Create a container in a READY sandbox. A repeated request joins the first one or returns its container.

        Raises NotFound (sandbox, image), InvalidArgument, FailedPrecondition and AlreadyExists. A failure leaves
        nothing behind.
        """
        validate.check(config)
        sandbox = self._env.sandboxes.get(sandbox_id)
        return await self._create_once(sandbox.id, config, lambda: creating.create(self._env, sandbox, config))

    async def _delete(self, container_id: ContainerId) -> None:
        self._leaving.add(container_id)
        try:
            await self._env.host.remove(container_id)
            self._env.logs.forget(container_id)
            self._store.delete(container_id)
        finally:
            self._leaving.discard(container_id)

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
        await execution.check(self._env, container, command)

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

    async def reported_usages(self, _wanted: Iterable[Container]) -> dict[ContainerId, Usage]:
        """None: the usage of all is in cgroups of this host."""
        return {}

    def written_files(self, container: Container) -> str:
        """The directory of what the container wrote into its root. One that cannot exist if the driver has none."""
        return EngineRecord.of(container.task).upper or f"{self._env.root}/unknown"

    def knows(self, container_id: str) -> bool:
        """Whether there is a record of it, also one that clients do not see yet."""
        return self._store.find(container_id) is not None

    # -- reconciliation

    async def recover(self, *, rebooted: bool = False) -> None:  # noqa: ARG002 # the Engine knows
        """At start: undo incomplete containers and compare the others with the Engine. Raises as EngineHost does."""
        for container in self._store:
            is_lone = self._env.sandboxes.find(container.sandbox_id) is None
            if container.state is ContainerState.CREATING or is_lone:
                await self._delete(container.id)
        await self.compare(await self._env.host.ours())

    async def compare(self, listed: Mapping[str, ListedContainer]) -> None:
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
                    await self._delete(container.id)  # the Engine was away when it had to be undone
                case _:
                    continue

    def note_end(self, container_id: ContainerId) -> None:
        """The Engine tells that it has ended, or is gone."""
        if self._store.find(container_id) is not None and container_id not in self._leaving:
            self.runner.look(container_id)

    async def close(self, timeout_s: float) -> None:
        """Wait for jobs in progress, then cancel and undo them. Containers keep running."""
        await self.settle(timeout_s)
        await self.runner.close()
        await self._background.close()

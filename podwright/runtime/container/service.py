"""The container service: create, start, stop, remove, exec and look up containers.

Called by the gRPC edge, and by `pods` for all containers of a pod. This service decides what is allowed when. The
modules beside it do the steps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from podwright.process import Completed
from podwright.runtime.container import creating, execution, recovery, removing, validate
from podwright.runtime.container.environment import ContainerEnvironment
from podwright.runtime.container.filesystem.root import RestoredContent
from podwright.runtime.container.requests import ContainerRequests
from podwright.runtime.container.running import ContainerRunner
from podwright.runtime.container.updating import Updater
from podwright.runtime.handlers.protocol import Attached, Exec, Handler, Task
from podwright.runtime.keyed_locks import KeyedLocks
from podwright.runtime.model.base import Resources
from podwright.runtime.model.container import Container, ContainerConfig
from podwright.runtime.model.ids import ContainerId
from podwright.runtime.model.streaming import AttachRequest, ExecRequest
from podwright.runtime.model.usage import Usage
from podwright.streams.remote_command.resize import TerminalSize


class ContainerService(ContainerRequests):
    """All containers of the daemon."""

    def __init__(self, env: ContainerEnvironment) -> None:
        """`recover` must run before any other call."""
        self._env = env
        self._sandboxes = env.sandboxes
        self._runner = ContainerRunner(self._env)
        super().__init__(self._env, self._runner)
        self._updater = Updater(self._env)
        self._reopens: KeyedLocks[ContainerId] = KeyedLocks()

    def handler_of(self, container: Container) -> Handler:
        """The handler of the container's pod. Raises InvalidArgument if it is no longer configured."""
        return self._env.handler_of(container)

    def written_files(self, container: Container) -> str:
        """The directory of files that the container wrote into its root."""
        return self._env.paths(container.id).upper

    async def create(
        self, sandbox_id: str, config: ContainerConfig, restored: RestoredContent | None = None
    ) -> ContainerId:
        """Create a container in a READY sandbox. It takes over the content of `restored`, if given.

        A repeated request joins the first one or returns its container. Raises NotFound (sandbox, image),
        InvalidArgument, FailedPrecondition and AlreadyExists. A failure leaves nothing behind.
        """
        validate.check(config)
        sandbox = self._sandboxes.get(sandbox_id)
        return await self._create_once(
            sandbox.id, config, lambda: creating.create(self._env, sandbox, config, restored)
        )

    async def _delete(self, container_id: ContainerId) -> None:
        await removing.remove(self._env, self._runner, self._store.get(container_id))

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

    async def reported_usages(self, wanted: Iterable[Container]) -> dict[ContainerId, Usage]:
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

    async def recover(self, *, rebooted: bool = False) -> None:
        """At start, after the sandboxes: see `recovery`. Raises OSError."""
        self._adopted = await recovery.recover(self._env, self._runner, rebooted=rebooted)

    async def close(self, timeout_s: float) -> None:
        """Wait for jobs in progress, then cancel and undo them. Containers keep running."""
        await self.settle(timeout_s)
        await self._updater.settle(timeout_s)
        await self._runner.close()

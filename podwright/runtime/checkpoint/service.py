"""CheckpointContainer and CheckpointPod: write running containers to archives. The containers keep running.

    freeze --> CRIU's dump --> writable layer --> resume --> archive --> rename to its final name

Processes and files belong to one moment, because nothing runs from the first step to the third. For a pod that holds
for all its containers. See `capture` for the steps.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence

from podwright.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument
from podwright.linux.files import remove_file, write_new
from podwright.runtime.checkpoint import archive, documents, request
from podwright.runtime.checkpoint.capture import Capture
from podwright.runtime.checkpoint.criu import Criu
from podwright.runtime.config import Config
from podwright.runtime.container.service import ContainerService
from podwright.runtime.keyed_locks import KeyedLocks
from podwright.runtime.model.container import Container, ContainerState
from podwright.runtime.model.ids import ContainerId
from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.sandbox.service import SandboxService

LONGEST_S = 3600.0  # the limit if the caller sets none


class CheckpointService:
    """Writes checkpoints. Checkpoints of one container run one after the other."""

    def __init__(
        self,
        config: Config,
        containers: ContainerService,
        sandboxes: SandboxService,
        criu: Criu,
    ) -> None:
        self._work = f"{config.root}/checkpoints"
        self._ours = (config.root, config.state, config.image_root)
        self._containers = containers
        self._sandboxes = sandboxes
        self._criu = criu
        self._turns: KeyedLocks[ContainerId] = KeyedLocks()

    async def container(self, container_id: str, location: str, timeout_s: float) -> None:
        """Write the archive `location`, replacing an older one. `timeout_s` 0: no limit by the caller.

        Raises NotFound, InvalidArgument, FailedPrecondition if it does not run, Unimplemented if the host or the OCI
        runtime does not support it, DeadlineExceeded, and RuntimeFailed with the runtime's message.
        """
        if timeout_s < 0:
            raise InvalidArgument("timeout is negative")
        container = self._containers.get(container_id)
        request.check_location(location, ours=self._ours)
        async with within(timeout_s or LONGEST_S):
            await self._require([container])
            await self._write([container], {container.id: location})

    async def pod(
        self, sandbox_id: str, folder: str, container_ids: Sequence[str], options: dict[str, str], timeout_s: float
    ) -> None:
        """Write an archive of every running container, all of one moment, and `pod.dump` to the empty `folder`.

        Raises as `container` does. After a failure the directory is empty again.
        """
        sandbox = self._sandboxes.get(sandbox_id)
        request.check_options(options)
        request.check_names("container_ids", container_ids)
        request.check_output(folder, ours=self._ours)
        containers = self._selected(sandbox, container_ids)
        targets = {container.id: f"{folder}/{container.id}.tar" for container in containers}
        async with within(timeout_s):
            await self._require(containers)
            try:
                await self._write(containers, targets)
                names = {container.config.name: f"{container.id}.tar" for container in containers}
                write_new(f"{folder}/{archive.POD}", documents.of_pod(sandbox, names), mode=0o600)
            except BaseException:
                for target in targets.values():
                    remove_file(target)
                raise

    def _selected(self, sandbox: Sandbox, container_ids: Sequence[str]) -> list[Container]:
        """The named containers, which must be all running ones.

        Raises NotFound, InvalidArgument and FailedPrecondition.
        """
        named = [self._containers.get(container_id) for container_id in container_ids]
        for container in named:
            if container.sandbox_id != sandbox.id:
                raise InvalidArgument(f"container {container.id[:12]} is not in sandbox {sandbox.id[:12]}")
        inside = self._containers.in_sandbox(sandbox.id)
        running = {container.id for container in inside if container.state is ContainerState.RUNNING}
        if running != {container.id for container in named}:
            raise FailedPrecondition(
                f"container_ids are not the running containers of sandbox {sandbox.id[:12]}",
                hint=f"running: {', '.join(sorted(running)) or 'none'}",
            )
        return named

    async def _require(self, containers: Sequence[Container]) -> None:
        """Raises FailedPrecondition for containers that checkpoints do not support, and Unimplemented."""
        for container in containers:
            if container.state is not ContainerState.RUNNING:
                raise FailedPrecondition(f"container {container.id[:12]} is not running ({container.state})")
            request.check_users(f"container {container.id[:12]}", container.config.security.namespaces.own_user)
            await self._criu.require(self._containers.handler_of(container))

    async def _write(self, containers: Sequence[Container], targets: Mapping[ContainerId, str]) -> None:
        async with contextlib.AsyncExitStack() as stack:
            for container in sorted(
                containers, key=lambda each: each.id
            ):  # one order for all callers prevents a deadlock
                await stack.enter_async_context(self._turns[container.id])
            captures = [
                await stack.enter_async_context(Capture(self._containers, each, f"{self._work}/{each.id}"))
                for each in containers
            ]
            async with contextlib.AsyncExitStack() as frozen:
                for capture in captures:
                    await frozen.enter_async_context(capture.standing_still())
                for capture in captures:
                    await capture.dump(self._criu.path)
            for capture in captures:
                await capture.archive(targets[capture.container.id])

    async def end_abandoned(self) -> None:
        """At start, after the containers: end what a killed daemon left."""
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(self._work):
                await Capture.end_abandoned(self._containers, ContainerId(name), f"{self._work}/{name}")


@contextlib.asynccontextmanager
async def within(timeout_s: float) -> AsyncIterator[None]:
    """Raises DeadlineExceeded if the block takes longer. LONGEST_S is the maximum."""
    try:
        async with asyncio.timeout(min(timeout_s, LONGEST_S)):
            yield
    except TimeoutError as late:
        raise DeadlineExceeded(f"the checkpoint was not done within {timeout_s:g} s") from late

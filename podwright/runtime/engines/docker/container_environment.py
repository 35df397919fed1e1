"""What the steps of a container's life share: the Engine, the other services, the settings and the records."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from podwright.errors import FailedPrecondition
from podwright.linux.cgroup import CgroupHost
from podwright.runtime.config import ContainerSettings
from podwright.runtime.engines.docker.host import EngineHost
from podwright.runtime.engines.docker.images import EngineImages
from podwright.runtime.engines.docker.logs.copies import LogCopies
from podwright.runtime.engines.docker.sandboxes import EngineSandboxes
from podwright.runtime.model.base import Resources
from podwright.runtime.model.container import Container, ContainerState
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.oci_spec import resources
from podwright.runtime.oci_spec.builder import HostAbilities
from podwright.runtime.sandbox.paths import SandboxPaths, sandbox_paths
from podwright.runtime.state import Store

log = logging.getLogger(__name__)


class EngineEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """Made once by the engine's assembly."""

    root: str
    state: str
    settings: ContainerSettings
    abilities: HostAbilities
    cgroups: CgroupHost
    host: EngineHost
    store: Store[Container]
    sandboxes: EngineSandboxes
    images: EngineImages
    logs: LogCopies
    default_seccomp: dict[str, Any] | None  # None: the Engine's own

    def files(self, sandbox_id: SandboxId) -> SandboxPaths:
        """The pod's files on the host."""
        return sandbox_paths(self.state, sandbox_id)

    def limits(self, wanted: Resources) -> Resources:
        """The limits that a container gets. Raises InvalidArgument and FailedPrecondition."""
        return resources.granted(wanted, self.abilities.cgroups, lowest_oom_score_adj=self.abilities.oom_score_adj)

    def task(self, container: Container) -> EngineTask:
        """The task of a running container. Raises FailedPrecondition if it does not run."""
        if container.state is not ContainerState.RUNNING:
            raise FailedPrecondition(f"container {container.id[:12]} is not running ({container.state})")
        return EngineTask(self.host, container)


class EngineTask:
    """A running container: signals and pauses."""

    def __init__(self, host: EngineHost, container: Container) -> None:
        self._host = host
        self._id = container.id

    async def kill(self, number: int, *, everyone: bool = False) -> None:
        """Send a signal to the first process, after a pause was ended. With `everyone`, the Engine kills the rest."""
        if everyone:
            log.info("the Engine kills what is left with the first process: id=%s", self._id[:12])
        await self.resume()
        await self._host.kill(self._id, number)

    async def pause(self) -> None:
        """Return when no process of it runs. Pausing twice succeeds."""
        if not await self.is_paused():
            await self._host.pause(self._id)

    async def resume(self) -> None:
        """Let it continue. Also succeeds if it was not paused."""
        if await self.is_paused():
            await self._host.unpause(self._id)

    async def is_paused(self) -> bool:
        """Whether its processes are frozen."""
        state = await self._host.inspect(self._id)
        return state is not None and state.status == "paused"

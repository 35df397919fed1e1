"""Who listens to the life of this engine's pods, and what NRI's plug-ins may know and do of them."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from podwright.process import ProcessRunner
from podwright.runtime import hooks
from podwright.runtime.cdi import Cdi
from podwright.runtime.classes import ResourceClasses
from podwright.runtime.config import Config
from podwright.runtime.container.service import ContainerService
from podwright.runtime.lifecycle import LifeCycles
from podwright.runtime.model.base import Resources
from podwright.runtime.model.container import Container
from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.nri.service import Nri
from podwright.runtime.sandbox.service import SandboxService


class Listeners(msgspec.Struct, frozen=True, kw_only=True):
    """All of them as `life`, and those that are started and closed."""

    life: LifeCycles
    nri: Nri | None

    def attach(self, sandboxes: SandboxService, containers: ContainerService) -> None:
        """Give them what they may know."""
        if self.nri is not None:
            self.nri.attach(_Pods(sandboxes, containers), self.life)

    async def start(self) -> None:
        """After recovery."""
        if self.nri is not None:
            await self.nri.start()

    async def close(self) -> None:
        """The daemon ends."""
        if self.nri is not None:
            await self.nri.close()


def make(config: Config, runner: ProcessRunner, cdi: Cdi, classes: ResourceClasses) -> Listeners:
    """Those of the configuration. Raises FailedPrecondition for a hook that there is not."""
    nri = None if config.nri.disable else Nri(config.nri, runner, cdi, classes)
    found = [*hooks.load(config.hooks), *([nri] if nri is not None else [])]
    return Listeners(life=LifeCycles(*found), nri=nri)


class _Pods:
    """The services as NRI needs them."""

    def __init__(self, sandboxes: SandboxService, containers: ContainerService) -> None:
        self._sandboxes = sandboxes
        self._containers = containers

    def sandboxes(self) -> list[Sandbox]:
        return self._sandboxes.visible()

    def containers(self) -> list[Container]:
        return self._containers.visible()

    def spec(self, container: Container) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self._containers.spec(container))
        return document

    async def update(self, container_id: str, change: Resources) -> None:
        await self._containers.update_quietly(container_id, change)

    async def stop(self, container_id: str) -> None:
        await self._containers.stop(container_id, 0)

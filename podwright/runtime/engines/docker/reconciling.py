"""Corrects the records by the Engine's containers: at start, after the Engine was away, and with each event."""

from __future__ import annotations

import logging

from podwright.runtime.engines.docker.containers import EngineContainers
from podwright.runtime.engines.docker.feed import EngineEvent
from podwright.runtime.engines.docker.host import EngineHost
from podwright.runtime.engines.docker.images import EngineImages
from podwright.runtime.engines.docker.labels import CONTAINER, KIND, ROOT, SANDBOX
from podwright.runtime.engines.docker.sandboxes import EngineSandboxes
from podwright.runtime.insisting import insist
from podwright.runtime.model.ids import ContainerId, SandboxId
from podwright.tasks import Tasks

log = logging.getLogger(__name__)


class Reconciler:
    """Passes the Engine's events to the services whose records they are about."""

    def __init__(
        self, host: EngineHost, sandboxes: EngineSandboxes, containers: EngineContainers, images: EngineImages
    ) -> None:
        self._host = host
        self._sandboxes = sandboxes
        self._containers = containers
        self._images = images
        self._background = Tasks()

    async def compare(self) -> None:
        """Compare everything: events were missed. Raises as EngineHost does."""
        listed = await self._host.ours()
        await self._sandboxes.compare(listed)
        await self._containers.compare(listed)
        await self._images.refresh()
        await self._images.ensure_pause()

    async def remove_unknown(self) -> None:
        """At start: remove our containers that have no record. Raises as EngineHost does."""
        known = {*(one.id for one in self._sandboxes.visible()), *(one.id for one in self._containers.visible())}
        for name, entry in (await self._host.ours()).items():
            if name not in known:
                log.warning("removing unknown container: id=%s kind=%s", name[:12], entry.kind)
                await self._host.remove(name)

    def note(self, event: EngineEvent) -> None:
        """One event."""
        if event.kind == "image":
            self._images.note_change()
        elif event.attributes.get(ROOT) != self._host.root:
            return
        elif event.action == "create":
            self._note_created(event.name)
        elif event.attributes.get(KIND) == SANDBOX:
            self._sandboxes.note_lost(SandboxId(event.name))
        elif event.attributes.get(KIND) == CONTAINER:
            self._containers.note_end(ContainerId(event.name))

    def _note_created(self, name: str) -> None:
        """Remove a container that an Engine which hung has made after the request was given up and undone."""
        if self._sandboxes.find(name) is None and not self._containers.knows(name):
            what = f"removing container {name[:12]}, which was given up"
            self._background.start(insist(lambda: self._host.remove(name), what), name=what)

    async def close(self) -> None:
        """Stop removing."""
        await self._background.close()

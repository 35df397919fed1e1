"""StartPodSandbox, StopPodSandbox and RemovePodSandbox: what concerns a sandbox and the containers in it.

The services below know one kind each. Here is the order in which their steps are taken. A request that is repeated
joins the first one.
"""

from __future__ import annotations

import contextlib

from podwright.errors import FailedPrecondition
from podwright.runtime.container.service import ContainerService
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.sandbox.service import SandboxService
from podwright.runtime.single_flight import SingleFlight


class PodService:
    """All pods of the daemon."""

    def __init__(self, sandboxes: SandboxService, containers: ContainerService) -> None:
        self._sandboxes = sandboxes
        self._containers = containers
        self._starts: SingleFlight[SandboxId, None] = SingleFlight("start sandbox")
        self._stops: SingleFlight[SandboxId, None] = SingleFlight("stop sandbox")
        self._removes: SingleFlight[SandboxId, None] = SingleFlight("remove sandbox")

    async def start(self, sandbox_id: str) -> None:
        """Make a NOTREADY sandbox READY again, without the containers that it had. A whole READY one is left alone.

        Raises NotFound, FailedPrecondition when its handler is gone, and what RunPodSandbox raises.
        """
        sandbox = self._sandboxes.get(sandbox_id)
        await self._stops.finished(sandbox.id)
        if sandbox.id in self._removes:
            raise FailedPrecondition(f"sandbox {sandbox.id[:12]} is being removed")
        await self._starts.join(sandbox.id, lambda: self._start(sandbox.id))

    async def _start(self, sandbox_id: SandboxId) -> None:
        if self._sandboxes.is_whole(sandbox_id):
            return
        self._sandboxes.note_lost(sandbox_id)
        await self._containers.write_off(sandbox_id)
        await self._sandboxes.rebuild(sandbox_id)

    async def stop(self, sandbox_id: str) -> None:
        """Kill what runs in it and take its network down. An unknown id and a second call are successes."""
        sandbox = self._sandboxes.find(sandbox_id)
        if sandbox is not None:
            await self._stops.join(sandbox.id, lambda: self._stop(sandbox.id))

    async def _stop(self, sandbox_id: SandboxId) -> None:
        await self._starts.finished(sandbox_id)
        sandbox = self._sandboxes.note_stopping(sandbox_id)
        await self._containers.kill_all(sandbox_id)
        await self._sandboxes.tear_down(sandbox)

    async def remove(self, sandbox_id: str) -> None:
        """Stop it and delete it with all its containers. An unknown id is a success."""
        sandbox = self._sandboxes.find(sandbox_id)
        if sandbox is not None:
            await self._removes.join(sandbox.id, lambda: self._remove(sandbox.id))

    async def _remove(self, sandbox_id: SandboxId) -> None:
        await self.stop(sandbox_id)
        await self._containers.remove_all(sandbox_id)
        await self._sandboxes.forget(sandbox_id)

    async def recover(self, *, rebooted: bool) -> None:
        """At start: compare the records of sandboxes, then those of containers, with reality."""
        await self._sandboxes.recover(rebooted=rebooted)
        await self._containers.recover(rebooted=rebooted)

    async def close(self, timeout_s: float) -> None:
        """Let jobs under way end, or undo them; pods continue."""
        async with contextlib.AsyncExitStack() as stack:  # the last first; one that fails keeps none from its end
            stack.push_async_callback(self._sandboxes.close, timeout_s)
            stack.push_async_callback(self._containers.close, timeout_s)
            for flight in (self._starts, self._stops, self._removes):
                stack.push_async_callback(flight.settle, timeout_s)

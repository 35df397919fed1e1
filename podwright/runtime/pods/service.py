"""StartPodSandbox, StopPodSandbox and RemovePodSandbox: operations on a sandbox together with its containers.

The services below handle one kind each. This service decides the order of their steps. A repeated request joins the
first one.
"""

from __future__ import annotations

import contextlib
from typing import Protocol

from podwright.errors import FailedPrecondition
from podwright.runtime.lifecycle import LifeCycles
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import Sandbox, SandboxState
from podwright.runtime.single_flight import SingleFlight


class PodSandboxes(Protocol):
    """What this service needs of an engine's sandboxes: see `sandbox.service`."""

    def get(self, sandbox_id: str, /) -> Sandbox: ...
    def find(self, sandbox_id: str, /) -> Sandbox | None: ...
    def is_whole(self, sandbox_id: SandboxId, /) -> bool: ...
    def note_lost(self, sandbox_id: SandboxId, /) -> None: ...
    def note_stopping(self, sandbox_id: SandboxId, /) -> Sandbox: ...
    async def rebuild(self, sandbox_id: SandboxId, /) -> None: ...
    async def tear_down(self, sandbox: Sandbox, /) -> None: ...
    async def forget(self, sandbox_id: SandboxId, /) -> None: ...
    async def recover(self, *, rebooted: bool) -> None: ...
    async def close(self, timeout_s: float, /) -> None: ...


class PodContainers(Protocol):
    """And of its containers: see `container.service`."""

    async def kill_all(self, sandbox_id: SandboxId, /) -> None: ...
    async def write_off(self, sandbox_id: SandboxId, /) -> None: ...
    async def remove_all(self, sandbox_id: SandboxId, /) -> None: ...
    async def recover(self, *, rebooted: bool) -> None: ...
    async def close(self, timeout_s: float, /) -> None: ...


class PodService:
    """All pods of the daemon."""

    def __init__(self, sandboxes: PodSandboxes, containers: PodContainers, life: LifeCycles | None = None) -> None:
        self._sandboxes = sandboxes
        self._life = life or LifeCycles()
        self._containers = containers
        self._starts: SingleFlight[SandboxId, None] = SingleFlight("start sandbox")
        self._stops: SingleFlight[SandboxId, None] = SingleFlight("stop sandbox")
        self._removes: SingleFlight[SandboxId, None] = SingleFlight("remove sandbox")

    async def start(self, sandbox_id: str) -> None:
        """Make a NOTREADY sandbox READY again, without its former containers.

        A READY sandbox that is intact stays as it is.

        Raises NotFound, FailedPrecondition if its handler does not exist any longer, and what RunPodSandbox raises.
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
        """Kill the pod's containers and remove its network. An unknown id and a repeated call succeed."""
        sandbox = self._sandboxes.find(sandbox_id)
        if sandbox is not None:
            await self._stops.join(sandbox.id, lambda: self._stop(sandbox.id))

    async def _stop(self, sandbox_id: SandboxId) -> None:
        await self._starts.finished(sandbox_id)
        sandbox = self._sandboxes.note_stopping(sandbox_id)
        await self._containers.kill_all(sandbox_id)
        async with self._life.held():
            if self._life and (sandbox.state is SandboxState.STOPPING or sandbox.attachment or sandbox.process):
                await self._life.stop_sandbox(sandbox)
            await self._sandboxes.tear_down(sandbox)

    async def remove(self, sandbox_id: str) -> None:
        """Stop the sandbox and delete it with all its containers. An unknown id succeeds."""
        sandbox = self._sandboxes.find(sandbox_id)
        if sandbox is not None:
            await self._removes.join(sandbox.id, lambda: self._remove(sandbox.id))

    async def _remove(self, sandbox_id: SandboxId) -> None:
        await self.stop(sandbox_id)
        await self._containers.remove_all(sandbox_id)
        async with self._life.held():
            sandbox = self._sandboxes.find(sandbox_id)
            await self._sandboxes.forget(sandbox_id)
            if self._life and sandbox is not None:
                await self._life.remove_sandbox(sandbox)

    async def recover(self, *, rebooted: bool) -> None:
        """At start: compare first the sandboxes' records, then the containers', with the host."""
        await self._sandboxes.recover(rebooted=rebooted)
        await self._containers.recover(rebooted=rebooted)

    async def close(self, timeout_s: float) -> None:
        """Wait for jobs in progress, then cancel and undo them. Pods keep running."""
        async with contextlib.AsyncExitStack() as stack:  # in reverse order; a failure does not skip the others
            stack.push_async_callback(self._sandboxes.close, timeout_s)
            stack.push_async_callback(self._containers.close, timeout_s)
            for flight in (self._starts, self._stops, self._removes):
                stack.push_async_callback(flight.settle, timeout_s)

"""The sandbox service: run, stop, remove and look up pod sandboxes.

Called by the gRPC edge. What is asked for twice is done once; the deeds themselves are in `building`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

import msgspec

from podwright.errors import AlreadyExists, FailedPrecondition, NotFound
from podwright.linux.selinux import free_level
from podwright.runtime.handlers.protocol import Handler
from podwright.runtime.handlers.registry import Handlers
from podwright.runtime.model.base import NamespaceMode
from podwright.runtime.model.ids import SandboxId, new_id
from podwright.runtime.model.sandbox import Sandbox, SandboxConfig, SandboxName, SandboxState
from podwright.runtime.network import NetworkService
from podwright.runtime.sandbox import recovery, reviving, validate
from podwright.runtime.sandbox.building import Builder, SandboxSettings
from podwright.runtime.sandbox.first_process import FirstProcesses
from podwright.runtime.sandbox.occupants import Occupants
from podwright.runtime.single_flight import SingleFlight
from podwright.runtime.state import Database, Store

log = logging.getLogger(__name__)


class SandboxService:
    """All sandboxes of the daemon."""

    def __init__(
        self,
        database: Database,
        settings: SandboxSettings,
        handlers: Handlers,
        network: NetworkService,
        first_processes: FirstProcesses,
    ) -> None:
        """Loads the records; `reconcile` must run before anything else is asked."""
        self.store: Store[Sandbox] = Store(
            database,
            Sandbox,
            table="sandboxes",
            label="sandbox",
            id_of=lambda record: record.id,
            name_of=lambda r: _key(r.config.name),
        )
        self.builder = Builder(self.store, settings, handlers, network, first_processes)
        self._settings = settings
        self._handlers = handlers
        self._runs: SingleFlight[tuple[str | int, ...], SandboxId] = SingleFlight("run sandbox")
        self._starts: SingleFlight[SandboxId, None] = SingleFlight("start sandbox")
        self._stops: SingleFlight[SandboxId, None] = SingleFlight("stop sandbox")
        self._removes: SingleFlight[SandboxId, None] = SingleFlight("remove sandbox")
        self.occupants: Occupants

    async def run(self, config: SandboxConfig, handler: str) -> SandboxId:
        """Make a sandbox and return when it is READY.

        The same request again joins the one in flight, or returns what is there. Raises InvalidArgument,
        AlreadyExists (the name is taken by a different or stopped sandbox), FailedPrecondition and what the network
        raises; nothing is left behind then.
        """
        validate.check(config)
        chosen = self.handler(handler).name
        existing = self.named(config.name)
        if existing is None or existing.state is SandboxState.CREATING:
            made = await self._runs.join(_key(config.name), lambda: self._create(config, chosen, handler))
            existing = self.store.find(made)
            if existing is None or (existing.config, existing.handler) == (config, chosen):
                return made
        elif existing.state is SandboxState.READY and (existing.config, existing.handler) == (config, chosen):
            return existing.id
        raise AlreadyExists(
            f"sandbox {config.name.namespace}/{config.name.name} attempt {config.name.attempt} exists already as "
            f"{existing.id[:12]} ({existing.state})",
            hint="remove it, or count the attempt up",
        )

    async def _create(self, config: SandboxConfig, handler: str, requested: str) -> SandboxId:
        sandbox_id = SandboxId(new_id())
        netns = self.builder.paths(sandbox_id).netns
        sandbox = self.store.put(
            Sandbox(
                id=sandbox_id,
                config=config,
                handler=handler,
                requested_handler=requested,
                state=SandboxState.CREATING,
                created_at=self.store.now(),
                netns="" if config.security.namespaces.network is NamespaceMode.NODE else netns,
                cgroup_parent=self._settings.parents.of(config, sandbox_id),
                selinux_level=self._selinux_level(sandbox_id),
            )
        )
        try:
            await self.builder.build(sandbox)
        except BaseException:
            await asyncio.shield(self.builder.undo(sandbox))
            raise
        log.info("sandbox is ready: id=%s pod=%s/%s", sandbox_id[:12], config.name.namespace, config.name.name)
        return sandbox_id

    def _selinux_level(self, sandbox_id: SandboxId) -> str:
        """One that no other pod has; empty on a host without SELinux."""
        if self._settings.selinux is None:
            return ""
        return free_level(int(sandbox_id[:16], 16), frozenset(other.selinux_level for other in self.store))

    async def start(self, sandbox_id: str) -> None:
        """Bring a NOTREADY sandbox back: see `reviving`. Raises NotFound besides."""
        sandbox = self.get(sandbox_id)
        await self._stops.finished(sandbox.id)
        if sandbox.id in self._removes:
            raise FailedPrecondition(f"sandbox {sandbox.id[:12]} is being removed")
        await self._starts.join(sandbox.id, lambda: reviving.revive(self.builder, self.occupants, sandbox.id))

    async def stop(self, sandbox_id: str) -> None:
        """Kill what runs in it and take its network down. An unknown id and a second call are successes."""
        sandbox = self.store.find(sandbox_id)
        if sandbox is not None:
            await self._stops.join(sandbox.id, lambda: self._stop(sandbox.id))

    async def _stop(self, sandbox_id: SandboxId) -> None:
        await self._starts.finished(sandbox_id)
        sandbox = self.store.get(sandbox_id)
        if sandbox.state is SandboxState.READY:
            sandbox = self.store.observe(msgspec.structs.replace(sandbox, state=SandboxState.STOPPING))
        await self.occupants.kill_all(sandbox_id)
        await self.builder.tear_down(sandbox)

    async def remove(self, sandbox_id: str) -> None:
        """Stop it and delete it with all its containers. An unknown id is a success."""
        sandbox = self.store.find(sandbox_id)
        if sandbox is not None:
            await self._removes.join(sandbox.id, lambda: self._remove(sandbox.id))

    async def _remove(self, sandbox_id: SandboxId) -> None:
        await self.stop(sandbox_id)
        await self.occupants.remove_all(sandbox_id)
        await self.builder.forget(self.store.get(sandbox_id))
        log.info("sandbox is removed: id=%s", sandbox_id[:12])

    def named(self, name: SandboxName) -> Sandbox | None:
        """The sandbox of that name and attempt, also one that clients may not know of yet."""
        return self.store.named(_key(name))

    def handler(self, requested: str) -> Handler:
        """The handler that a request names; the default one for "". Raises InvalidArgument."""
        return self._handlers.get(requested)

    def get(self, sandbox_id: str) -> Sandbox:
        """A sandbox that exists for clients. Raises NotFound and InvalidArgument."""
        sandbox = self.store.get(sandbox_id)
        if sandbox.state is SandboxState.CREATING:  # nobody may know of it yet
            raise NotFound(f"sandbox {sandbox_id[:64]!r} does not exist")
        return sandbox

    def visible(self) -> list[Sandbox]:
        """Every sandbox that clients may know of, oldest first."""
        shown = [sandbox for sandbox in self.store if sandbox.state is not SandboxState.CREATING]
        return sorted(shown, key=lambda sandbox: sandbox.created_at)

    async def reconcile(self, *, rebooted: bool = False) -> None:
        """At start, before the containers: see `recovery`."""
        await recovery.reconcile(self.builder, rebooted=rebooted)

    async def close(self, timeout_s: float) -> None:
        """Let jobs under way end, or undo them; sandboxes stay. The last one gone, so is our cgroup."""
        for flight in (self._runs, self._starts, self._stops, self._removes):
            await flight.settle(timeout_s)
        await self.builder.close(timeout_s)
        if not len(self.store):
            with contextlib.suppress(OSError):  # somebody else has put something there
                await self._settings.parents.remove_base()


def _key(name: SandboxName) -> tuple[str | int, ...]:
    return (name.namespace, name.name, name.uid, name.attempt)

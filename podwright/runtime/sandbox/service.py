"""The sandbox service: runs and looks up pod sandboxes, and takes the steps in which `pods` stops and removes them.

A request that is repeated joins the first one. The steps themselves are in `building`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import msgspec

from podwright.errors import AlreadyExists, NotFound
from podwright.linux.selinux import free_level
from podwright.runtime.handlers.protocol import Handler
from podwright.runtime.handlers.registry import Handlers
from podwright.runtime.model.base import NamespaceMode, Resources
from podwright.runtime.model.ids import SandboxId, new_id
from podwright.runtime.model.sandbox import Sandbox, SandboxConfig, SandboxName, SandboxState
from podwright.runtime.network import NetworkService
from podwright.runtime.sandbox import rebuilding, recovery, validate
from podwright.runtime.sandbox.building import Builder, SandboxSettings
from podwright.runtime.sandbox.document import document
from podwright.runtime.sandbox.first_process import FirstProcesses
from podwright.runtime.sandbox.paths import SandboxPaths
from podwright.runtime.sandbox.userns import UserNamespaces
from podwright.runtime.single_flight import SingleFlight
from podwright.runtime.state import Database, Store

log = logging.getLogger(__name__)


def open_store(database: Database) -> Store[Sandbox]:
    """The records of sandboxes."""
    return Store(
        database,
        Sandbox,
        table="sandboxes",
        label="sandbox",
        id_of=lambda record: record.id,
        name_of=lambda record: _key(record.config.name),
    )


class SandboxService:
    """All sandboxes of the daemon."""

    def __init__(
        self,
        store: Store[Sandbox],
        settings: SandboxSettings,
        handlers: Handlers,
        network: NetworkService,
        first_processes: FirstProcesses,
    ) -> None:
        """`recover` must run before anything else is asked."""
        self._store = store
        self._builder = Builder(store, settings, handlers, network, first_processes)
        self._settings = settings
        self._handlers = handlers
        self._runs: SingleFlight[tuple[str | int, ...], SandboxId] = SingleFlight("run sandbox")

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
            existing = self._store.find(made)
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
        netns = self._builder.paths(sandbox_id).netns
        sandbox = self._store.put(
            Sandbox(
                id=sandbox_id,
                config=config,
                handler=handler,
                requested_handler=requested,
                state=SandboxState.CREATING,
                created_at=self._store.now(),
                netns="" if config.security.namespaces.network is NamespaceMode.NODE else netns,
                cgroup_parent=self._settings.parents.of(config, sandbox_id),
                selinux_level=self._selinux_level(sandbox_id),
            )
        )
        try:
            await self._builder.build(sandbox)
        except BaseException:
            await asyncio.shield(self._builder.undo(sandbox))
            raise
        log.info("sandbox is ready: id=%s pod=%s/%s", sandbox_id[:12], config.name.namespace, config.name.name)
        return sandbox_id

    def _selinux_level(self, sandbox_id: SandboxId) -> str:
        """One that no other pod has; empty on a host without SELinux."""
        if self._settings.selinux is None:
            return ""
        return free_level(int(sandbox_id[:16], 16), frozenset(other.selinux_level for other in self._store))

    # -- steps of what `pods` does with whole pods

    def note_stopping(self, sandbox_id: SandboxId) -> Sandbox:
        """It is going down: clients see it as NOTREADY from now on."""
        sandbox = self._store.get(sandbox_id)
        if sandbox.state is SandboxState.READY:
            sandbox = self._store.observe(msgspec.structs.replace(sandbox, state=SandboxState.STOPPING))
        return sandbox

    async def tear_down(self, sandbox: Sandbox) -> None:
        """Take down what it consists of, but for its files; absent parts are fine."""
        await self._builder.tear_down(sandbox)

    async def forget(self, sandbox_id: SandboxId) -> None:
        """Delete the files and the record of one that is torn down, and has no containers."""
        await self._builder.forget(self._store.get(sandbox_id))
        log.info("sandbox is removed: id=%s", sandbox_id[:12])

    def is_whole(self, sandbox_id: SandboxId) -> bool:
        """Whether it is READY, with everything that it consists of."""
        return rebuilding.is_whole(self._builder, self._store.get(sandbox_id))

    def note_lost(self, sandbox_id: SandboxId) -> None:
        """See `rebuilding`. Raises FailedPrecondition."""
        rebuilding.note_lost(self._builder, self._store.get(sandbox_id))

    async def rebuild(self, sandbox_id: SandboxId) -> None:
        """See `rebuilding`."""
        await rebuilding.rebuild(self._builder, self._store.get(sandbox_id))

    # -- what containers need of theirs

    def pins(self, sandbox: Sandbox) -> dict[str, str]:
        """Its own namespaces: kind ("net", "ipc", "uts", "user") -> path."""
        return self._builder.pins(sandbox)

    def paths(self, sandbox_id: SandboxId) -> SandboxPaths:
        """Where it keeps its things."""
        return self._builder.paths(sandbox_id)

    async def share_pid_namespace(self, sandbox_id: SandboxId) -> int:
        """The first process of its shared PID namespace, started if need be; 0 where the host has no PID for it."""
        return await self._builder.share_pid_namespace(sandbox_id)

    @property
    def users(self) -> UserNamespaces:
        """What the daemon can do about user namespaces."""
        return self._settings.users

    # -- look-up

    def document(self, sandbox: Sandbox) -> dict[str, Any]:
        """What a verbose status shows."""
        return document(sandbox, self.pins(sandbox))

    def record(self, sandbox_id: SandboxId) -> Sandbox:
        """A sandbox, also one that clients may not know of yet. Raises NotFound."""
        return self._store.get(sandbox_id)

    def find(self, sandbox_id: str) -> Sandbox | None:
        """As `record`, by an id or the beginning of one; None when there is none. Raises InvalidArgument."""
        return self._store.find(sandbox_id)

    @property
    def generation(self) -> int:
        """Another number after every change."""
        return self._store.generation

    def now(self) -> int:
        """The time in nanoseconds since the epoch; of it and an event's, the later is the truer."""
        return self._store.now()

    def note_resources(self, sandbox_id: str, *, overhead: Resources | None, resources: Resources | None) -> None:
        """Put what a pod as a whole may use on record: a kubelet limits its cgroup by itself.

        Raises NotFound and ResourceExhausted.
        """
        sandbox = self.get(sandbox_id)
        self._store.put(
            msgspec.structs.replace(
                sandbox, overhead=overhead or sandbox.overhead, resources=resources or sandbox.resources
            )
        )

    def named(self, name: SandboxName) -> Sandbox | None:
        """The sandbox of that name and attempt, also one that clients may not know of yet."""
        return self._store.named(_key(name))

    def handler(self, requested: str) -> Handler:
        """The handler that a request names; the default one for "". Raises InvalidArgument."""
        return self._handlers.get(requested)

    def get(self, sandbox_id: str) -> Sandbox:
        """A sandbox that exists for clients. Raises NotFound and InvalidArgument."""
        sandbox = self._store.get(sandbox_id)
        if sandbox.state is SandboxState.CREATING:  # nobody may know of it yet
            raise NotFound(f"sandbox {sandbox_id[:64]!r} does not exist")
        return sandbox

    def visible(self) -> list[Sandbox]:
        """Every sandbox that clients may know of, oldest first."""
        shown = [sandbox for sandbox in self._store if sandbox.state is not SandboxState.CREATING]
        return sorted(shown, key=lambda sandbox: sandbox.created_at)

    async def recover(self, *, rebooted: bool = False) -> None:
        """At start, before the containers: see `recovery`."""
        await recovery.recover(self._builder, rebooted=rebooted)

    async def close(self, timeout_s: float) -> None:
        """Let jobs under way end, or undo them; sandboxes stay. The last one gone, so is our cgroup."""
        await self._runs.settle(timeout_s)
        await self._builder.close(timeout_s)
        if not len(self._store):
            with contextlib.suppress(OSError):  # somebody else has put something there
                await self._settings.parents.remove_base()


def _key(name: SandboxName) -> tuple[str | int, ...]:
    return (name.namespace, name.name, name.uid, name.attempt)

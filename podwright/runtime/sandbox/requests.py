"""Which sandbox a request gets, and look-ups: the same whatever runs the pods.

An engine extends `SandboxRequests` with its steps.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import Protocol

import msgspec

from podwright.errors import AlreadyExists, NotFound
from podwright.runtime.model.base import NamespaceMode, Resources
from podwright.runtime.model.ids import SandboxId, new_id
from podwright.runtime.model.sandbox import Sandbox, SandboxConfig, SandboxName, SandboxState
from podwright.runtime.sandbox.parents import Parents
from podwright.runtime.sandbox.paths import SandboxPaths
from podwright.runtime.single_flight import SingleFlight
from podwright.runtime.state import Database, Store

log = logging.getLogger(__name__)


def open_store(database: Database) -> Store[Sandbox]:
    """The store of sandbox records."""
    return Store(
        database,
        Sandbox,
        table="sandboxes",
        label="sandbox",
        id_of=lambda record: record.id,
        name_of=lambda record: key(record.config.name),
    )


def key(name: SandboxName) -> tuple[str | int, ...]:
    """What is unique among sandboxes."""
    return (name.namespace, name.name, name.uid, name.attempt)


class SandboxPorts(Protocol):
    """What `SandboxRequests` needs of an engine."""

    @property
    def store(self) -> Store[Sandbox]: ...
    @property
    def parents(self) -> Parents: ...
    def paths(self, sandbox_id: SandboxId, /) -> SandboxPaths: ...


class SandboxRequests(ABC):
    """All sandboxes of an engine. Those that are being made have records too, but clients do not see them."""

    def __init__(self, ports: SandboxPorts) -> None:
        self._store = ports.store
        self._ports = ports
        self._runs: SingleFlight[tuple[str | int, ...], SandboxId] = SingleFlight("run sandbox")

    # -- steps of the engine

    @abstractmethod
    async def _build(self, sandbox: Sandbox) -> None:
        """Make all its parts and record it as READY."""

    @abstractmethod
    async def _undo(self, sandbox: Sandbox) -> None:
        """Undo what a failed `_build` has made, and delete the record."""

    # -- requests

    async def _run_once(self, config: SandboxConfig, handler: str, requested: str) -> SandboxId:
        """Run a sandbox. A repeated request joins the first one or returns its sandbox.

        `requested` is the request's word for the handler, which may be empty.
        Raises AlreadyExists if a different or stopped sandbox has the name, and what the steps raise.
        """
        name = key(config.name)
        existing = self._store.named(name)
        if existing is None or existing.state is SandboxState.CREATING:
            made = await self._runs.join(name, lambda: self._create(config, handler, requested))
            existing = self._store.find(made)
            if existing is None or (existing.config, existing.handler) == (config, handler):
                return made
        elif existing.state is SandboxState.READY and (existing.config, existing.handler) == (config, handler):
            return existing.id
        raise AlreadyExists(
            f"sandbox {config.name.namespace}/{config.name.name} attempt {config.name.attempt} exists already as "
            f"{existing.id[:12]} ({existing.state})",
            hint="remove it, or increase the attempt number",
        )

    async def _create(self, config: SandboxConfig, handler: str, requested: str) -> SandboxId:
        sandbox_id = SandboxId(new_id())
        is_host = config.security.namespaces.network is NamespaceMode.NODE
        sandbox = self._store.put(
            Sandbox(
                id=sandbox_id,
                config=config,
                handler=handler,
                requested_handler=requested,
                state=SandboxState.CREATING,
                created_at=self._store.now(),
                netns="" if is_host else self._ports.paths(sandbox_id).netns,
                cgroup_parent=self._ports.parents.of(config, sandbox_id),
                selinux_level=self._selinux_level(sandbox_id),
            )
        )
        try:
            await self._build(sandbox)
        except BaseException:
            await asyncio.shield(self._undo(sandbox))
            raise
        log.info("sandbox is ready: id=%s pod=%s/%s", sandbox_id[:12], config.name.namespace, config.name.name)
        return sandbox_id

    def _selinux_level(self, _sandbox_id: SandboxId) -> str:
        """A level that no other pod has. Empty if the engine has no SELinux."""
        return ""

    async def note_resources(
        self, sandbox_id: str, *, overhead: Resources | None, resources: Resources | None
    ) -> Sandbox:
        """Record the resources of the pod as a whole that are given. A kubelet limits the pod's cgroup by itself.

        Raises NotFound and ResourceExhausted.
        """
        sandbox = self.get(sandbox_id)
        return self._store.put(
            msgspec.structs.replace(
                sandbox, overhead=overhead or sandbox.overhead, resources=resources or sandbox.resources
            )
        )

    # -- look-up

    @property
    def generation(self) -> int:
        """A number that changes with every change of a record."""
        return self._store.generation

    def now(self) -> int:
        """The time in nanoseconds since the epoch. Clients compare it with the times of events."""
        return self._store.now()

    def find(self, sandbox_id: str) -> Sandbox | None:
        """A sandbox by an id or its prefix, also one that clients do not see yet. Raises InvalidArgument."""
        return self._store.find(sandbox_id)

    def get(self, sandbox_id: str) -> Sandbox:
        """A sandbox that is visible to clients. Raises NotFound and InvalidArgument."""
        sandbox = self._store.get(sandbox_id)
        if sandbox.state is SandboxState.CREATING:
            raise NotFound(f"sandbox {sandbox_id[:64]!r} does not exist")
        return sandbox

    def visible(self) -> list[Sandbox]:
        """All sandboxes that are visible to clients, oldest first."""
        shown = [sandbox for sandbox in self._store if sandbox.state is not SandboxState.CREATING]
        return sorted(shown, key=lambda sandbox: sandbox.created_at)

    # -- steps for `pods`

    def note_stopping(self, sandbox_id: SandboxId) -> Sandbox:
        """Set it to STOPPING: clients see it as NOTREADY from now on."""
        sandbox = self._store.get(sandbox_id)
        if sandbox.state is SandboxState.READY:
            sandbox = self._store.observe(msgspec.structs.replace(sandbox, state=SandboxState.STOPPING))
        return sandbox


def note_torn_down(store: Store[Sandbox], sandbox_id: SandboxId) -> None:
    """Record that a sandbox has no parts but its files. One that was being stopped is NOTREADY."""
    current = store.find(sandbox_id)
    if current is None:
        return
    state = SandboxState.NOTREADY if current.state is SandboxState.STOPPING else current.state
    if current.attachment is not None or current.process or current.state is not state:
        store.observe(msgspec.structs.replace(current, state=state, attachment=None, pid=0, process={}))

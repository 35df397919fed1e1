"""The records of an engine's sandboxes, and look-up in them. The services of all engines inherit it."""

from __future__ import annotations

import msgspec

from podwright.errors import NotFound
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import Sandbox, SandboxState
from podwright.runtime.sandbox import naming
from podwright.runtime.state import Database, Store


def open_store(database: Database) -> Store[Sandbox]:
    """The store of sandbox records."""
    return Store(
        database,
        Sandbox,
        table="sandboxes",
        label="sandbox",
        id_of=lambda record: record.id,
        name_of=lambda record: naming.key(record.config.name),
    )


class SandboxRecords:
    """The records. Sandboxes that are being made have records too, but clients do not see them."""

    def __init__(self, store: Store[Sandbox]) -> None:
        self._store = store

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

    def note_stopping(self, sandbox_id: SandboxId) -> Sandbox:
        """Set it to STOPPING: clients see it as NOTREADY from now on."""
        sandbox = self._store.get(sandbox_id)
        if sandbox.state is SandboxState.READY:
            sandbox = self._store.observe(msgspec.structs.replace(sandbox, state=SandboxState.STOPPING))
        return sandbox

"""What sandboxes know of the containers in them: the container service registers itself as this at start."""

from __future__ import annotations

from typing import Protocol

from podwright.runtime.model.ids import SandboxId


class Occupants(Protocol):
    """The containers of sandboxes, as far as sandboxes care."""

    async def kill_all(self, sandbox_id: SandboxId) -> None:
        """SIGKILL every container of the sandbox and wait for their ends."""

    async def write_off(self, sandbox_id: SandboxId) -> None:
        """As `kill_all`, and those that were not started yet have ended, too."""

    async def remove_all(self, sandbox_id: SandboxId) -> None:
        """Remove every container of the sandbox."""

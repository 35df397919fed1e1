"""The sessions, until a client uses its URL: what carries them (SPDY, WebSockets) is loaded then.

It would be a tenth of what the daemon loads at its start.
"""

from __future__ import annotations

from typing import Protocol

from podwright.runtime.handlers.protocol import Attached, Exec
from podwright.runtime.model.container import Container
from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.model.streaming import AttachRequest, ExecRequest, PortForwardRequest
from podwright.runtime.streaming.connection import ClientConnection
from podwright.runtime.streaming.plan import Plan
from podwright.streams.remote_command.resize import TerminalSize


class StreamContainers(Protocol):
    """What streaming needs of an engine's containers: see `container.service`."""

    def get(self, container_id: str, /) -> Container: ...
    def task(self, container: Container, /) -> object: ...
    async def check_exec(self, container: Container, command: tuple[str, ...], /) -> None: ...
    async def exec(self, request: ExecRequest, size: TerminalSize | None = None, /) -> Exec: ...
    async def attach(self, request: AttachRequest, /) -> Attached: ...


class StreamSandboxes(Protocol):
    """What streaming needs of an engine's sandboxes: see `sandbox.service`."""

    def get(self, sandbox_id: str, /) -> Sandbox: ...


class SessionRunner(Protocol):
    """`sessions.Sessions`."""

    async def run(
        self, request: ExecRequest | AttachRequest | PortForwardRequest, plan: Plan, connection: ClientConnection, /
    ) -> None: ...
    async def close(self) -> None: ...


class LateSessions:
    """Loads them for the first one."""

    def __init__(self, containers: StreamContainers, sandboxes: StreamSandboxes, *, creation_timeout_s: float) -> None:
        """As `Sessions`."""
        self._containers = containers
        self._sandboxes = sandboxes
        self._creation_timeout_s = creation_timeout_s
        self._loaded: SessionRunner | None = None

    async def run(
        self, request: ExecRequest | AttachRequest | PortForwardRequest, plan: Plan, connection: ClientConnection
    ) -> None:
        """As `Sessions..run`."""
        if self._loaded is None:
            from podwright.runtime.streaming.sessions import Sessions  # noqa: PLC0415 # see the module's docstring

            self._loaded = Sessions(self._containers, self._sandboxes, creation_timeout_s=self._creation_timeout_s)
        await self._loaded.run(request, plan, connection)

    async def close(self) -> None:
        """As `Sessions..close`."""
        if self._loaded is not None:
            await self._loaded.close()

"""`/exec`, `/attach` and `/portForward` until somebody asks for one.

What carries streams (SPDY, WebSockets) is loaded then: it would be a tenth of what an agent loads at its start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from podwright.agent.server.http.messages import Answer, HttpRequest


class Streams(Protocol):
    """`streams.StreamPaths`."""

    async def exec(self, request: HttpRequest, /) -> Answer:
        """A new command."""

    async def attach(self, request: HttpRequest, /) -> Answer:
        """The container's own process."""

    async def port_forward(self, request: HttpRequest, /) -> Answer:
        """Connections to the pod."""


class LateStreams:
    """The handlers."""

    def __init__(self, make: Callable[[], Streams]) -> None:
        """`make` loads them. It is called once."""
        self._make = make
        self._made: Streams | None = None

    async def exec(self, request: HttpRequest) -> Answer:
        """As `Streams..exec`."""
        return await self._streams().exec(request)

    async def attach(self, request: HttpRequest) -> Answer:
        """As `Streams..attach`."""
        return await self._streams().attach(request)

    async def port_forward(self, request: HttpRequest) -> Answer:
        """As `Streams..port_forward`."""
        return await self._streams().port_forward(request)

    def _streams(self) -> Streams:
        if self._made is None:
            self._made = self._make()
        return self._made

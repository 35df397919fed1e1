"""Accepts connections on a listening socket, with limits. A client can break only its own connection."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import msgspec

from podwright.agent.server.http.exchange import Exchange
from podwright.agent.server.http.messages import Answer, HttpRequest
from podwright.errors import PodwrightError
from podwright.streams.tls_wire import TlsWire
from podwright.streams.wire import SocketWire, Wire
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

HANDSHAKE_S = 10.0
CLOSE_S = 5.0
ACCEPT_PAUSE_S = 0.1  # when no descriptor is left
KEEPALIVE_IDLE_S = 60  # then the kernel checks that the client is still there
FIRST_BYTES = 2048  # of a connection's buffer, which grows: an idle connection must cost little

Certificate = Mapping[str, object] | None
Serve = Callable[[HttpRequest], Awaitable[Answer]]


class TlsSource(Protocol):
    """`auth.certificates.ServerContexts`."""

    def current(self) -> ssl.SSLContext:
        """The context for a new connection."""

    def trusts(self, context: ssl.SSLContext) -> bool:
        """Whether a context's verification of its client is still valid."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """`stall_s` limits how long an answer waits for a client that does not read."""

    connections: int = 1000
    stall_s: float = 300.0


class HttpListener:
    """One listening socket and its connections."""

    def __init__(
        self, listening: socket.socket, serve: Serve, *, limits: Limits, tls: TlsSource | None = None
    ) -> None:
        """`tls` has the context for each new connection. Without it, nothing is encrypted."""
        self._listening = listening
        self._serve = serve
        self._limits = limits
        self._tls = tls
        self._accepting, self._serving = Tasks(), Tasks()
        self._full = False

    def start(self) -> None:
        """Accept connections from now on."""
        self._accepting.start(self._accept(), name="accept connections")

    @property
    def port(self) -> int:
        """The port that was bound. 0 for a unix socket."""
        if self._listening.family == socket.AF_UNIX:
            return 0
        bound: int = self._listening.getsockname()[1]
        return bound

    async def close(self) -> None:
        """Stop accepting, and end all connections within CLOSE_S."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._accepting.close()
                self._listening.close()
                await self._serving.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connected, _ = await loop.sock_accept(self._listening)
            except OSError as failure:  # the client is already gone, or no descriptor is left
                if failure.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    log.warning("the agent's server cannot accept: error=%s", failure.strerror)
                    await asyncio.sleep(ACCEPT_PAUSE_S)
                continue
            if self._is_full():
                connected.close()
                continue
            self._serving.start(self._run(connected), name="connection of the agent's server")

    def _trusts(self, context: ssl.SSLContext | None) -> bool:
        return self._tls is None or context is None or self._tls.trusts(context)

    def _is_full(self) -> bool:
        """Whether the limit of connections is reached, which is logged.

        It is logged once each time, so that the log does not fill up.
        """
        was_full, self._full = self._full, len(self._serving) >= self._limits.connections
        if self._full and not was_full:
            log.warning("the agent's server is full: connections=%d", len(self._serving))
        return self._full

    async def _run(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        wire: Wire | None = None
        try:
            if connected.family != socket.AF_UNIX:
                _set_options(connected)
            context = self._tls.current() if self._tls is not None else None
            async with asyncio.timeout(HANDSHAKE_S):
                wire, certificate = await _open(connected, context)
            exchange = Exchange(
                wire,
                self._serve,
                certificate=certificate,
                is_current=lambda: certificate is None or self._trusts(context),
                stall_s=self._limits.stall_s,
            )
            await exchange.run()
        except (OSError, TimeoutError, PodwrightError) as failure:
            log.debug("a connection ended: error=%s", failure or type(failure).__name__)
        except Exception:
            log.exception("a connection of the agent's server failed")
        finally:
            if wire is not None:
                await wire.close()
            connected.close()


async def _open(connected: socket.socket, context: ssl.SSLContext | None) -> tuple[Wire, Certificate]:
    """The wire of a connection after its handshake, and the client's certificate.

    Raises OSError, such as ssl.SSLError.
    """
    if context is None:
        return SocketWire(connected, first_bytes=FIRST_BYTES), None
    secured = TlsWire(connected, context, first_bytes=FIRST_BYTES)
    await secured.handshake()
    return secured, secured.peer_certificate()


def _set_options(connected: socket.socket) -> None:
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)

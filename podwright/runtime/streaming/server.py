"""The listening socket, the upgrade, and the limits: everything from a client's connect to its session.

    accept -> head within HEAD_TIMEOUT_S -> token -> plan -> 101 -> the session -> linger -> close

`service` provides the sessions. A misbehaving client ends at most its own connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable

from podwright.errors import FailedPrecondition, PodwrightError
from podwright.runtime.streaming.address import ListenAddress, reachable
from podwright.runtime.streaming.connection import HEAD_TIMEOUT_S, ClientConnection, accept, read_head
from podwright.runtime.streaming.plan import Plan, parse_target
from podwright.streams.errors import ProtocolError
from podwright.streams.negotiation import UpgradeRefusal
from podwright.streams.upgrade import ServerHandshake, UpgradeRequest
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

BACKLOG = 128
CLOSE_TIMEOUT_S = 5.0
ACCEPT_PAUSE_S = 0.1  # when file descriptors are exhausted

Session = Callable[[ClientConnection], Awaitable[None]]
Prepare = Callable[[str, str, UpgradeRequest], tuple[Plan, Session] | UpgradeRefusal]


class StreamingServer:
    """The listening socket and its connections."""

    def __init__(
        self,
        address: ListenAddress,
        tls: ssl.SSLContext | None,
        prepare: Prepare,
        *,
        max_connections: int,
        idle_timeout_s: float,
    ) -> None:
        """`prepare` gets the URL's kind and token and the request, and returns the answer and the session to run."""
        self._address = address
        self._tls = tls
        self._prepare = prepare
        self._max_connections = max_connections
        self._idle_timeout_s = idle_timeout_s
        self._listener: socket.socket | None = None
        self._accepting = Tasks()
        self._serving = Tasks()
        self._full = False
        self.base_url = ""

    def start(self) -> None:
        """Listen. Raises FailedPrecondition if the address is not available."""
        listener = socket.socket(self._address.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._address.host, self._address.port))
            listener.listen(BACKLOG)
        except OSError as failure:
            listener.close()
            raise FailedPrecondition(
                f"the streaming server cannot listen on {self._address}: {failure.strerror}",
                hint="choose another streaming.address",
            ) from failure
        bound = ListenAddress(host=self._address.host, port=listener.getsockname()[1])
        self.base_url = f"{'https' if self._tls else 'http'}://{reachable(bound)}"
        self._listener = listener
        self._accepting.start(self._accept(listener), name="accept streaming connections")
        log.info("streaming server listens: url=%s", self.base_url)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connected, _ = await loop.sock_accept(listener)
            except OSError as failure:  # the client is gone, or file descriptors are exhausted
                if failure.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    log.warning("streaming server cannot accept: error=%s", failure.strerror)
                    await asyncio.sleep(ACCEPT_PAUSE_S)
                continue
            if self._is_full():
                connected.close()
                continue
            self._serving.start(self._serve(connected), name="streaming connection")

    def _is_full(self) -> bool:
        """Whether the limit is reached. Logged once per time, so that a crowd does not fill the log."""
        was_full, self._full = self._full, len(self._serving) >= self._max_connections
        if self._full and not was_full:
            log.warning("streaming server rejects connections, it is full: connections=%d", len(self._serving))
        return self._full

    async def _serve(self, connected: socket.socket) -> None:
        """Handle one connection to its end."""
        connection: ClientConnection | None = None
        try:
            async with asyncio.timeout(HEAD_TIMEOUT_S):
                connection = await accept(connected, self._tls)
                session = await self._upgrade(connection)
            if session is not None:
                await self._run(connection, session)
        except (OSError, TimeoutError, PodwrightError) as failure:
            log.info("streaming connection ended: error=%s", failure or type(failure).__name__)
        except Exception:
            log.exception("streaming connection failed")
        finally:
            if connection is not None:
                await connection.close()
            else:
                connected.close()

    async def _run(self, connection: ClientConnection, session: Session) -> None:
        idle = asyncio.create_task(
            connection.close_when_idle(self._idle_timeout_s), name="close an idle streaming connection"
        )
        try:
            await session(connection)
        finally:
            idle.cancel()

    async def _upgrade(self, connection: ClientConnection) -> Session | None:
        """Read the request and answer it. None if it was refused. Raises ProtocolError and OSError."""
        handshake = ServerHandshake()
        try:
            request = await read_head(connection, handshake)
            decided = self._decide(request)
            if not isinstance(decided, UpgradeRefusal):
                plan, session = decided
                await connection.send(handshake.switch(plan.headers))
                connection.push_back(handshake.leftover)
                return session
        except ProtocolError as failure:
            decided = UpgradeRefusal(status=400, message=str(failure))
        log.info("streaming request refused: status=%d reason=%s", decided.status, decided.message)
        await connection.send(handshake.refuse(decided.status, decided.message, decided.headers))
        await connection.drop_rest()
        return None

    def _decide(self, request: UpgradeRequest) -> tuple[Plan, Session] | UpgradeRefusal:
        target = parse_target(request)
        return target if isinstance(target, UpgradeRefusal) else self._prepare(*target, request)

    async def close(self) -> None:
        """Stop listening and end all sessions. Returns after CLOSE_TIMEOUT_S even if some do not end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._accepting.close()
                if self._listener is not None:
                    self._listener.close()
                await self._serving.close()

"""Attach: the stdio of containers' first processes, shared by all clients.

One link per container goes to whoever holds its stdio. Each client gets a copy of the output from when it came, and
their input goes to the one stdin. The other end of the link may make the container wait for us, so a client that stays
slow is disconnected.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from podwright.errors import DeadlineExceeded, PodwrightError
from podwright.runtime.handlers.protocol import OutputStream
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

BACKLOG_BYTES = 256 * 1024  # of output that a client has not taken, before all wait for it
STALL_TIMEOUT_S = 5.0


class Link(Protocol):
    """A connection to whoever holds the stdio of one container."""

    @property
    def holds_input(self) -> bool:
        """Whether the container's stdin would end with this link: it stays without clients then."""

    async def read(self) -> tuple[OutputStream, bytes] | None:
        """The next output. None at the end. Raises OSError when the other side is gone."""

    async def write(self, data: bytes) -> None:
        """Pass input on. Ignored by a container without stdin. Raises BrokenPipeError."""

    async def end_input(self) -> bool:
        """A client sends no more. True when that ended the container's stdin."""

    def resize(self, width: int, height: int) -> None:
        """Set the terminal's size in characters, if there is one."""

    def close(self) -> None:
        """Close it. Closing twice succeeds."""


class AttachPoint:
    """The one link to the stdio of a container, while somebody is attached."""

    def __init__(self, container_id: str, connect: Callable[[], Awaitable[Link]]) -> None:
        """Connects when the first client comes."""
        self._id = container_id
        self._connect = connect
        self._connection: _Connection | None = None

    async def client(self) -> AttachedClient:
        """A new client. Raises what `connect` raises."""
        connection = self._connection
        if connection is None or connection.ended:
            connection = self._adopt(_Connection(self._id, await self._connect()))
        return connection.add_client()

    def _adopt(self, connection: _Connection) -> _Connection:
        other = self._connection
        if other is not None and not other.ended:  # another client has connected meanwhile
            connection.link.close()
            return other
        self._connection = connection
        connection.run()
        return connection

    async def close(self) -> None:
        """Let all clients go."""
        if self._connection is not None:
            await self._connection.close()


class AttachedClient:
    """One client's view of a container's stdio."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._waiting: deque[tuple[OutputStream, bytes]] = deque()
        self._news = asyncio.Event()
        self._failure: PodwrightError | None = None
        self._ended = False
        self.waiting_bytes = 0

    async def read(self) -> tuple[OutputStream, bytes] | None:
        """The next output, or None when the container has ended or this client was closed.

        Raises DeadlineExceeded if the client was disconnected because it did not read fast enough.
        """
        while not self._waiting:
            if self._failure is not None:
                raise self._failure
            if self._ended:
                return None
            self._news.clear()
            await self._news.wait()
        stream, data = self._waiting.popleft()
        self.waiting_bytes -= len(data)
        self._connection.room.set()
        return stream, data

    async def write(self, data: bytes) -> None:
        """Type something. Raises BrokenPipeError when the container reads no more."""
        await self._connection.write(data)

    async def end_input(self) -> bool:
        """The client's end of input. Returns whether that ended the container's stdin, so that output continues.

        Otherwise stdin stays open for others, and this client's session ends.
        """
        return await self._connection.end_input()

    def resize(self, width: int, height: int) -> None:
        """Set the size of the container's terminal, if it has one, in characters."""
        self._connection.resize(width, height)

    def close(self) -> None:
        """Detach. The container keeps running."""
        self.end()
        self._waiting.clear()
        self.waiting_bytes = 0
        self._connection.remove_client(self)

    # -- for the connection

    def put(self, stream: OutputStream, data: bytes) -> None:
        """Some output."""
        self._waiting.append((stream, data))
        self.waiting_bytes += len(data)
        self._news.set()

    def end(self, failure: PodwrightError | None = None) -> None:
        """There will be no more output."""
        self._ended = True
        self._failure = self._failure or failure
        self._news.set()


class _Connection:
    """The link of one container, and its clients."""

    def __init__(self, container_id: str, link: Link) -> None:
        self.link = link
        self.room = asyncio.Event()
        self.ended = False
        self._id = container_id
        self._clients: list[AttachedClient] = []
        self._typing = asyncio.Lock()
        self._tasks = Tasks()

    def run(self) -> None:
        """Start passing output on."""
        task = self._tasks.start(self._run(), name=f"attach {self._id[:12]}")
        task.add_done_callback(lambda _: self._finish())  # also of a task that is cancelled before it begins

    async def _run(self) -> None:
        try:
            while (output := await self.link.read()) is not None:
                for client in self._clients:
                    client.put(*output)
                await self._until_room()
        except OSError as failure:
            log.warning("attach lost the holder of the stdio: id=%s error=%s", self._id[:12], failure)

    def _finish(self) -> None:
        self.ended = True
        self.link.close()
        for client in self._clients:
            client.end()

    async def _until_room(self) -> None:
        """Wait for slow clients. Disconnect those that stay slow for long."""
        try:
            async with asyncio.timeout(STALL_TIMEOUT_S):
                while self._laggards():
                    self.room.clear()
                    await self.room.wait()
        except TimeoutError:
            for client in self._laggards():
                log.warning("attach disconnects a client that does not read: id=%s", self._id[:12])
                client.end(DeadlineExceeded(f"attach to {self._id[:12]}: the client does not keep up"))
                self._clients.remove(client)

    def _laggards(self) -> list[AttachedClient]:
        return [client for client in self._clients if client.waiting_bytes > BACKLOG_BYTES]

    def add_client(self) -> AttachedClient:
        """A client that gets the output from now on."""
        client = AttachedClient(self)
        self._clients.append(client)
        return client

    def remove_client(self, client: AttachedClient) -> None:
        """Remove a client. With the last one, close the connection, unless the container's stdin would end with it."""
        if client in self._clients:
            self._clients.remove(client)
        self.room.set()
        if not self._clients and not self.link.holds_input:
            self._tasks.cancel()

    async def write(self, data: bytes) -> None:
        """As `AttachedClient..write`."""
        async with self._typing:
            await self.link.write(data)

    async def end_input(self) -> bool:
        """As `AttachedClient..end_input`."""
        async with self._typing:
            return await self.link.end_input()

    def resize(self, width: int, height: int) -> None:
        """As `AttachedClient..resize`."""
        self.link.resize(width, height)

    async def close(self) -> None:
        """End all clients and the link."""
        await self._tasks.close()

"""Attach: the stdio of containers' first processes, as passed on by their monitors.

One connection per container goes to conmon's attach socket, and all clients share it. Each client gets a copy of the
output since it came, and all input goes to the one stdin. conmon takes the end of any connection for the end of a
`stdin_once` container's input. With a single connection, that happens only at the end of a client's input. So if a
container's stdin waits for its end, the connection stays until the container ends.

conmon writes to attach sockets before it continues with the log, so a client that does not read would block the
container. Such a client is disconnected.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections import deque

from podwright.errors import DeadlineExceeded, FailedPrecondition, PodwrightError
from podwright.runtime.handlers.protocol import Bundle, OutputStream
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

MESSAGE_LIMIT_BYTES = 64 * 1024  # conmon sends 8 KiB and a byte for the stream
INPUT_BYTES = 8192  # conmon cuts off what is longer than its buffer
BACKLOG_BYTES = 256 * 1024  # of output that a client has not taken, before all wait for it
STALL_TIMEOUT_S = 5.0
SIZE_LIMIT = 1000  # conmon's own


# conmon's names for the output streams: the first byte of each message.
STREAMS = {2: OutputStream.STDOUT, 3: OutputStream.STDERR}


class AttachPoint:
    """The one connection to the monitor of a container, while somebody is attached."""

    def __init__(self, bundle: Bundle) -> None:
        """Connects when the first client comes."""
        self._bundle = bundle
        self._connection: _Connection | None = None

    async def client(self) -> AttachedClient:
        """A new client. Raises FailedPrecondition when the monitor does not answer."""
        connection = self._connection
        if connection is None or connection.ended:
            connection = self._adopt(_Connection(self._bundle, await _connect(self._bundle)))
        return connection.add_client()

    def _adopt(self, connection: _Connection) -> _Connection:
        other = self._connection
        if other is not None and not other.ended:  # somebody was faster while we connected
            connection.socket.close()
            return other
        self._connection = connection
        connection.run()
        return connection

    async def close(self) -> None:
        """Let all clients go."""
        if self._connection is not None:
            await self._connection.close()


async def _connect(bundle: Bundle) -> socket.socket:
    """conmon's socket, reached through its directory's descriptor: its path is longer than an address can be."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    try:
        directory = os.open(bundle.directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            await asyncio.get_running_loop().sock_connect(connection, f"/proc/self/fd/{directory}/attach")
        finally:
            os.close(directory)
    except OSError as failure:
        connection.close()
        message = f"cannot attach to container {bundle.id[:12]}: its monitor refuses: {failure.strerror}"
        raise FailedPrecondition(message) from failure
    return connection


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
    """The connection to one container's monitor."""

    def __init__(self, bundle: Bundle, connected: socket.socket) -> None:
        self.socket = connected
        self.room = asyncio.Event()
        self.ended = False
        self._bundle = bundle
        self._control = f"{bundle.directory}/ctl"
        self._input_waits = bundle.stdin and bundle.stdin_once and not bundle.terminal  # to be ended by a client
        self._clients: list[AttachedClient] = []
        self._typing = asyncio.Lock()
        self._tasks = Tasks()

    def run(self) -> None:
        """Start passing output on."""
        task = self._tasks.start(self._run(), name=f"attach {self._bundle.id[:12]}")
        task.add_done_callback(lambda _: self._finish())  # also of a task that is cancelled before it begins

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while message := await loop.sock_recv(self.socket, MESSAGE_LIMIT_BYTES):
                self._pass_on(message)
                await self._until_room()
        except OSError as failure:
            log.warning("attach lost the monitor: id=%s error=%s", self._bundle.id[:12], failure)

    def _finish(self) -> None:
        self.ended = True
        self.socket.close()
        for client in self._clients:
            client.end()

    def _pass_on(self, message: bytes) -> None:
        stream = STREAMS.get(message[0])
        if stream is not None:  # else one that a later conmon may have
            for client in self._clients:
                client.put(stream, message[1:])

    async def _until_room(self) -> None:
        """Wait for slow clients. Disconnect those that stay slow for long."""
        try:
            async with asyncio.timeout(STALL_TIMEOUT_S):
                while self._laggards():
                    self.room.clear()
                    await self.room.wait()
        except TimeoutError:
            for client in self._laggards():
                log.warning("attach disconnects a client that does not read: id=%s", self._bundle.id[:12])
                client.end(DeadlineExceeded(f"attach to {self._bundle.id[:12]}: the client does not keep up"))
                self._clients.remove(client)

    def _laggards(self) -> list[AttachedClient]:
        return [client for client in self._clients if client.waiting_bytes > BACKLOG_BYTES]

    def add_client(self) -> AttachedClient:
        """A client that gets the output from now on."""
        client = AttachedClient(self)
        self._clients.append(client)
        return client

    def remove_client(self, client: AttachedClient) -> None:
        """Let a client go, and with the last one the connection, unless the container's stdin hangs on it."""
        if client in self._clients:
            self._clients.remove(client)
        self.room.set()
        if not self._clients and not self._input_waits:
            self._tasks.cancel()

    async def write(self, data: bytes) -> None:
        """As `AttachedClient.write`. A container without stdin ignores it."""
        if not self._bundle.stdin:
            return
        loop = asyncio.get_running_loop()
        view = memoryview(data)
        try:
            async with self._typing:
                while view:
                    await loop.sock_sendall(self.socket, view[:INPUT_BYTES])
                    view = view[INPUT_BYTES:]
        except OSError as failure:
            raise BrokenPipeError(failure.errno, failure.strerror) from failure

    async def end_input(self) -> bool:
        """As `AttachedClient.end_input`."""
        if not (self._bundle.stdin and self._bundle.stdin_once) or self._bundle.terminal:
            return False
        async with self._typing:
            if self._input_waits:
                self._input_waits = False
                with contextlib.suppress(OSError):  # the container has ended
                    self.socket.shutdown(socket.SHUT_WR)
        return True

    def resize(self, width: int, height: int) -> None:
        """As `AttachedClient.resize`."""
        if not self._bundle.terminal or width < 1 or height < 1:
            return
        with contextlib.suppress(OSError):  # the monitor is gone, or does not read: sizes come again
            fifo = os.open(self._control, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                os.write(fifo, b"1 %d %d\n" % (min(height, SIZE_LIMIT), min(width, SIZE_LIMIT)))
            finally:
                os.close(fifo)

    async def close(self) -> None:
        """End all clients and the connection."""
        await self._tasks.close()

"""The connection to a container's monitor that carries its stdio to those who are attached.

conmon takes the end of any connection for the end of a `stdin_once` container's input. With a single one, only the end
of a client's input is that. So of a container whose stdin waits to be closed, the connection stays until the
container ends. conmon writes to attach sockets before it goes on with the log: whoever does not read would stop the
container.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket

from podwright.errors import FailedPrecondition
from podwright.runtime.handlers.protocol import Bundle, OutputStream

MESSAGE_LIMIT_BYTES = 64 * 1024  # conmon sends 8 KiB and a byte for the stream
INPUT_BYTES = 8192  # conmon cuts off what is longer than its buffer
SIZE_LIMIT = 1000  # conmon's own

# conmon's names for the output streams: the first byte of each message.
STREAMS = {2: OutputStream.STDOUT, 3: OutputStream.STDERR}


class MonitorLink:
    """A `Link` to conmon."""

    def __init__(self, bundle: Bundle, connected: socket.socket) -> None:
        self._socket = connected
        self._bundle = bundle
        self._control = f"{bundle.directory}/ctl"
        self.holds_input = bundle.stdin and bundle.stdin_once and not bundle.terminal

    async def read(self) -> tuple[OutputStream, bytes] | None:
        loop = asyncio.get_running_loop()
        while message := await loop.sock_recv(self._socket, MESSAGE_LIMIT_BYTES):
            stream = STREAMS.get(message[0])
            if stream is not None:  # else one that a later conmon may have
                return stream, message[1:]
        return None

    async def write(self, data: bytes) -> None:
        if not self._bundle.stdin:
            return
        loop = asyncio.get_running_loop()
        view = memoryview(data)
        try:
            while view:
                await loop.sock_sendall(self._socket, view[:INPUT_BYTES])
                view = view[INPUT_BYTES:]
        except OSError as failure:
            raise BrokenPipeError(failure.errno, failure.strerror) from failure

    async def end_input(self) -> bool:
        if not (self._bundle.stdin and self._bundle.stdin_once) or self._bundle.terminal:
            return False
        if self.holds_input:
            self.holds_input = False
            with contextlib.suppress(OSError):  # the container has ended
                self._socket.shutdown(socket.SHUT_WR)
        return True

    def resize(self, width: int, height: int) -> None:
        if not self._bundle.terminal or width < 1 or height < 1:
            return
        with contextlib.suppress(OSError):  # the monitor is gone, or does not read: sizes come again
            fifo = os.open(self._control, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                os.write(fifo, b"1 %d %d\n" % (min(height, SIZE_LIMIT), min(width, SIZE_LIMIT)))
            finally:
                os.close(fifo)

    def close(self) -> None:
        self._socket.close()


async def connect(bundle: Bundle) -> MonitorLink:
    """A link to conmon's socket. Raises FailedPrecondition when the monitor does not answer.

    It is reached through its directory's descriptor, because its path is longer than an address can be.
    """
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
    return MonitorLink(bundle, connection)

"""The stdio of a container's first process for attached clients: output from the log writer, input by the fifo."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from podwright.errors import PodwrightError
from podwright.runtime.handlers.protocol import Bundle, OutputStream
from podwright.runtime.handlers.shim.calls import ShimCalls
from podwright.runtime.handlers.shim.log_writer.program import CHUNK_BYTES
from podwright.runtime.handlers.shim.stdio import Input
from podwright.tasks import Tasks

STREAMS = {1: OutputStream.STDOUT, 2: OutputStream.STDERR}


class ShimLink:
    """See Link. The container's stdin outlives it: the shim holds the fifo as well."""

    holds_input = False

    def __init__(self, bundle: Bundle, calls: ShimCalls, connection: socket.socket, stdin: Input | None) -> None:
        """Without `stdin`, input is ignored."""
        self._bundle = bundle
        self._calls = calls
        self._socket = connection
        self._input = stdin
        self._tasks = Tasks()

    async def read(self) -> tuple[OutputStream, bytes] | None:
        loop = asyncio.get_running_loop()
        while message := await loop.sock_recv(self._socket, CHUNK_BYTES + 1):
            if (stream := STREAMS.get(message[0])) is not None:
                return stream, message[1:]
        return None

    async def write(self, data: bytes) -> None:
        if self._input is not None:
            await self._input.write(data)

    async def end_input(self) -> bool:
        if self._input is None or not self._bundle.stdin_once or self._bundle.terminal:
            return False
        await self._input.end(lambda: self._calls.close_stdin(self._bundle.id))
        return True

    def resize(self, width: int, height: int) -> None:
        if self._bundle.terminal and width > 0 and height > 0:
            self._tasks.start(self._resize(width, height), name=f"resize {self._bundle.id[:12]}")

    async def _resize(self, width: int, height: int) -> None:
        with contextlib.suppress(PodwrightError):  # it has ended, or sizes come again
            await self._calls.resize(self._bundle.id, "", width, height)

    def close(self) -> None:
        self._tasks.cancel()
        if self._input is not None:
            self._input.close()
        self._socket.close()

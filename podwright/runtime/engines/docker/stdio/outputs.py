"""The outputs of one hijacked connection, each read by its own reader at its own pace.

One connection carries both. An output that nobody reads stops the other when its queue is full, which is how the
Engine and the process notice a slow reader.
"""

from __future__ import annotations

import asyncio

from podwright.errors import Internal
from podwright.runtime.engines.docker.api.frames import STDERR, STDOUT, StdioFrames
from podwright.runtime.engines.docker.api.hijack import Hijacked

WAITING_LIMIT = 8  # pieces of at most 64 KiB


class Output:
    """One stream. A `Source`."""

    def __init__(self) -> None:
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue(WAITING_LIMIT)
        self._over = False
        self._dropped = False

    async def read(self) -> bytes:
        """The next output. Empty at the end."""
        if self._over:
            return b""
        piece = await self._pieces.get()
        self._over = not piece
        return piece

    async def put(self, piece: bytes) -> None:
        """Add output. Empty means the end. Waits for a slow reader."""
        if not self._dropped:
            await self._pieces.put(piece)

    def drop(self) -> None:
        """Nobody reads it any more."""
        self._dropped = True
        while not self._pieces.empty():
            self._pieces.get_nowait()


class Outputs:
    """Both streams of a connection, or one for a terminal."""

    def __init__(self, connection: Hijacked, *, terminal: bool) -> None:
        self.stdout = Output()
        self.stderr = None if terminal else Output()
        self._connection = connection

    async def pump(self) -> None:
        """Hand on what comes, until the connection ends."""
        frames = StdioFrames()
        try:
            while data := await self._connection.read():
                if self.stderr is None:
                    await self.stdout.put(data)
                    continue
                for stream, piece in frames.feed(data):
                    if (output := self._of(stream)) is not None:
                        await output.put(piece)
        except Internal:  # no frames: an engine that we do not know; what follows cannot be read
            return
        finally:
            for output in self._all():
                await output.put(b"")

    def _of(self, stream: int) -> Output | None:
        return {STDOUT: self.stdout, STDERR: self.stderr}.get(stream)

    def _all(self) -> list[Output]:
        return [output for output in (self.stdout, self.stderr) if output is not None]

    def drop(self) -> None:
        """Nobody reads any more."""
        for output in self._all():
            output.drop()

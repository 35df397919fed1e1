"""Sessions on a link that only listens: what goes out in which order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from podwright.conformance.patience import patient
from podwright.streams.client.command import CommandStreams, _Session
from podwright.streams.client.link import OnOutput
from podwright.streams.remote_command.protocol import StreamType, Version
from podwright.streams.remote_command.resize import TerminalSize, pack_size
from podwright.streams.wire import Buffer

SIZE = TerminalSize(width=80, height=24)


class Listening:
    """A Link to a command that ends when its input does."""

    version = Version.V4

    def __init__(self) -> None:
        self.said: list[tuple[StreamType, bytes]] = []
        self._ended = asyncio.Event()

    async def send(self, stream_type: StreamType, data: Buffer) -> None:
        self.said.append((stream_type, bytes(data)))

    async def end(self, stream_type: StreamType) -> None:
        self.said.append((stream_type, b""))
        self._ended.set()

    async def receive(self, on_output: OnOutput) -> None:
        await self._ended.wait()
        await on_output(StreamType.ERROR, b'{"status": "Success"}')

    async def close(self) -> None:
        """Nothing to do."""


class TypedAhead:
    def __init__(self) -> None:
        self._words = [b"stty size\n", b""]

    async def read(self) -> bytes:
        return self._words.pop(0)


async def sizes() -> AsyncIterator[TerminalSize]:
    yield SIZE
    await asyncio.get_running_loop().create_future()


async def test_the_terminals_size_goes_before_what_was_typed_ahead() -> None:
    link = Listening()
    async with asyncio.timeout(patient(60)):
        await _Session(link, CommandStreams(stdin=TypedAhead(), tty=True, sizes=sizes())).run()
    assert link.said == [
        (StreamType.RESIZE, pack_size(SIZE)),
        (StreamType.STDIN, b"stty size\n"),
        (StreamType.STDIN, b""),
    ]

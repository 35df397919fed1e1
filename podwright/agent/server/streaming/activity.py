"""Finds idle connections."""

from __future__ import annotations

import asyncio

from podwright.streams.wire import Buffer, Wire


class StreamActivity:
    """The time of the last byte on any of the wires that share it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._used_at = self._loop.time()

    def note(self) -> None:
        """Note that bytes were received or sent."""
        self._used_at = self._loop.time()

    async def until_idle(self, timeout_s: float) -> None:
        """Wait until no byte was received or sent for that long."""
        while (rest_s := self._used_at + timeout_s - self._loop.time()) > 0:  # noqa: ASYNC110 # an event for each use would cost more
            await asyncio.sleep(rest_s)


class ActiveWire:
    """A wire that notes each use."""

    def __init__(self, wire: Wire, activity: StreamActivity) -> None:
        self._wire = wire
        self._activity = activity

    async def receive(self) -> Buffer:
        data = await self._wire.receive()
        self._activity.note()
        await asyncio.sleep(0)  # a peer that never pauses must not block the event loop
        return data

    def push_back(self, data: bytes) -> None:
        self._wire.push_back(data)

    async def send(self, *parts: Buffer) -> None:
        await self._wire.send(*parts)
        self._activity.note()

    async def finish(self) -> None:
        await self._wire.finish()

    async def close(self) -> None:
        await self._wire.close()

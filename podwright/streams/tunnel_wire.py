"""A byte stream inside a WebSocket."""

from __future__ import annotations

from collections import deque

from podwright.streams.websocket.connection import Closed, Piece, WebSocket
from podwright.streams.wire import Aside, Buffer, Wire


class TunnelWire:
    """A byte stream in the binary messages of a WebSocket on another wire."""

    def __init__(self, wire: Wire, websocket: WebSocket) -> None:
        self._wire = wire
        self._websocket = websocket
        self._arrived: deque[Buffer] = deque()
        self._ended = False
        self._aside = Aside(wire)

    async def receive(self) -> Buffer:
        """Also raises ProtocolError."""
        while not self._arrived:
            if self._ended:
                return b""
            data = await self._wire.receive()
            self._ended = not data
            self._take(data)
        return self._arrived.popleft()

    def _take(self, data: Buffer) -> None:
        if not data:
            return
        try:
            for event in self._websocket.receive_data(data):
                if isinstance(event, Piece) and event.payload:
                    self._arrived.append(event.payload)
                elif isinstance(event, Closed):
                    self._ended = True
        finally:
            self._aside.send(self._websocket.take_answers())

    def push_back(self, data: bytes) -> None:
        if data:
            self._arrived.appendleft(data)

    async def send(self, *parts: Buffer) -> None:
        """Also raises FailedPrecondition after a close by one side."""
        await self._wire.send(self._websocket.send_message(b"".join(parts)))

    async def finish(self) -> None:
        if goodbye := self._websocket.close():
            await self._wire.send(goodbye)

    async def close(self) -> None:
        self._aside.cancel()
        await self._wire.close()

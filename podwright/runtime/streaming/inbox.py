"""Data of one client stream that is not consumed yet. It is bounded, so that a full inbox blocks the client."""

from __future__ import annotations

import asyncio
from collections import deque

from podwright.streams.wire import Buffer

LIMIT_BYTES = 256 * 1024
CHUNK_COST_BYTES = 128  # overhead of a chunk, so that a flood of tiny chunks is bounded as well


class Inbox:
    """Filled by the receiving task, emptied by the consumer."""

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._held_bytes = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._ended = False
        self._abandoned = False

    async def put(self, data: Buffer) -> None:
        """Add a copy. Waits while the inbox is full."""
        if self._abandoned or self._ended or not data:
            return
        self._chunks.append(bytes(data))
        self._held_bytes += len(data) + CHUNK_COST_BYTES
        self._news.set()
        while self._held_bytes > LIMIT_BYTES and not self._abandoned:
            self._room.clear()
            await self._room.wait()

    def end(self) -> None:
        """Mark the end."""
        self._ended = True
        self._news.set()

    async def get(self) -> bytes:
        """The next bytes. Empty at the end."""
        while not self._chunks:
            if self._ended or self._abandoned:
                return b""
            self._news.clear()
            await self._news.wait()
        data = self._chunks.popleft()
        self._held_bytes -= len(data) + CHUNK_COST_BYTES
        self._room.set()
        return data

    def abandon(self) -> None:
        """Discard its data and all later data."""
        self._abandoned = True
        self._chunks.clear()
        self._held_bytes = 0
        self._room.set()
        self._news.set()

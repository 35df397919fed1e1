"""Downloads the missing part of a blob from one server, in one response or in segments over several connections.

`client` chooses the server and handles its failure. The sink checks the bytes.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

import msgspec

from podwright.runtime.registry import ranges
from podwright.runtime.registry.failure import HostFailure, Rank
from podwright.runtime.registry.manifest import Descriptor
from podwright.runtime.registry.patience import Patience
from podwright.runtime.registry.server import RegistryServer
from podwright.runtime.registry.transport import RegistryTransport

if TYPE_CHECKING:
    import aiohttp

WRITE_BYTES = 1 << 20
NO_RANGES = (416, 501)  # status codes of servers that reject a range


class BlobSink(Protocol):
    """Receives a blob. After a server's failure the download continues at `written_bytes`."""

    @property
    def written_bytes(self) -> int: ...

    async def write(self, data: bytes | bytearray) -> None: ...


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """Downloads `descriptor` from `server` into `sink`.

    `undivided` are the keys of servers that failed on segments of some blob.
    """

    transport: RegistryTransport
    server: RegistryServer
    patience: Patience
    connections: ranges.Connections
    descriptor: Descriptor
    sink: BlobSink
    undivided: set[str]

    async def bring(self) -> None:
        """Download from the sink's position on.

        Raises HostFailure, after which the sink keeps its data, and what it raises.
        """
        missing_bytes = self.descriptor.size - self.sink.written_bytes
        if missing_bytes >= ranges.LEAST_BYTES and self.server.key not in self.undivided:
            try:
                if await self._in_segments():
                    return
            except HostFailure:
                self.undivided.add(self.server.key)  # a retry uses the simplest request
                raise
        with self.connections:
            await self._stream()

    async def _in_segments(self) -> bool:
        """Download the first segment, and if it was slow, the others over several connections.

        Returns whether the blob is complete. If not, one connection must download the rest.
        """
        clock = asyncio.get_running_loop().time
        start, began = self.sink.written_bytes, clock()
        try:
            with self.connections:
                await self._stream(end=start + ranges.SEGMENT_BYTES)
        except HostFailure as failure:
            if failure.status in NO_RANGES and self.sink.written_bytes == start:
                return False
            raise
        came, size = self.sink.written_bytes, self.descriptor.size
        if came < size and came - start < ranges.FAST_BYTES_S * (clock() - began):
            await ranges.in_order(came, size, self._segment, self.sink.write, self.connections)
        return self.sink.written_bytes >= size

    async def _segment(self, start: int, end: int) -> bytearray:
        data = bytearray()
        async with self._request({"Range": f"bytes={start}-{end - 1}"}) as response:
            sent, _, total = response.headers.get("Content-Range", "").partition("/")
            right = sent == f"bytes {start}-{end - 1}" and total in ("*", str(self.descriptor.size))
            if response.status != HTTPStatus.PARTIAL_CONTENT or not right:
                raise self._garbage("sends another range of")
            async for piece in self.transport.pieces(self.server.host, response, self.patience.pace()):
                data += piece
                if len(data) > end - start:
                    break
        if len(data) != end - start:
            raise self._garbage(f"sends {len(data)} bytes for a range of {end - start} of")
        return data

    async def _stream(self, *, end: int | None = None) -> None:
        """Download up to `end` (exclusive, None: all). A server without ranges sends everything."""
        start = self.sink.written_bytes
        wanted = {"Range": f"bytes={start}-{'' if end is None else end - 1}"} if start or end else {}
        async with self._request(wanted) as response:
            partial = response.status == HTTPStatus.PARTIAL_CONTENT
            if partial and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                raise self._garbage("sends another range of")
            surplus = 0 if partial else start  # a server without ranges starts at the beginning
            pending = bytearray()
            try:
                async for piece in self.transport.pieces(self.server.host, response, self.patience.pace()):
                    if surplus:
                        piece, surplus = piece[surplus:], max(0, surplus - len(piece))  # noqa: PLW2901 # the part that is new
                    pending += piece
                    if len(pending) >= WRITE_BYTES:
                        full, pending = pending, bytearray()
                        await self.sink.write(full)
            except HostFailure:
                await self.sink.write(pending)
                raise
            await self.sink.write(pending)
        if self.sink.written_bytes < (end if partial and end is not None else self.descriptor.size):
            raise self._garbage(f"sends {self.sink.written_bytes} of the {self.descriptor.size} bytes of")

    def _request(self, headers: dict[str, str]) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return self.server.request("GET", f"blobs/{self.descriptor.digest}", headers, self.patience)

    def _garbage(self, does: str) -> HostFailure:
        return HostFailure(Rank.GARBAGE, f"{self.server.name} {does} {self.descriptor.digest}")

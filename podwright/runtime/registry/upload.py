"""Pushes to one repository of one server (distribution-spec, "Push"): missing blobs, then the manifest.

Blobs that the server has are skipped, and those of its other repositories are mounted. Large blobs go in chunks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from enum import Enum
from http import HTTPStatus
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

from podwright.runtime.registry.client import DIGEST_HEADER
from podwright.runtime.registry.failure import HostFailure, Rank
from podwright.runtime.registry.server import RegistryServer

CHUNK_BYTES = 64 << 20
CHUNK_MINIMUM_HEADER = "OCI-Chunk-Min-Length"
CHUNK_MINIMUM_LIMIT = 1 << 30  # the largest chunk for a server that requires a minimum
OCTETS = "application/octet-stream"
MOUNTS_LIMIT = 2  # repositories to mount a blob from
TRIES = 3  # per blob, from its beginning

Read = Callable[[int, int], AsyncIterator[bytes]]


class Came(Enum):
    """How a blob got to the server."""

    PRESENT = "present"
    MOUNTED = "mounted"
    UPLOADED = "uploaded"


class Uploader:
    """Pushes blobs and manifests. Every method raises HostFailure."""

    def __init__(self, server: RegistryServer, *, chunk_bytes: int = CHUNK_BYTES) -> None:
        self._server = server
        self._chunk_bytes = chunk_bytes

    async def blob(self, digest: str, size_bytes: int, read: Read, others: Sequence[str]) -> Came:
        """Push a blob. `read(start, end)` returns its bytes. `others` are repositories that may have it."""
        if await self._has(digest):
            return Came.PRESENT
        for count in range(1, TRIES + 1):
            try:
                return await self._bring(digest, size_bytes, read, others)
            except HostFailure as failure:
                if failure.rank not in (Rank.UNREACHABLE, Rank.UNAVAILABLE) or count == TRIES:
                    raise
        raise AssertionError("unreachable")

    async def _has(self, digest: str) -> bool:
        try:
            async with self._server.request("HEAD", f"blobs/{digest}", {}):
                return True
        except HostFailure as failure:
            if failure.status != HTTPStatus.NOT_FOUND:
                raise
        return False

    async def _bring(self, digest: str, size_bytes: int, read: Read, others: Sequence[str]) -> Came:
        place, chunk_bytes = "", self._chunk_bytes
        for other in others[:MOUNTS_LIMIT] or ("",):
            mount = f"?mount={digest}&from={quote(other)}" if other else ""
            async with self._server.request("POST", f"blobs/uploads/{mount}", {"Content-Length": "0"}) as response:
                if response.status == HTTPStatus.CREATED and mount:
                    return Came.MOUNTED
                place = _location(self._server, str(response.url), response.headers.get("Location", ""))
                wanted = response.headers.get(CHUNK_MINIMUM_HEADER, "")
                chunk_bytes = (
                    max(chunk_bytes, min(int(wanted), CHUNK_MINIMUM_LIMIT)) if wanted.isdigit() else chunk_bytes
                )
        if size_bytes <= chunk_bytes:
            await self._put(place, digest, size_bytes, lambda: read(0, size_bytes))
            return Came.UPLOADED
        for start in range(0, size_bytes, chunk_bytes):
            place = await self._patch(place, start, min(start + chunk_bytes, size_bytes), read)
        await self._put(place, digest, 0, _nothing)
        return Came.UPLOADED

    async def _patch(self, place: str, start: int, end: int, read: Read) -> str:
        """Send one chunk. Returns the location of the next one."""
        headers = {"Content-Type": OCTETS, "Content-Length": str(end - start), "Content-Range": f"{start}-{end - 1}"}
        async with self._server.request("PATCH", place, headers, body=lambda: read(start, end)) as response:
            return _location(self._server, str(response.url), response.headers.get("Location", ""))

    async def _put(self, place: str, digest: str, size_bytes: int, body: Callable[[], AsyncIterator[bytes]]) -> None:
        """Finish an upload. The server checks the digest."""
        parts = urlsplit(place)
        query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), ("digest", digest)])
        url = urlunsplit(parts._replace(query=query))
        headers = {"Content-Type": OCTETS, "Content-Length": str(size_bytes)}
        async with self._server.request("PUT", url, headers, body=body):
            return

    async def manifest(self, name: str, data: bytes, media_type: str, digest: str) -> None:
        """Store a manifest under a tag or digest. All its blobs must exist on the server."""

        async def body() -> AsyncIterator[bytes]:
            yield data

        headers = {"Content-Type": media_type, "Content-Length": str(len(data))}
        async with self._server.request("PUT", f"manifests/{name}", headers, body=body) as response:
            stored = response.headers.get(DIGEST_HEADER, digest)
        if stored != digest:
            raise HostFailure(Rank.GARBAGE, f"{self._server.name} stored {stored} instead of {digest}")


async def _nothing() -> AsyncIterator[bytes]:
    yield b""


def _location(server: RegistryServer, asked: str, location: str) -> str:
    """The URL where the upload continues. Raises HostFailure."""
    url = urljoin(asked, location)
    parts = urlsplit(url)
    downgraded = asked.startswith("https:") and parts.scheme != "https"
    if not location or parts.scheme not in ("http", "https") or downgraded:
        raise HostFailure(Rank.GARBAGE, f"{server.name} does not send a location for the upload")
    return url

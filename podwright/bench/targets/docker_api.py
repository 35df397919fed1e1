"""A small client of the Docker Engine API over its unix socket, with JSON and our error tree."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from podwright.cri.endpoint import socket_path
from podwright.errors import (
    AlreadyExists,
    DeadlineExceeded,
    Internal,
    InvalidArgument,
    NotFound,
    PodwrightError,
    Unavailable,
)

TIMEOUT_S = 120.0  # as for CRI calls
Query = Mapping[str, str]
NO_QUERY: Query = MappingProxyType({})
FAILURES: dict[int, type[PodwrightError]] = {400: InvalidArgument, 404: NotFound, 409: AlreadyExists}


class DockerApi:
    """One Engine. Use as an async context manager, or call `close`. Paths without version mean the newest API."""

    def __init__(self, endpoint: str) -> None:
        self._path = socket_path(endpoint)
        self._opened: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._opened is not None:
            await self._opened.close()

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Query = NO_QUERY,
        timeout_s: float | None = TIMEOUT_S,
    ) -> Any:
        """One request. Returns its answer as JSON, or None. Raises a PodwrightError."""
        content = await self.read(method, path, body, query=query, timeout_s=timeout_s)
        return msgspec.json.decode(content) if content else None

    async def read(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Query = NO_QUERY,
        timeout_s: float | None = TIMEOUT_S,
    ) -> bytes:
        """One request. Returns the bytes of its complete answer. Raises a PodwrightError."""
        data = None if body is None else msgspec.json.encode(body)
        headers = {} if data is None else {"Content-Type": "application/json"}
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(method, path, data, headers, query)
        except TimeoutError as failure:
            raise DeadlineExceeded(f"{method} {path}: no answer from Docker in {timeout_s} s") from failure
        except (aiohttp.ClientError, OSError) as failure:
            raise Unavailable(f"{method} {path}: {failure}") from failure

    async def _exchange(
        self, method: str, path: str, data: bytes | None, headers: Mapping[str, str], query: Query
    ) -> bytes:
        url = f"http://docker{path}"
        async with self._session().request(method, url, params=query, data=data, headers=headers) as response:
            content = await response.read()
        if response.status >= 400:
            kind = FAILURES.get(response.status, Internal)
            raise kind(f"{method} {path}: {response.status} {content[:500].decode(errors='replace').strip()}")
        return content

    def _session(self) -> aiohttp.ClientSession:
        # Made on first use: a session belongs to a running event loop. No limit: suites set the concurrency.
        if self._opened is None:
            connector = aiohttp.UnixConnector(self._path, limit=0)
            self._opened = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
        return self._opened

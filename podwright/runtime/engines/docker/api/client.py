"""Calls of the Engine's API: one request, one JSON answer, or an answer that is read as it comes.

Every call has a deadline, except for answers that have no end of their own. aiohttp makes the requests. Hijacked
connections are in `hijack`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import msgspec

from podwright.errors import DeadlineExceeded, Internal, NotFound, PodwrightError, Unavailable
from podwright.runtime.engines.docker.api import versions
from podwright.runtime.engines.docker.api.failures import failure_of
from podwright.runtime.engines.docker.api.shapes import shaped

Query = Mapping[str, str]
ANSWER_LIMIT_BYTES = 256 * 1024**2  # a list of ten thousand containers is 20 MB
ERROR_LIMIT_BYTES = 64 * 1024
LINE_LIMIT_BYTES = 4 * 1024**2  # of one JSON document in a stream
PING_S = 5.0


class EngineClient:
    """One Engine. `negotiate` comes first."""

    def __init__(self, socket_path: str, *, timeout_s: float) -> None:
        self.socket_path = socket_path
        self.version = versions.OLDEST
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.UnixConnector(path=self.socket_path, limit=0)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=aiohttp.ClientTimeout(total=None), read_bufsize=256 * 1024
            )
        return self._session

    async def negotiate(self) -> dict[str, Any]:
        """Choose the version to speak, and return what the Engine says of itself.

        Raises FailedPrecondition for an engine that is too old, Unavailable and DeadlineExceeded.
        """
        found: dict[str, Any] = await self._call("GET", "/version", "its version", timeout_s=self._timeout_s)
        with shaped("its version"):
            self.version = versions.spoken(
                str(found.get("Version", "")), str(found.get("ApiVersion", "")), str(found.get("MinAPIVersion", ""))
            )
        return found

    async def ping(self) -> None:
        """Raises Unavailable and DeadlineExceeded if the Engine does not answer now."""
        async with self._answer("GET", "/_ping", "ping", timeout_s=PING_S) as answer:
            await answer.read()

    async def get(self, path: str, what: str, query: Query | None = None) -> Any:
        """A JSON document. `what` names the call in messages. Raises as `failures` says."""
        return await self._call("GET", self.at(path), what, query=query, timeout_s=self._timeout_s)

    async def post(
        self,
        path: str,
        what: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Query | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """The answer's JSON document, or None. Raises as `failures` says."""
        return await self._call(
            "POST", self.at(path), what, query=query, body=body, timeout_s=timeout_s or self._timeout_s
        )

    async def delete(self, path: str, what: str, query: Query | None = None) -> bool:
        """Delete something. Returns False if it does not exist. Raises as `failures` says."""
        try:
            await self._call("DELETE", self.at(path), what, query=query, timeout_s=self._timeout_s)
        except NotFound:
            return False
        return True

    async def documents(
        self,
        method: str,
        path: str,
        what: str,
        *,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        data: AsyncIterator[bytes] | None = None,
        begun: asyncio.Event | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        """The JSON documents of an answer, one a line, as they come. `begun` is set when the answer has begun.

        A caller that leaves ends the request. Raises as `failures` says.
        """
        async with self._answer(method, self.at(path), what, query=query, headers=headers, data=data) as answer:
            if begun is not None:
                begun.set()
            pending = b""
            async for chunk in answer.content.iter_any():
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield _document(line, what)
                if len(pending) > LINE_LIMIT_BYTES:
                    raise Internal(f"Docker Engine: {what}: a document is larger than {LINE_LIMIT_BYTES} bytes")
            if pending.strip():
                yield _document(pending, what)

    async def content(self, path: str, what: str) -> AsyncIterator[bytes]:
        """The bytes of an answer, as they come."""
        async with self._answer("GET", self.at(path), what) as answer:
            async for chunk in answer.content.iter_any():
                yield chunk

    def at(self, path: str) -> str:
        """The path with the version that is spoken."""
        return f"/v{versions.text(self.version)}{path}"

    async def _call(
        self,
        method: str,
        path: str,
        what: str,
        *,
        timeout_s: float,
        query: Query | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        data = None if body is None else msgspec.json.encode(body)
        headers = None if body is None else {"Content-Type": "application/json"}
        async with self._answer(
            method, path, what, query=query, headers=headers, data=data, timeout_s=timeout_s
        ) as answer:
            content = await _read(answer, ANSWER_LIMIT_BYTES, what)
        if not content.strip():
            return None
        try:
            return msgspec.json.decode(content)
        except msgspec.DecodeError as failure:
            raise Internal(f"Docker Engine: {what}: the answer is not JSON: {content[:200]!r}") from failure

    @contextlib.asynccontextmanager
    async def _answer(
        self,
        method: str,
        path: str,
        what: str,
        *,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | AsyncIterator[bytes] | None = None,
        timeout_s: float | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A good answer, whose body is not read yet. The block has to read it within `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                async with self._opened().request(
                    method, f"http://docker{path}", params=query, headers=headers, data=data
                ) as answer:
                    if answer.status >= 300:
                        raise failure_of(answer.status, await _read(answer, ERROR_LIMIT_BYTES, what), what)
                    yield answer
        except TimeoutError as late:
            raise DeadlineExceeded(
                f"Docker Engine: {what}: no answer within {timeout_s:g} s", hint=f"is {self.socket_path} alive?"
            ) from late
        except (aiohttp.ClientError, OSError) as failure:
            raise self.absent(what, failure) from failure

    def absent(self, what: str, failure: Exception) -> PodwrightError:
        """The error for a connection that cannot be made, or that broke."""
        return Unavailable(
            f"Docker Engine: {what}: {self.socket_path} does not answer: {failure or type(failure).__name__}",
            hint="is dockerd running?",
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


def filters(**wanted: list[str]) -> dict[str, str]:
    """The `filters` of a list."""
    return {"filters": json.dumps(wanted)}


def _document(line: bytes, what: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(line)
    except msgspec.DecodeError as failure:
        raise Internal(f"Docker Engine: {what}: the answer has a line that is not JSON: {line[:200]!r}") from failure
    if not isinstance(found, dict):
        raise Internal(f"Docker Engine: {what}: the answer has a line that is not an object: {line[:200]!r}")
    return found


async def _read(answer: aiohttp.ClientResponse, limit_bytes: int, what: str) -> bytes:
    content = bytearray()
    async for chunk in answer.content.iter_any():
        content += chunk
        if len(content) > limit_bytes:
            raise Internal(f"Docker Engine: {what}: the answer is larger than {limit_bytes} bytes")
    return bytes(content)

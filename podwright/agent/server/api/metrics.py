"""`/metrics` and the paths below it: Prometheus' text, compressed for clients that accept that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from podwright.agent.server.http.messages import Answer, HttpRequest, HttpResponse

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8; escaping=values"
COMPRESSED_FROM_BYTES = 2048
LEVEL = 1

Text = Callable[[], Awaitable[bytes]]


def of(make: Text) -> Callable[[HttpRequest], Awaitable[Answer]]:
    """A handler that answers with the text that `make` returns."""

    async def handler(request: HttpRequest) -> Answer:
        body = await make()
        if len(body) < COMPRESSED_FROM_BYTES or not _takes_gzip(request.header("accept-encoding")):
            return HttpResponse(body=body, content_type=CONTENT_TYPE)
        compressed = await asyncio.to_thread(_compress, body)
        return HttpResponse(body=compressed, content_type=CONTENT_TYPE, headers=(("content-encoding", "gzip"),))

    return handler


def _takes_gzip(header: str) -> bool:
    return any(part.strip().split(";")[0] == "gzip" for part in header.split(","))


def _compress(body: bytes) -> bytes:
    from isal import igzip  # noqa: PLC0415 # for scrapers alone

    compressed: bytes = igzip.compress(body, LEVEL)
    return compressed

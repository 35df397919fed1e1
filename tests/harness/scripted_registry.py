"""A registry on loopback that does what a test tells it: serves images from memory, and lies where it is asked to."""

from __future__ import annotations

import re
import ssl
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import NamedTuple, Self

from aiohttp import web

from tools.images import Image, Index, digest_of

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Seen(NamedTuple):
    """A request that came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


class ScriptedRegistry:
    """Use as an async context manager. Answers in `answers` (by path) come before the images."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Seen] = []
        self.answers: dict[str, Answer] = {}
        self.ranges = True
        self._documents: dict[str, tuple[bytes, str]] = {}
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=1 << 20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        # No patience at the end: some answers hang for ever.
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def host(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The base URL."""
        return f"{'https' if self._tls else 'http'}://{self.host}"

    def serve(self, name: str, image: Image | Index) -> str:
        """Serve an image as `repository:tag`. Returns the digest of its manifest."""
        repository, _, tag = name.rpartition(":")
        self.put(f"/v2/{repository}/manifests/{tag}", image.manifest, image.media_type)
        self._serve_content(repository, image)
        return image.digest

    def _serve_content(self, repository: str, image: Image | Index) -> None:
        self.put(f"/v2/{repository}/manifests/{image.digest}", image.manifest, image.media_type)
        if isinstance(image, Index):
            for one in image.images:
                self._serve_content(repository, one)
            return
        for blob in (image.config, *(layer.blob for layer in image.layers)):
            self.put_blob(repository, blob)

    def put_blob(self, repository: str, blob: bytes) -> None:
        """Serve a blob under its digest."""
        self.put(f"/v2/{repository}/blobs/{digest_of(blob)}", blob)

    def put(self, path: str, data: bytes, media_type: str = "application/octet-stream") -> None:
        """Serve bytes under a path."""
        self._documents[path] = (data, media_type)

    def paths(self, method: str = "GET") -> list[str]:
        """The paths of the requests with that method."""
        return [seen.path for seen in self.requests if seen.method == method]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(Seen(request.method, request.path, dict(request.query), dict(request.headers)))
        answer = self.answers.get(request.path, self.answers.get("*"))
        return await (answer or self.honest)(request)

    async def honest(self, request: web.Request) -> web.StreamResponse:
        """The answer of a registry that works."""
        if request.path not in self._documents:
            return web.json_response({"errors": [{"code": "UNKNOWN", "message": "not known here"}]}, status=404)
        data, media_type = self._documents[request.path]
        headers = {"Content-Type": media_type}
        if "/manifests/" in request.path:
            headers["Docker-Content-Digest"] = digest_of(data)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
        if wanted and self.ranges:
            start, last = int(wanted[1]), min(int(wanted[2] or len(data)), len(data) - 1)
            headers["Content-Range"] = f"bytes {start}-{last}/{len(data)}"
            return web.Response(body=data[start : last + 1], status=206, headers=headers)
        return web.Response(body=data, headers=headers)

    def document(self, path: str) -> bytes:
        """The document that `honest` serves there."""
        return self._documents[path][0]


def breaking_off(data: bytes, after: int) -> Answer:
    """Declares all of `data`, sends `after` bytes of it and drops the connection."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(data))})
        await response.prepare(request)
        await response.write(data[:after])
        if request.transport is not None:
            request.transport.close()
        return response

    return answer


def fixed(status: int = 200, body: bytes = b"", **headers: str) -> Answer:
    """Always the same."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(
            status=status, body=body, headers={key.replace("_", "-"): value for key, value in headers.items()}
        )

    return answer

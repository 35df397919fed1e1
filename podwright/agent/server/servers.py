"""The agent's servers: its own socket for people, /healthz, the read-only port, and the authenticated API."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence

from podwright.agent.server.api.request_counts import RequestCounts
from podwright.agent.server.auth.guard import Guard
from podwright.agent.server.http.listener import Contexts, Limits, Listener, listen_tcp, listen_unix
from podwright.agent.server.http.messages import JSON, Answer, Request, Response
from podwright.agent.server.http.messages import json as json_answer
from podwright.agent.server.http.routing import Route
from podwright.agent.server.serving import Service
from podwright.agent.server.view import View
from podwright.errors import NotFound


class Servers:
    """Serves until it is closed."""

    def __init__(self, counts: RequestCounts, limits: Limits) -> None:
        self._counts = counts
        self._limits = limits
        self._listeners: list[Listener] = []
        self._sockets: list[str] = []

    def serve_socket(self, path: str, routes: Sequence[Route]) -> None:
        """Answer root on a socket of mode 0600. Raises FailedPrecondition."""
        self._add(Listener(listen_unix(path), Service(routes, self._counts), limits=self._limits))
        self._sockets.append(path)

    def serve_plain(self, address: str, port: int, routes: Sequence[Route]) -> int:
        """Answer whoever asks; the port. Raises FailedPrecondition."""
        return self._add(Listener(listen_tcp(address, port), Service(routes, self._counts), limits=self._limits))

    def serve_api(self, address: str, port: int, routes: Sequence[Route], guard: Guard, tls: Contexts) -> int:
        """Answer who may ask; the port. Raises FailedPrecondition."""
        service = Service(routes, self._counts, guard)
        return self._add(Listener(listen_tcp(address, port), service, limits=self._limits, tls=tls))

    def _add(self, listener: Listener) -> int:
        listener.start()
        self._listeners.append(listener)
        return listener.port

    async def close(self) -> None:
        """Serve no more."""
        for listener in self._listeners:
            await listener.close()
        for path in self._sockets:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


class Descriptions:
    """`/describe/NAMESPACE/NAME` on the agent's own socket: a pod for people."""

    def __init__(self, view: View) -> None:
        self._view = view

    def routes(self) -> list[Route]:
        """The path."""
        return [Route(pattern="/describe/{namespace}/{name}", handler=self.describe)]

    async def describe(self, request: Request) -> Answer:
        """GET."""
        try:
            found = self._view.description(request.places["namespace"], request.places["name"])
        except NotFound as missing:
            body = json.dumps({"error": missing.message, "hint": missing.hint}).encode()
            return Response(status=404, body=body, content_type=JSON)
        return json_answer(json.dumps(found).encode())

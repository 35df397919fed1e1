"""The agent's servers: its own socket for people, /healthz, the read-only port, and the authenticated API."""

from __future__ import annotations

import json
from collections.abc import Sequence

from podwright.agent.server.api.request_counts import RequestCounts
from podwright.agent.server.auth.guard import Guard
from podwright.agent.server.early_ports import EarlyPorts
from podwright.agent.server.http.listener import HttpListener, Limits, TlsSource
from podwright.agent.server.http.messages import JSON, Answer, HttpRequest, HttpResponse
from podwright.agent.server.http.messages import json as json_answer
from podwright.agent.server.http.routing import HttpRoute
from podwright.agent.server.http.sockets import listen_unix
from podwright.agent.server.serving import HttpService
from podwright.agent.server.view import View
from podwright.errors import NotFound
from podwright.linux.files import remove_file


class Servers:
    """Serves until it is closed."""

    def __init__(self, counts: RequestCounts, limits: Limits, ports: EarlyPorts) -> None:
        """Serves the sockets that `ports` has bound. Others are bound when they are to be served."""
        self._counts = counts
        self._limits = limits
        self._ports = ports
        self._listeners: list[HttpListener] = []
        self._sockets: list[str] = []

    def serve_socket(self, path: str, routes: Sequence[HttpRoute]) -> None:
        """Serve root, on a socket of mode 0600. Raises FailedPrecondition."""
        self._add(HttpListener(listen_unix(path), HttpService(routes, self._counts), limits=self._limits))
        self._sockets.append(path)

    def serve_plain(self, address: str, port: int, routes: Sequence[HttpRoute]) -> int:
        """Serve every client. Returns the port. Raises FailedPrecondition."""
        listening = self._ports.take(address, port)
        return self._add(HttpListener(listening, HttpService(routes, self._counts), limits=self._limits))

    def serve_api(self, address: str, port: int, routes: Sequence[HttpRoute], guard: Guard, tls: TlsSource) -> int:
        """Serve authorized clients. Returns the port. Raises FailedPrecondition."""
        service = HttpService(routes, self._counts, guard)
        return self._add(HttpListener(self._ports.take(address, port), service, limits=self._limits, tls=tls))

    def _add(self, listener: HttpListener) -> int:
        listener.start()
        self._listeners.append(listener)
        return listener.port

    async def close(self) -> None:
        """Stop serving."""
        for listener in self._listeners:
            await listener.close()
        for path in self._sockets:
            remove_file(path)


class Descriptions:
    """`/describe/NAMESPACE/NAME` on the agent's own socket: a pod for people."""

    def __init__(self, view: View) -> None:
        self._view = view

    def routes(self) -> list[HttpRoute]:
        """The path."""
        return [HttpRoute(pattern="/describe/{namespace}/{name}", handler=self.describe)]

    async def describe(self, request: HttpRequest) -> Answer:
        """GET."""
        try:
            found = self._view.description(request.places["namespace"], request.places["name"])
        except NotFound as missing:
            body = json.dumps({"error": missing.message, "hint": missing.hint}).encode()
            return HttpResponse(status=404, body=body, content_type=JSON)
        return json_answer(json.dumps(found).encode())

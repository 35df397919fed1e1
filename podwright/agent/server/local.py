"""The agent's servers on this machine: its own socket for people, and HTTP on loopback for health and metrics."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable

import msgspec

from podwright.agent.server.health import Health
from podwright.agent.server.http import Handler, HttpServer, Request, Response
from podwright.agent.server.view import View
from podwright.errors import FailedPrecondition, NotFound

JSON = "application/json"
NOT_FOUND = Response(status=404, body=b"404 page not found\n")
Metrics = Callable[[], bytes]


class LocalServers:
    """Serves until it is closed."""

    def __init__(self, view: View, health: Health, metrics: Metrics) -> None:
        self._view = view
        self._health = health
        self._metrics = metrics
        self._servers: list[HttpServer] = []
        self._sockets: list[str] = []

    async def serve_socket(self, path: str) -> None:
        """Answer root on a socket of mode 0600. Raises FailedPrecondition."""
        try:
            os.makedirs(os.path.dirname(path), mode=0o711, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            os.fchmod(listener.fileno(), 0o600)  # the file that bind makes has it from the start (unix(7))
            listener.bind(path)
            await self._server(self._answer_person).listen_on(listener)
        except OSError as failure:
            raise FailedPrecondition(f"cannot listen on {path}: {failure}") from failure
        self._sockets.append(path)

    async def serve_health(self, address: str, port: int) -> int:
        """Answer /healthz alone (healthzBindAddress); the port. Raises FailedPrecondition."""
        return await self._listen(self._answer_health, address, port)

    async def serve_reader(self, address: str, port: int) -> int:
        """Answer /healthz, /pods and /metrics to whoever asks (readOnlyPort); the port."""
        return await self._listen(self._answer_reader, address, port)

    def _server(self, handler: Handler) -> HttpServer:
        server = HttpServer(handler=handler)
        self._servers.append(server)
        return server

    async def _listen(self, handler: Handler, address: str, port: int) -> int:
        try:
            return await self._server(handler).listen(address, port)
        except OSError as failure:
            raise FailedPrecondition(f"cannot listen on {address}:{port}: {failure.strerror}") from failure

    async def close(self) -> None:
        """Serve no more."""
        for server in self._servers:
            await server.close()
        for path in self._sockets:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    # -- answers

    def _answer_health(self, request: Request) -> Response:
        match request.path:
            case ("healthz",):
                is_well, text = self._health.report(verbose="verbose" in request.query)
                return Response(body=text.encode(), status=200 if is_well else 500)
            case ("healthz", check):
                return self._one_check(check)
        return NOT_FOUND

    def _one_check(self, check: str) -> Response:
        problem = self._health.problem(check)
        if problem is None:
            return Response(body=f"there are checks of {', '.join(self._health.names())}\n".encode(), status=404)
        return Response(body=(problem or "ok").encode(), status=500 if problem else 200)

    def _answer_reader(self, request: Request) -> Response:
        match request.path:
            case ("pods",):
                return Response(body=self._view.pod_list(), content_type=JSON)
            case ("metrics",):
                return Response(body=self._metrics(), content_type="text/plain; version=0.0.4; charset=utf-8")
        return self._answer_health(request)

    def _answer_person(self, request: Request) -> Response:
        match request.path:
            case ("describe", namespace, name):
                return self._describe(namespace, name)
        return self._answer_reader(request)

    def _describe(self, namespace: str, name: str) -> Response:
        try:
            return Response(body=msgspec.json.encode(self._view.description(namespace, name)), content_type=JSON)
        except NotFound as missing:
            error = {"error": missing.message, "hint": missing.hint}
            return Response(body=msgspec.json.encode(error), content_type=JSON, status=404)

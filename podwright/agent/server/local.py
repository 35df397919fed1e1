"""The agent's servers on this machine: its own socket for people, and HTTP on loopback for health and metrics."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Callable

from aiohttp import web

from podwright.agent.server.health import Health
from podwright.agent.server.view import View
from podwright.errors import FailedPrecondition, NotFound

CLOSE_S = 2.0
PROBE_S = 1.0
Metrics = Callable[[], bytes]


class LocalServers:
    """Serves until it is closed."""

    def __init__(self, view: View, health: Health, metrics: Metrics) -> None:
        self._view = view
        self._health = health
        self._metrics = metrics
        self._runners: list[web.AppRunner] = []
        self._sockets: list[str] = []

    async def serve_socket(self, path: str) -> None:
        """Answer root on a socket of mode 0600. One that nobody listens on is replaced. Raises FailedPrecondition."""
        app = web.Application()
        self._add_common(app)
        app.router.add_get("/describe/{namespace}/{name}", self._describe)
        runner = await self._runner(app)
        try:
            os.makedirs(os.path.dirname(path), mode=0o711, exist_ok=True)
            _clear(path)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            os.fchmod(listener.fileno(), 0o600)  # the file that bind makes has it from the start (unix(7))
            listener.bind(path)
            await web.SockSite(runner, listener).start()
        except OSError as failure:
            raise FailedPrecondition(f"cannot listen on {path}: {failure}") from failure
        self._sockets.append(path)

    async def serve_health(self, address: str, port: int) -> int:
        """Answer /healthz alone (healthzBindAddress); the port. Raises FailedPrecondition."""
        app = web.Application()
        self._add_health(app)
        return await self._listen(app, address, port)

    async def serve_reader(self, address: str, port: int) -> int:
        """Answer /healthz, /pods and /metrics to whoever asks (readOnlyPort); the port."""
        app = web.Application()
        self._add_common(app)
        return await self._listen(app, address, port)

    def _add_health(self, app: web.Application) -> None:
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/healthz/{check}", self._one_check)

    def _add_common(self, app: web.Application) -> None:
        self._add_health(app)
        app.router.add_get("/pods", self._pods)
        app.router.add_get("/metrics", self._answer_metrics)

    async def _runner(self, app: web.Application) -> web.AppRunner:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_S)
        await runner.setup()
        self._runners.append(runner)
        return runner

    async def _listen(self, app: web.Application, address: str, port: int) -> int:
        runner = await self._runner(app)
        try:
            await web.TCPSite(runner, address, port).start()
        except OSError as failure:
            raise FailedPrecondition(f"cannot listen on {address}:{port}: {failure.strerror}") from failure
        bound: int = runner.addresses[0][1]
        return bound

    async def close(self) -> None:
        """Serve no more."""
        for runner in self._runners:
            await runner.cleanup()
        for path in self._sockets:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    # -- answers

    async def _healthz(self, request: web.Request) -> web.Response:
        well, text = self._health.report(verbose="verbose" in request.query)
        return web.Response(text=text, status=200 if well else 500)

    async def _one_check(self, request: web.Request) -> web.Response:
        problem = self._health.problem(request.match_info["check"])
        if problem is None:
            raise web.HTTPNotFound(text=f"there are checks of {', '.join(self._health.names())}\n")
        return web.Response(text=problem or "ok", status=500 if problem else 200)

    async def _pods(self, _: web.Request) -> web.Response:
        return web.Response(body=self._view.pod_list(), content_type="application/json")

    async def _answer_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), content_type="text/plain", charset="utf-8")

    async def _describe(self, request: web.Request) -> web.Response:
        place = request.match_info
        try:
            return web.json_response(self._view.description(place["namespace"], place["name"]))
        except NotFound as missing:
            return web.json_response({"error": missing.message, "hint": missing.hint}, status=404)


def _clear(path: str) -> None:
    """Remove a socket that its agent has left behind. Raises FailedPrecondition for anything else, and OSError."""
    try:
        is_socket = stat.S_ISSOCK(os.lstat(path).st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise FailedPrecondition(f"{path} exists and is no socket", hint="choose another --agent-socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_S)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except TimeoutError:  # its queue is full: it is busy
            pass
    raise FailedPrecondition(f"another agent listens on {path}", hint="stop it, or choose another --agent-socket")

"""Exec, Attach and PortForward: makes URLs for callers, and sessions for clients that use them.

Called by the gRPC edge. A request is checked when its URL is made, and by the backend again when the client connects.
"""

from __future__ import annotations

import asyncio
import functools
import ssl

import msgspec

from podwright.errors import InvalidArgument
from podwright.runtime.config import StreamingSettings
from podwright.runtime.model.streaming import AttachRequest, ExecRequest, PortForwardRequest, StreamRequest
from podwright.runtime.sandbox import port_forward
from podwright.runtime.streaming import plan as plans
from podwright.runtime.streaming.address import parse
from podwright.runtime.streaming.late_sessions import LateSessions, StreamContainers, StreamSandboxes
from podwright.runtime.streaming.plan import Plan
from podwright.runtime.streaming.server import Session, StreamingServer
from podwright.runtime.streaming.tokens import Tokens
from podwright.streams.negotiation import UpgradeRefusal
from podwright.streams.upgrade import UpgradeRequest

AnyRequest = ExecRequest | AttachRequest | PortForwardRequest
KINDS: dict[type[AnyRequest], str] = {ExecRequest: "exec", AttachRequest: "attach", PortForwardRequest: "portforward"}


class StreamingService:
    """The three RPCs and the server behind them."""

    def __init__(
        self,
        settings: StreamingSettings,
        tls: ssl.SSLContext | None,
        containers: StreamContainers,
        sandboxes: StreamSandboxes,
    ) -> None:
        """Without `tls`, plain HTTP. Raises InvalidArgument for an invalid address."""
        self._containers = containers
        self._sandboxes = sandboxes
        self._tokens: Tokens[AnyRequest] = Tokens(asyncio.get_running_loop().time)
        self._sessions = LateSessions(containers, sandboxes, creation_timeout_s=settings.creation_timeout_s)
        self._server = StreamingServer(
            parse(settings.address),
            tls,
            self._prepare,
            max_connections=settings.max_connections,
            idle_timeout_s=settings.idle_timeout_s,
        )

    def start(self) -> None:
        """Listen. Raises FailedPrecondition if the address is not available."""
        self._server.start()

    async def exec_url(self, request: ExecRequest) -> str:
        """Raises InvalidArgument, NotFound, FailedPrecondition and ResourceExhausted."""
        container = self._containers.get(request.container_id)
        check_streams(request)
        await self._containers.check_exec(container, request.command)
        return self._url(msgspec.structs.replace(request, container_id=container.id))

    def attach_url(self, request: AttachRequest) -> str:
        """Raises as `exec_url` does."""
        container = self._containers.get(request.container_id)
        check_streams(request)
        self._containers.task(container)  # raises unless it runs
        return self._url(msgspec.structs.replace(request, container_id=container.id))

    def port_forward_url(self, request: PortForwardRequest) -> str:
        """Raises as `exec_url` does."""
        sandbox = self._sandboxes.get(request.sandbox_id)
        if wrong := [port for port in request.ports if not 0 < port <= 65535]:
            raise InvalidArgument(f"{wrong[0]} is not a port (1 to 65535)")
        port_forward.check(sandbox)
        return self._url(msgspec.structs.replace(request, sandbox_id=sandbox.id))

    def _url(self, request: AnyRequest) -> str:
        return f"{self._server.base_url}/{KINDS[type(request)]}/{self._tokens.add(request)}"

    def _prepare(self, kind: str, token: str, http_request: UpgradeRequest) -> tuple[Plan, Session] | UpgradeRefusal:
        """The answer and the session to run. Every use consumes the token, even with an invalid request."""
        request = self._tokens.take(token)
        if request is None or KINDS[type(request)] != kind:
            return UpgradeRefusal(status=404, message="this URL is unknown, used or expired, request a new one")
        if isinstance(request, PortForwardRequest):
            plan = plans.for_port_forward(http_request)
        else:
            plan = plans.for_remote_command(http_request)
        if isinstance(plan, UpgradeRefusal):
            return plan
        return plan, functools.partial(self._sessions.run, request, plan)

    async def close(self) -> None:
        """End all sessions, and kill the commands of current and earlier ones."""
        await self._server.close()
        await self._sessions.close()


def check_streams(request: StreamRequest) -> None:
    """CRI's rules for the streams of one request. Raises InvalidArgument."""
    if not (request.stdin or request.stdout or request.stderr):
        raise InvalidArgument("at least one of stdin, stdout and stderr must be true")
    if request.tty and request.stderr:
        raise InvalidArgument("tty and stderr must not both be true, because a terminal has no stderr")

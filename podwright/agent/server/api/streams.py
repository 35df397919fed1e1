"""`/exec`, `/attach` and `/portForward`: gets a URL from the runtime, and connects the client to it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from podwright.agent.metrics.instruments import Counter
from podwright.agent.pods.containers import find_container
from podwright.agent.pods.identity import full_name
from podwright.agent.runtime.protocol import CriRuntime
from podwright.agent.server.api import errors
from podwright.agent.server.api.targets import Targets
from podwright.agent.server.http.messages import Answer, HttpRequest, text
from podwright.agent.server.streaming import backend
from podwright.agent.server.streaming.options import StreamOptions, forwarded_ports, stream_options
from podwright.agent.server.streaming.translation import is_translated, translate
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument, PodwrightError
from podwright.k8s.objects import Pod
from podwright.streams.errors import ProtocolError
from podwright.streams.websocket import handshake

UPGRADE_MISSING = "Upgrade request required"
_Url = Callable[[Pod, str, StreamOptions], Awaitable[str]]


class StreamPaths:
    """The handlers. Codes and texts follow pkg/kubelet/server/server.go."""

    def __init__(
        self, targets: Targets, runtime: CriRuntime, websockets: Counter, *, idle_timeout_s: float, translates: bool
    ) -> None:
        """`websockets` counts translated streams. `translates` is the gate ExtendWebSocketsToKubelet."""
        self._targets = targets
        self._runtime = runtime
        self._websockets = websockets
        self._idle_timeout_s = idle_timeout_s
        self._translates = translates

    async def exec(self, request: HttpRequest) -> Answer:
        """GET, POST /exec/NS/POD[/UID]/CONTAINER?command=...&input=1&output=1&error=1&tty=1."""
        command = request.query.get("command", [])

        async def url(pod: Pod, container: str, options: StreamOptions) -> str:
            found = await self._targets.running(pod, container)
            if found is None:
                raise PodwrightError(f'container not found ("{container}")')
            return await self._runtime.exec_url(
                api.ExecRequest(
                    container_id=found.id,
                    cmd=command,
                    tty=options.tty,
                    stdin=options.stdin,
                    stdout=options.stdout,
                    stderr=options.stderr,
                )
            )

        return await self._remote_command(request, "exec", url)

    async def attach(self, request: HttpRequest) -> Answer:
        """GET, POST /attach/NS/POD[/UID]/CONTAINER. The container's spec says whether there is a terminal."""

        async def url(pod: Pod, container: str, options: StreamOptions) -> str:
            found = await self._targets.running(pod, container)
            spec = find_container(pod, container)
            if found is None or spec is None:
                raise PodwrightError(f"container {container} not found in pod {full_name(pod)}")
            return await self._runtime.attach_url(
                api.AttachRequest(
                    container_id=found.id,
                    tty=spec.tty,
                    stdin=options.stdin,
                    stdout=options.stdout,
                    stderr=options.stderr and not spec.tty,
                )
            )

        return await self._remote_command(request, "attach", url)

    async def _remote_command(self, request: HttpRequest, subresource: str, url_for: _Url) -> Answer:
        try:
            options = stream_options(request.query)
        except InvalidArgument as failure:
            return text(failure.message, 400)
        pod = self._targets.pod(request)
        if pod is None:
            return text(errors.POD_MISSING, 404)
        try:
            url = await url_for(pod, request.places["container"], options)
        except PodwrightError as failure:
            return errors.of_stream(failure)
        if self._translates and is_translated(request.head):
            self._websockets.add(subresource)
            streams = options.types()
            return await _answered(translate(url, request.head, streams, idle_timeout_s=self._idle_timeout_s))
        return await self._forward(request, url)

    async def port_forward(self, request: HttpRequest) -> Answer:
        """GET, POST /portForward/NS/POD[/UID], over SPDY, a tunnel in a WebSocket, or WebSocket channels (?port=N)."""
        offered = handshake.offered_protocols(request.head) if request.head.asks_for(handshake.WEBSOCKET) else []
        tunnelled = self._translates and any(backend.is_tunnel(name) for name in offered)
        try:
            ports = [] if tunnelled else forwarded_ports(request.head, request.query)
        except InvalidArgument as failure:
            return text(failure.message, 400)
        pod = self._targets.pod(request)
        if pod is None:
            return text(errors.POD_MISSING if "uid" not in request.places else "pod not found", 404)
        try:
            observed = await self._targets.observed(pod)
            sandboxes = observed.ready_sandboxes()
            if not sandboxes:
                raise PodwrightError(f'pod not found ("{full_name(pod)}")')
            url = await self._runtime.port_forward_url(
                api.PortForwardRequest(pod_sandbox_id=sandboxes[0].id, port=ports)
            )
        except PodwrightError as failure:
            return errors.of_stream(failure)
        if tunnelled:
            self._websockets.add("portforward")
            return await _answered(backend.forward_tunnel(url, request.head, idle_timeout_s=self._idle_timeout_s))
        return await self._forward(request, url)

    async def _forward(self, request: HttpRequest, url: str) -> Answer:
        if not backend.asks_for_upgrade(request.head):
            return text(UPGRADE_MISSING, 400)
        return await _answered(backend.forward(url, request.head, idle_timeout_s=self._idle_timeout_s))


async def _answered(work: Awaitable[Answer]) -> Answer:
    """The answer, or the reason why the runtime's server gave none."""
    try:
        return await work
    except ProtocolError as failure:
        return text(str(failure), 400)
    except PodwrightError as failure:
        return text(_without_token(str(failure)), 500)


def _without_token(message: str) -> str:
    """The message without the runtime's URL, which is secret: everyone who knows it can use the stream."""
    return re.sub(r"https?://\S+", "the runtime's streaming server", message)

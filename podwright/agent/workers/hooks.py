"""Life cycle hooks: a command in the container, a request over HTTP, or a pause (API: LifecycleHandler)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from podwright.agent.pods.ports import find_port
from podwright.agent.runtime.protocol import CriRuntime
from podwright.errors import FailedPrecondition, Internal, PodwrightError
from podwright.k8s.objects import Container, HTTPGetAction, LifecycleHandler

OUTPUT_LIMIT = 500  # characters of a failed command's output


class HttpGetter(Protocol):
    """One request over HTTP, for hooks."""

    async def get(self, url: str, headers: dict[str, str]) -> None:
        """Any answer is a success. Raises PodwrightError when there is none."""


class Hooks:
    """Runs hooks."""

    def __init__(self, runtime: CriRuntime, http: HttpGetter) -> None:
        self._runtime = runtime
        self._http = http

    async def run(
        self, handler: LifecycleHandler, container: Container, container_id: str, pod_ip: Callable[[], str]
    ) -> None:
        """Run a hook to its end; the caller bounds the time. Raises PodwrightError when it fails."""
        if handler.exec is not None:
            await self._exec(list(handler.exec.command), container_id)
        elif handler.http_get is not None:
            await self._http_get(handler.http_get, container, pod_ip())
        elif handler.sleep is not None:
            await asyncio.sleep(handler.sleep.seconds)
        elif handler.tcp_socket is not None:
            raise FailedPrecondition("a hook cannot be a tcpSocket", hint="use exec, httpGet or sleep")

    async def _exec(self, command: list[str], container_id: str) -> None:
        result = await self._runtime.exec_sync(container_id, command, 0)
        if result.exit_code != 0:
            output = (result.stderr or result.stdout).decode(errors="replace").strip()[-OUTPUT_LIMIT:]
            raise Internal(f"command {' '.join(command)!r} exited with {result.exit_code}: {output}")

    async def _http_get(self, action: HTTPGetAction, container: Container, pod_ip: str) -> None:
        host = action.host or pod_ip
        if not host:
            raise FailedPrecondition("the pod has no address to send the hook's request to")
        scheme = (action.scheme or "HTTP").lower()
        path = action.path if action.path.startswith("/") else f"/{action.path}"
        address = f"[{host}]" if ":" in host else host
        port = find_port(container, action.port)
        headers = {header.name: header.value for header in action.http_headers}
        url = f"{scheme}://{address}:{port}{path}"
        try:
            await self._http.get(url, headers)
        except PodwrightError:
            if scheme != "https":
                raise
            # Old manifests say HTTPS for plain servers (the kubelet falls back as well).
            await self._http.get(f"http://{address}:{port}{path}", headers)

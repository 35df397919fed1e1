"""Runs life cycle hooks: a command in the container, an HTTP request, or a pause (LifecycleHandler of the API)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from podwright.agent.events.recorder import EventRecorder
from podwright.agent.metrics.hooks import HookMetrics
from podwright.agent.runtime.protocol import CriRuntime
from podwright.agent.runtime.records import ObservedPod
from podwright.errors import FailedPrecondition, Internal
from podwright.k8s.objects import Container, HTTPGetAction, LifecycleHandler, Pod
from podwright.timeline import Step

OUTPUT_LIMIT = 500  # characters of a failed command's output
AddressesOf = Callable[[Pod, ObservedPod], tuple[str, ...]]  # of the pod, or of its node


class HttpGetter(Protocol):
    """Sends the HTTP requests of hooks."""

    async def get(self, action: HTTPGetAction, container: Container, ip: str) -> str:
        """Send the request. Any answer is a success. If the server of an https URL speaks HTTP, send it again by HTTP.

        Returns the host and port if HTTP was used in place of HTTPS, else an empty text. Raises PodwrightError if
        there is no answer.
        """


class Hooks:
    """Runs hooks."""

    def __init__(
        self,
        runtime: CriRuntime,
        http: HttpGetter,
        addresses: AddressesOf,
        events: EventRecorder,
        metrics: HookMetrics,
    ) -> None:
        self._runtime = runtime
        self._http = http
        self._addresses = addresses
        self._events = events
        self._metrics = metrics

    async def run(
        self, handler: LifecycleHandler, pod: Pod, container: Container, container_id: str, observed: ObservedPod
    ) -> None:
        """Run a hook to its end. The caller limits the time. Raises PodwrightError if the hook fails."""
        with Step(f"hook of container {container.name}"):
            await self._run(handler, pod, container, container_id, observed)

    async def _run(
        self, handler: LifecycleHandler, pod: Pod, container: Container, container_id: str, observed: ObservedPod
    ) -> None:
        if handler.exec is not None:
            await self._exec(list(handler.exec.command), container_id)
        elif handler.http_get is not None:
            await self._http_get(pod, container, handler.http_get, self._addresses(pod, observed))
        elif handler.sleep is not None:
            await self._sleep(handler.sleep.seconds)
        elif handler.tcp_socket is not None:
            raise FailedPrecondition("a hook cannot be a tcpSocket", hint="use exec, httpGet or sleep")

    async def _sleep(self, seconds: int) -> None:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self._metrics.early_sleep_ends.add()
            raise

    async def _exec(self, command: list[str], container_id: str) -> None:
        result = await self._runtime.exec_sync(container_id, command, 0)
        if result.exit_code != 0:
            output = (result.stderr or result.stdout).decode(errors="replace").strip()[-OUTPUT_LIMIT:]
            raise Internal(f"command {' '.join(command)!r} exited with {result.exit_code}: {output}")

    async def _http_get(
        self, pod: Pod, container: Container, action: HTTPGetAction, addresses: tuple[str, ...]
    ) -> None:
        if not action.host and not addresses:
            raise FailedPrecondition("the pod has no address to send the hook's request to")
        fallback = await self._http.get(action, container, addresses[0] if addresses else "")
        if fallback:
            self._metrics.http_fallbacks.add()
            text = f"request to HTTPS lifecycle hook {fallback} got HTTP response, retry with HTTP succeeded"
            self._events.pod(pod, "Warning", "LifecycleHTTPFallback", text)

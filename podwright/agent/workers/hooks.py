"""Runs life cycle hooks: a command in the container, an HTTP request, or a pause (LifecycleHandler of the API)."""

from __future__ import annotations

import asyncio

from podwright.agent.runtime.records import ObservedPod
from podwright.agent.workers.ports import SyncerPorts
from podwright.errors import FailedPrecondition, Internal
from podwright.k8s.objects import Container, HTTPGetAction, LifecycleHandler, Pod
from podwright.timeline import Step

OUTPUT_LIMIT = 500  # characters of a failed command's output


class Hooks:
    """Runs hooks."""

    def __init__(self, ports: SyncerPorts) -> None:
        self._ports = ports
        self._metrics = ports.metrics.hooks

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
            await self._http_get(pod, container, handler.http_get, self._ports.configs.addresses(pod, observed))
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
        result = await self._ports.runtime.exec_sync(container_id, command, 0)
        if result.exit_code != 0:
            output = (result.stderr or result.stdout).decode(errors="replace").strip()[-OUTPUT_LIMIT:]
            raise Internal(f"command {' '.join(command)!r} exited with {result.exit_code}: {output}")

    async def _http_get(
        self, pod: Pod, container: Container, action: HTTPGetAction, addresses: tuple[str, ...]
    ) -> None:
        if not action.host and not addresses:
            raise FailedPrecondition("the pod has no address to send the hook's request to")
        fallback = await self._ports.http.get(action, container, addresses[0] if addresses else "")
        if fallback:
            self._metrics.http_fallbacks.add()
            text = f"request to HTTPS lifecycle hook {fallback} got HTTP response, retry with HTTP succeeded"
            self._ports.events.pod(pod, "Warning", "LifecycleHTTPFallback", text)

"""Finds the pod and container that a path names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from podwright.agent.runtime.records import CriContainerStatus, ObservedPod
from podwright.agent.server.api.pods import ServedPods
from podwright.agent.server.http.messages import HttpRequest
from podwright.k8s.objects import Pod

Look = Callable[[str], Awaitable[ObservedPod]]


class Targets:
    """Finds the pod, and the container's running instance."""

    def __init__(self, pods: ServedPods, look: Look) -> None:
        """`look` looks at a pod now, and raises PodwrightError if the runtime fails."""
        self._pods = pods
        self._look = look

    def pod(self, request: HttpRequest) -> Pod | None:
        """The pod of a path with {namespace}, {pod} and perhaps {uid}."""
        pod = self._pods.named(request.places["namespace"], request.places["pod"])
        uid = request.places.get("uid")
        if pod is None or (uid and self._pods.uid_of(uid) != pod.metadata.uid):
            return None
        return pod

    async def observed(self, pod: Pod) -> ObservedPod:
        """The pod in the runtime. Raises PodwrightError."""
        return await self._look(pod.metadata.uid)

    async def running(self, pod: Pod, container: str) -> CriContainerStatus | None:
        """The container's running instance. Raises PodwrightError."""
        observed = await self._look(pod.metadata.uid)
        return next((each for each in observed.running() if each.name == container), None)

"""`/pods`: the pods that sources want, with status. `/runningpods/`: the pods that the runtime holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from podwright.agent.runtime.records import ObservedPod
from podwright.agent.server.http.messages import Answer, HttpRequest, json
from podwright.k8s import codec
from podwright.k8s.objects import Container, ObjectMeta, Pod, PodList, PodSpec


class ServedPods(Protocol):
    """`server.view.View`."""

    def pod_list(self) -> bytes:
        """The answer of `/pods`: a PodList in JSON."""

    def named(self, namespace: str, name: str) -> Pod | None:
        """The pod with exactly this name, with its status."""

    def uid_of(self, api_uid: str) -> str:
        """The agent's UID of a pod that the API knows by `api_uid`."""


class PodPaths:
    """The handlers."""

    def __init__(self, pods: ServedPods, observed: Callable[[], Iterable[ObservedPod]]) -> None:
        self._pods = pods
        self._observed = observed

    async def wanted(self, _: HttpRequest) -> Answer:
        """GET /pods."""
        return json(self._pods.pod_list())

    async def running(self, _: HttpRequest) -> Answer:
        """GET /runningpods/."""
        found = tuple(_as_pod(pod) for pod in self._observed() if pod.running())
        return json(codec.encode(PodList(items=found)))


def _as_pod(pod: ObservedPod) -> Pod:
    """A Pod from the runtime's labels."""
    return Pod(
        metadata=ObjectMeta(name=pod.name, namespace=pod.namespace, uid=pod.uid),
        spec=PodSpec(containers=tuple(Container(name=each.name, image=each.image) for each in pod.running())),
    )

"""ConfigMaps and Secrets of the API server, each watched for as long as a pod refers to it.

A node may only read the objects that its pods refer to (the Node authorizer), so each has its own watch. The watch of
an immutable object ends once it is known (pkg/kubelet/util/manager of Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

import msgspec

from podwright.agent.pods.references import pod_references
from podwright.errors import Unavailable
from podwright.k8s.objects import ConfigMap, Pod, Secret
from podwright.tasks import Tasks

Held = TypeVar("Held")
Held_co = TypeVar("Held_co", covariant=True)

SYNC_WAIT_S = 1.0  # how long a pass waits for the first answer of a new watch


class Watch(Protocol[Held_co]):
    """One object, kept by a watch."""

    async def synced(self) -> None:
        """Wait for the first answer."""

    def value(self) -> Held_co | None:
        """The present object, or None."""

    async def close(self) -> None:
        """Stop watching. The known object stays."""


class ApiObjects:
    """An `ObjectGetter` for an agent of a cluster."""

    def __init__(
        self,
        watch_config_map: Callable[[str, str], Watch[ConfigMap]],
        watch_secret: Callable[[str, str], Watch[Secret]],
    ) -> None:
        """The functions start to watch an object by namespace and name."""
        self._config_maps = _Watched(watch_config_map, "configmap")
        self._secrets = _Watched(watch_secret, "secret")
        self._pods: dict[str, Pod] = {}

    async def config_map(self, namespace: str, name: str) -> ConfigMap | None:
        """See ObjectGetter. Raises Unavailable if no pod refers to it, or if the API server has not answered yet."""
        return await self._config_maps.get(namespace, name)

    async def secret(self, namespace: str, name: str) -> Secret | None:
        """See ObjectGetter, and `config_map`."""
        return await self._secrets.get(namespace, name)

    def register(self, pod: Pod) -> None:
        """See ObjectGetter. Starts the watches of the new version before it ends those of the old one."""
        before = self._pods.get(pod.metadata.uid)
        self._count(pod, 1)
        self._pods[pod.metadata.uid] = pod
        if before is not None:
            self._count(before, -1)

    def unregister(self, pod: Pod) -> None:
        before = self._pods.pop(pod.metadata.uid, None)
        if before is not None:
            self._count(before, -1)

    async def close(self) -> None:
        """Stop watching everything."""
        await self._config_maps.close()
        await self._secrets.close()

    def _count(self, pod: Pod, step: int) -> None:
        references, namespace = pod_references(pod), pod.metadata.namespace
        secrets = {*references.secrets, *(each.name for each in pod.spec.image_pull_secrets)}
        self._config_maps.count(namespace, references.config_maps, step)
        self._secrets.count(namespace, secrets, step)


class _WatchedObject(msgspec.Struct, Generic[Held], kw_only=True):
    """A watch and how many pods refer to its object."""

    watch: Watch[Held]
    count: int = 0


class _Watched(Generic[Held]):
    """The watched objects of one kind."""

    def __init__(self, begin: Callable[[str, str], Watch[Held]], noun: str) -> None:
        self._begin = begin
        self._noun = noun
        self._entries: dict[tuple[str, str], _WatchedObject[Held]] = {}
        self._tasks = Tasks()

    def count(self, namespace: str, names: Iterable[str], step: int) -> None:
        """Add `step` to the number of pods that refer to these objects."""
        for name in names:
            key = (namespace, name)
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = _WatchedObject(watch=self._begin(namespace, name))
            entry.count += step
            if entry.count <= 0:
                del self._entries[key]
                self._tasks.start(entry.watch.close(), name=f"end of watching {self._noun} {namespace}/{name}")

    async def get(self, namespace: str, name: str) -> Held | None:
        entry = self._entries.get((namespace, name))
        if entry is None:
            raise Unavailable(f'{self._noun} "{namespace}/{name}" is not watched: no pod of this node refers to it')
        try:
            async with asyncio.timeout(SYNC_WAIT_S):
                await entry.watch.synced()
        except TimeoutError:
            raise Unavailable(
                f'{self._noun} "{namespace}/{name}" is not known yet', hint="the API server has not answered"
            ) from None
        return entry.watch.value()

    async def close(self) -> None:
        await asyncio.gather(*(entry.watch.close() for entry in self._entries.values()))
        await self._tasks.close()

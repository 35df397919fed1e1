"""Sends the changes of pods to watchers: each gets them in order, and a slow watcher is dropped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import cached_property

from msgspec.structs import replace

from podwright.agent.metrics.instruments import Counter
from podwright.agent.status.manager import VersionedStatus
from podwright.k8s.objects import ObjectMeta, Pod, PodSpec
from podwright.k8s.protobuf.encoding import encode_pod

BACKLOG = 100  # the most changes that wait for one watcher, as in a kubelet


class ShownPod:
    """A pod as watchers see it. If it `is_gone`, `pod` has only the name, the namespace and the UID."""

    def __init__(self, pod: Pod, *, is_gone: bool = False) -> None:
        self.pod = pod
        self.is_gone = is_gone

    @cached_property
    def data(self) -> bytes:
        """The encoded pod, made once for all watchers. Raises InvalidArgument."""
        return encode_pod(self.pod)


class PodWatch:
    """The changes that wait for one watcher."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[ShownPod | None] = asyncio.Queue()

    def put(self, change: ShownPod) -> bool:
        """Add a change. Returns False if too many wait: `changes` then ends after them."""
        if self._waiting.qsize() < BACKLOG:
            self._waiting.put_nowait(change)
            return True
        self._waiting.put_nowait(None)
        return False

    async def changes(self) -> AsyncIterator[ShownPod]:
        """Yield the changes, until there were too many."""
        while (change := await self._waiting.get()) is not None:
            yield change


class PodFeed:
    """Turns changes of statuses into changes for watchers. `changed` subscribes to `StatusManager`."""

    def __init__(self, pod_of: Callable[[str], Pod | None], dropped: Counter) -> None:
        """`pod_of` returns the wanted pod with a UID. `dropped` counts changes that a watcher did not get."""
        self._pod_of = pod_of
        self._dropped = dropped
        self._watches: set[PodWatch] = set()

    @contextmanager
    def watch(self) -> Iterator[PodWatch]:
        """Watch all changes from now on."""
        watch = PodWatch()
        self._watches.add(watch)
        try:
            yield watch
        finally:
            self._watches.discard(watch)

    def changed(self, entry: VersionedStatus) -> None:
        """Take a new status, or that a pod is finished: nothing of it is left on this node."""
        change = self._change(entry) if self._watches else None
        if change is None:
            return
        for watch in tuple(self._watches):
            if not watch.put(change):
                self._dropped.add()
                self._watches.discard(watch)

    def _change(self, entry: VersionedStatus) -> ShownPod | None:
        """The change for watchers. None for an unwanted pod that has not ended yet: its end is another change."""
        if entry.is_finished:
            metadata = ObjectMeta(name=entry.name, namespace=entry.namespace, uid=entry.uid)
            return ShownPod(Pod(metadata=metadata, spec=PodSpec(containers=())), is_gone=True)
        pod = self._pod_of(entry.uid)
        return None if pod is None else ShownPod(replace(pod, status=entry.status))

"""Follows the API server's objects of one kind, for rooms that read them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Generic, TypeVar

from podwright.k8s.client.listwatch.cache import Cache
from podwright.k8s.client.listwatch.progress import Key
from podwright.k8s.client.listwatch.reflector import Reflector
from podwright.k8s.client.protocol import ApiServer, Selection
from podwright.k8s.objects.base import Kind
from podwright.tasks import Tasks

K = TypeVar("K", bound=Kind)


class FollowedObjects(Generic[K]):
    """A reflector with its cache."""

    def __init__(
        self,
        server: ApiServer,
        kind: type[K],
        selection: Selection,
        *,
        is_final: Callable[[K], bool] = lambda _: False,
    ) -> None:
        """`is_final` returns whether an object never changes again, so that following ends."""
        self._name = f"watch {kind.RESOURCE} {selection.namespace} {selection.fields}"
        self._is_final = is_final
        self._cache = Cache[K](self._touched)
        self._reflector = Reflector(server, kind, self._cache, selection)
        self._change = asyncio.Event()
        self._is_listed = False
        self._tasks = Tasks()

    def start(self) -> None:
        """Start to follow."""
        self._tasks.start(self._reflector.run(), name=self._name)
        self._tasks.start(self.synced(), name=f"first {self._name}")

    async def close(self) -> None:
        """Stop following. The known objects stay."""
        await self._tasks.close()

    async def synced(self) -> None:
        """Wait for the first list."""
        await self._reflector.synced()
        if not self._is_listed:
            self._is_listed = True
            self._change.set()

    async def changed(self) -> None:
        """Wait until something has changed since the last call. The first call waits for the whole list."""
        await self.synced()
        await self._change.wait()
        self._change.clear()

    def listed(self) -> tuple[K, ...] | None:
        """The present objects. None until they have been listed once."""
        return tuple(self._cache) if self._is_listed else None

    def value(self) -> K | None:
        """The one object of a selection by name, or None."""
        return next(iter(self._cache), None)

    def _touched(self, keys: Collection[Key]) -> None:  # noqa: ARG002 # the cache's
        self._change.set()
        value = self.value()
        if value is not None and self._is_final(value):
            asyncio.get_running_loop().call_soon(self._tasks.cancel)

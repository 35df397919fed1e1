"""Objects of one kind as the API server has them: listed once, then kept by a watch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Generic, TypeVar

from podwright.errors import PodwrightError
from podwright.k8s.client.changes import metadata_of
from podwright.k8s.client.failures import Gone
from podwright.k8s.client.protocol import ApiServer, Change, ChangeType, Paging, Selection, Watching
from podwright.k8s.objects.base import Kind
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Kind)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.8, 30.0  # client-go's reflector
ANY_VERSION = "0"


class Followed(Generic[K]):
    """See the module's text."""

    def __init__(
        self,
        server: ApiServer,
        kind: type[K],
        selection: Selection,
        *,
        is_final: Callable[[K], bool] | None = None,
    ) -> None:
        """`is_final`: whether an object never changes again, so that watching it can end."""
        self._server = server
        self._kind = kind
        self._selection = selection
        self._is_final = is_final
        self._objects: dict[tuple[str, str], K] = {}
        self._version = ""
        self._synced = asyncio.Event()
        self._change = asyncio.Event()
        self._tasks = Tasks()

    def start(self) -> None:
        """Follow from now on."""
        self._tasks.start(self._run(), name=f"watch {self._kind.__name__} {self._selection.fields}".strip())

    async def close(self) -> None:
        """Follow no more. What is known stays."""
        await self._tasks.close()

    async def synced(self) -> None:
        """Wait for the first list."""
        await self._synced.wait()

    async def changed(self) -> None:
        """Wait until something has changed since the last call; the first one waits for the whole list."""
        await self._change.wait()
        self._change.clear()

    def listed(self) -> tuple[K, ...] | None:
        """The objects now; None until they have been listed once."""
        return tuple(self._objects.values()) if self._synced.is_set() else None

    def value(self) -> K | None:
        """The one object of a selection by name; None when there is none."""
        return next(iter(self._objects.values()), None)

    def get(self, name: str, namespace: str = "") -> K | None:
        """An object by name; None when there is none."""
        return self._objects.get((namespace, name))

    async def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._is_over():
            try:
                if not self._version:
                    await self._list()
                await self._watch()
                pause_s = FIRST_PAUSE_S
            except Gone:
                self._version = ""
            except PodwrightError as failure:
                log.info("watching %s is interrupted: %s", self._kind.__name__, failure)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _is_over(self) -> bool:
        value = self.value()
        return self._is_final is not None and value is not None and self._is_final(value)

    async def _list(self) -> None:
        page = await self._server.list(self._kind, self._selection, Paging(resource_version=ANY_VERSION))
        self._objects = {_key(item): item for item in page.items}
        self._version = page.resource_version
        self._synced.set()
        self._change.set()

    async def _watch(self) -> None:
        watching = Watching(resource_version=self._version)
        async with self._server.watch(self._kind, self._selection, watching) as changes:
            async for change in changes:
                self._take(change)
                if self._is_over():
                    return

    def _take(self, change: Change[K]) -> None:
        if change.object is not None:
            key = _key(change.object)
            if change.type is ChangeType.DELETED:
                self._objects.pop(key, None)
            else:
                self._objects[key] = change.object
            self._change.set()
        self._version = change.resource_version


def _key(item: Kind) -> tuple[str, str]:
    metadata = metadata_of(item)
    return metadata.namespace, metadata.name

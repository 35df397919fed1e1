"""Keeps a sink up to date with an API server, for as long as it runs. The only part of the room that waits."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Generic, TypeVar

from msgspec.structs import replace

from podwright.errors import PodwrightError
from podwright.k8s.client.changes import metadata_of
from podwright.k8s.client.failures import ApiFailure, Gone, Unreachable
from podwright.k8s.client.listwatch.backoff import Backoff
from podwright.k8s.client.listwatch.progress import ObjectSink, Progress
from podwright.k8s.client.protocol import EVERYWHERE, WATCH_IDLE_S, ApiServer, Paging, Selection, Watching
from podwright.k8s.objects.base import Kind

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Kind)

# By chance between these, so that watches do not end together (client-go).
LIFETIME_S = (300.0, 600.0)
# A server that ends watches sooner is asked less often.
SHORT_S = 1.0


def without_managed_fields(obj: K) -> K:
    """The object without what only server-side apply needs: a third of a pod's text."""
    metadata = metadata_of(obj)
    if not metadata.managed_fields:
        return obj
    return replace(obj, metadata=replace(metadata, managed_fields=()))


class Reflector(Generic[K]):
    """Lists and watches one kind. `run` never ends by itself: the caller cancels it.

    `failure` is the present failure, or None.
    """

    def __init__(
        self,
        api: ApiServer,
        kind: type[K],
        sink: ObjectSink[K],
        selection: Selection = EVERYWHERE,
        *,
        lean: Callable[[K], K] = without_managed_fields,
        streaming: bool = True,
        idle_s: float = WATCH_IDLE_S,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._api = api
        self._kind = kind
        self._selection = selection
        self._idle_s = idle_s
        self._chance = chance
        self._progress = Progress(sink, streaming=streaming, lean=lean)
        self._backoff = Backoff(chance)
        self._synced = asyncio.Event()
        self.failure: PodwrightError | None = None

    async def synced(self) -> None:
        """Return when the sink has had its first complete set."""
        await self._synced.wait()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._step()
            except PodwrightError as failure:
                if self._progress.fail(failure):
                    await self._wait(failure)

    async def _step(self) -> None:
        """One request to its end."""
        request = self._progress.ask()
        if isinstance(request, Paging):
            page = await self._api.list(self._kind, self._selection, request)
            self._progress.take_page(page)
            self._well()
        else:
            await self._watch(request)

    async def _watch(self, start: Watching) -> None:
        shortest, longest = LIFETIME_S
        watching = Watching(
            resource_version=start.resource_version,
            initial_events=start.initial_events,
            lifetime_s=shortest + (longest - shortest) * self._chance(),
            idle_s=self._idle_s,
        )
        began = asyncio.get_running_loop().time()
        async with self._api.watch(self._kind, self._selection, watching) as changes:
            async for change in changes:
                self._progress.take(change)
                self._well()
        if asyncio.get_running_loop().time() - began < SHORT_S:
            raise Unreachable(f"a watch of {self._kind.RESOURCE} ended as soon as it was opened")

    def _well(self) -> None:
        if self._progress.synced:
            self._synced.set()
        if self.failure is not None:
            log.info("the API server answers again: kind=%s", self._kind.RESOURCE)
            self.failure = None

    async def _wait(self, failure: PodwrightError) -> None:
        wait_s = self._backoff.wait_s(asyncio.get_running_loop().time())
        if isinstance(failure, ApiFailure):
            wait_s = max(wait_s, failure.retry_after_s)
        level = logging.DEBUG if self.failure is not None or isinstance(failure, Gone) else logging.WARNING
        log.log(level, "trying again: kind=%s seconds=%.1f error=%s", self._kind.RESOURCE, wait_s, failure)
        self.failure = failure
        await asyncio.sleep(wait_s)

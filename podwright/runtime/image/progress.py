"""How far pulls are: counters that a pull moves, and snapshots of them for whoever watches.

A pull moves plain integers and tells nobody, so that progress costs nothing where nobody looks; watchers look every
INTERVAL_S while anything is pulled, and wait for a pull to begin otherwise. Owned by the image service.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Mapping, MutableMapping

from podwright.runtime.model.image_store import LayerSnapshot, PullSnapshot, PullStage

INTERVAL_S = 0.1
ERROR_LIMIT = 500
ENDED_LIMIT = 256  # that one watcher is told of at once


class LayerProgress:
    """The counters of one blob; pulls that want it at once share them."""

    __slots__ = ("__weakref__", "digest", "done_bytes", "total_bytes", "unpacked")

    def __init__(self, digest: str, total_bytes: int) -> None:
        self.digest = digest
        self.total_bytes = total_bytes
        self.done_bytes = 0
        self.unpacked = False

    def finish(self) -> None:
        """It is there, unpacked."""
        self.done_bytes = self.total_bytes
        self.unpacked = True

    def snapshot(self) -> LayerSnapshot:
        """As it is now."""
        return LayerSnapshot(
            digest=self.digest, done_bytes=self.done_bytes, total_bytes=self.total_bytes, unpacked=self.unpacked
        )


class PullProgress:
    """One pull, while it goes on and when it has ended."""

    def __init__(self, reference: str, shared: MutableMapping[str, LayerProgress] | None = None) -> None:
        """`shared` are the counters of all blobs that are being brought, by digest."""
        self.reference = reference
        self._shared = {} if shared is None else shared
        self.counters: Mapping[str, LayerProgress] = {}  # by digest, from the base up
        self._began_at = time.time_ns()
        self._end: PullSnapshot | None = None

    def expect(self, sizes_bytes: Mapping[str, int]) -> None:
        """What there is to bring: from now on there are `counters` to move."""
        self.counters = {
            digest: self._shared.setdefault(digest, LayerProgress(digest, size))
            for digest, size in sizes_bytes.items()
        }

    def end(self, error: str = "") -> None:
        """It is over; later snapshots are of this moment."""
        self._end = self._as_now(PullStage.FAILED if error else PullStage.DONE, error[:ERROR_LIMIT])
        self.counters = {}

    def snapshot(self) -> PullSnapshot:
        """As it is now."""
        return self._end or self._as_now(self._stage())

    def _stage(self) -> PullStage:
        if not self.counters:
            return PullStage.RESOLVING
        whole = all(layer.done_bytes >= layer.total_bytes for layer in self.counters.values())
        return PullStage.UNPACKING if whole else PullStage.DOWNLOADING

    def _as_now(self, stage: PullStage, error: str = "") -> PullSnapshot:
        layers = tuple(layer.snapshot() for layer in self.counters.values())
        return PullSnapshot(reference=self.reference, began_at=self._began_at, stage=stage, layers=layers, error=error)


class PullTracker:
    """All pulls under way."""

    def __init__(self) -> None:
        self._pulls: list[PullProgress] = []
        self._layers: weakref.WeakValueDictionary[str, LayerProgress] = weakref.WeakValueDictionary()
        self._news = asyncio.Event()  # replaced when it is set: whoever waits has one of their time
        self._ended: list[deque[PullProgress]] = []  # for each watcher, since it looked last
        self._is_closed = False

    @contextlib.contextmanager
    def pull(self, reference: str) -> Iterator[PullProgress]:
        """A pull goes on within the context, and ends as it does."""
        progress = PullProgress(reference, self._layers)
        self._pulls.append(progress)
        self._tell()
        try:
            yield progress
        except BaseException as failure:
            progress.end(str(failure) or "it was stopped")
            raise
        else:
            progress.end()
        finally:
            self._pulls.remove(progress)
            for ended in self._ended:
                ended.append(progress)

    async def watch(self, reference: str = "") -> AsyncGenerator[tuple[PullSnapshot, ...], None]:
        """The pulls (of `reference`, or all) as they are, and again when that has changed, until `close`.

        What has ended since is among them once. A slow reader gets fewer snapshots, not older ones.
        """
        told: tuple[PullSnapshot, ...] | None = None
        ended: deque[PullProgress] = deque(maxlen=ENDED_LIMIT)
        self._ended.append(ended)
        try:
            while not self._is_closed:
                news = self._news
                gone = [pull for pull in ended if reference in ("", pull.reference)]
                current = [pull for pull in self._pulls if reference in ("", pull.reference)]
                ended.clear()
                snapshots = tuple(pull.snapshot() for pull in (*gone, *current))
                if gone or snapshots != told:
                    yield snapshots
                told = snapshots
                if snapshots:
                    await asyncio.sleep(INTERVAL_S)
                else:
                    await news.wait()
        finally:
            self._ended = [other for other in self._ended if other is not ended]

    def close(self) -> None:
        """End the watchers' streams."""
        self._is_closed = True
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

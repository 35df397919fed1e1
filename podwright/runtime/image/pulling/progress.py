"""Progress of pulls: counters that a pull advances, and snapshots of them for watchers.

A pull only changes integers and notifies nobody, so progress costs nothing without watchers. Watchers poll every
INTERVAL_S while pulls run, and otherwise wait for a pull to begin. The image service owns it.
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
ENDED_LIMIT = 256  # ended pulls that one watcher gets at once


class LayerProgress:
    """The counters of one blob. Concurrent pulls of the blob share them."""

    __slots__ = ("__weakref__", "digest", "done_bytes", "total_bytes", "unpacked")

    def __init__(self, digest: str, total_bytes: int) -> None:
        self.digest = digest
        self.total_bytes = total_bytes
        self.done_bytes = 0
        self.unpacked = False

    def finish(self) -> None:
        """Set the layer to downloaded and unpacked."""
        self.done_bytes = self.total_bytes
        self.unpacked = True

    def snapshot(self) -> LayerSnapshot:
        """The current values."""
        return LayerSnapshot(
            digest=self.digest, done_bytes=self.done_bytes, total_bytes=self.total_bytes, unpacked=self.unpacked
        )


class PullProgress:
    """One pull, in progress or ended."""

    def __init__(self, reference: str, shared: MutableMapping[str, LayerProgress] | None = None) -> None:
        """`shared` holds the counters of all blobs in progress, by digest."""
        self.reference = reference
        self._shared = {} if shared is None else shared
        self.counters: Mapping[str, LayerProgress] = {}  # by digest, from the base up
        self._began_at = time.time_ns()
        self._end: PullSnapshot | None = None

    def expect(self, sizes_bytes: Mapping[str, int]) -> None:
        """Set the layers to fetch. From now on `counters` has entries to advance."""
        self.counters = {
            digest: self._shared.setdefault(digest, LayerProgress(digest, size))
            for digest, size in sizes_bytes.items()
        }

    def end(self, error: str = "") -> None:
        """End the pull. Later snapshots show this moment."""
        self._end = self._as_now(PullStage.FAILED if error else PullStage.DONE, error[:ERROR_LIMIT])
        self.counters = {}

    def snapshot(self) -> PullSnapshot:
        """The current values."""
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
    """All pulls in progress."""

    def __init__(self) -> None:
        self._pulls: list[PullProgress] = []
        self._layers: weakref.WeakValueDictionary[str, LayerProgress] = weakref.WeakValueDictionary()
        self._news = asyncio.Event()  # replaced when it is set, so that each wait uses a new one
        self._ended: list[deque[PullProgress]] = []  # per watcher, since its last snapshot
        self._is_closed = False

    @contextlib.contextmanager
    def pull(self, reference: str) -> Iterator[PullProgress]:
        """Track a pull during the context. Its outcome is that of the context."""
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
        """The pulls of `reference`, or all. Yields the current ones, then again after every change, until `close`.

        Each pull that ended since the last time is included once. A slow reader gets fewer snapshots, but never old
        ones.
        """
        sent: tuple[PullSnapshot, ...] | None = None
        ended: deque[PullProgress] = deque(maxlen=ENDED_LIMIT)
        self._ended.append(ended)
        try:
            while not self._is_closed:
                news = self._news
                gone = [pull for pull in ended if reference in ("", pull.reference)]
                current = [pull for pull in self._pulls if reference in ("", pull.reference)]
                ended.clear()
                snapshots = tuple(pull.snapshot() for pull in (*gone, *current))
                if gone or snapshots != sent:
                    yield snapshots
                sent = snapshots
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

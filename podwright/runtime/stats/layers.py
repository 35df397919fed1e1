"""Disk usage of containers' writable layers: the sizes of the overlays' upper directories.

Measuring means walking a tree, so answers use the last walk. A walk starts only on request. Walks run one after the
other in one thread, which rests as long as it works. The longer a walk takes, the more rarely it runs, so that walks
use at most a fiftieth of the time. A caller waits a moment for them: most upper directories hold few files, so the
first answer about them is complete.

The thread has no lower priority. Otherwise it could be preempted while it holds the interpreter's lock, which would
block the daemon.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

import msgspec

from podwright.errors import DeadlineExceeded, PodwrightError, ResourceExhausted, Unavailable
from podwright.linux import openat2
from podwright.linux.disk_tally import DiskTally
from podwright.runtime.model.usage import LayerUsage
from podwright.runtime.network.threads import in_fresh_thread
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

FRESH_S = 10.0  # a result is valid for this time, or for SHARE times the duration of the walk if that is longer
SHARE = 50
PATIENCE_S = 0.1  # how long a caller without a current result waits
WALK_LIMIT_S = 60.0
PENDING_LIMIT = 200_000  # pending directories; a container with more is not measured
FORGET_S = 600.0
SLICE_S = 0.005


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    """The result of the last walk, or None if it was given up. Times in seconds of the monotonic clock."""

    usage: LayerUsage | None
    stale_at: float


class WritableLayers:
    """The sizes of all containers' writable layers."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._asked_at: dict[str, float] = {}
        self._walks: asyncio.Task[None] | None = None
        self._tasks = Tasks()
        self._closed = False

    async def usages(self, wanted: Mapping[str, str]) -> dict[str, LayerUsage]:
        """The sizes of layers (id to upper directory), as far as they are known after a short wait."""
        now = self._clock()
        self._asked_at.update(dict.fromkeys(wanted, now))
        stale = {key: path for key, path in wanted.items() if self._stale_at(key) <= now}
        if stale and self._walks is None:
            self._walks = self._tasks.start(self._walk_and_forget(stale), name="walk writable layers")
        if stale and self._walks is not None:
            await asyncio.wait([self._walks], timeout=PATIENCE_S)
        return {key: known.usage for key in wanted if (known := self._known.get(key)) and known.usage}

    def _stale_at(self, key: str) -> float:
        known = self._known.get(key)
        return known.stale_at if known else -float("inf")

    async def _walk_and_forget(self, wanted: Mapping[str, str]) -> None:
        try:
            await in_fresh_thread(lambda: self._walk_all(wanted))
        finally:
            self._walks = None
            oldest = self._clock() - FORGET_S
            for key in [key for key, asked_at in self._asked_at.items() if asked_at < oldest]:
                del self._asked_at[key]
                self._known.pop(key, None)

    def _walk_all(self, wanted: Mapping[str, str]) -> None:
        pace = WalkPace(lambda: self._closed)
        for key, upper in wanted.items():
            if self._closed:
                return
            began = self._clock()
            usage = self._walk(key, upper, pace)
            now = self._clock()
            self._known[key] = _Known(usage=usage, stale_at=now + max(FRESH_S, SHARE * (now - began)))

    def _walk(self, key: str, upper: str, pace: WalkPace) -> LayerUsage | None:
        """None if the layer is gone or cannot be measured."""
        try:
            return measure(upper, pace.starting())
        except PodwrightError as reason:
            log.warning("writable layer is not measured: id=%s reason=%s", key[:12], reason)
        except OSError as failure:
            log.debug("no writable layer: id=%s error=%s", key[:12], failure)
        return None

    async def close(self) -> None:
        """Abort the walk in progress."""
        self._closed = True
        if self._walks is not None:
            await asyncio.wait([self._walks])


class WalkPace:
    """Limits the rate and the time of a walk."""

    def __init__(self, closed: Callable[[], bool]) -> None:
        self._closed = closed
        self._slice_began = self._deadline = time.monotonic()

    def starting(self) -> WalkPace:
        """Itself, reset for the next walk."""
        self._deadline = time.monotonic() + WALK_LIMIT_S
        return self

    def step(self) -> None:
        """Call it for every file. Raises DeadlineExceeded, Unavailable."""
        now = time.monotonic()
        if self._closed():
            raise Unavailable("the daemon stops")
        if now > self._deadline:
            raise DeadlineExceeded(f"not done in {WALK_LIMIT_S:.0f} s")
        if now - self._slice_began > SLICE_S:
            time.sleep(now - self._slice_began)
            self._slice_began = time.monotonic()


def measure(upper: str, pace: WalkPace) -> LayerUsage:
    """Disk space and inodes below `upper`, including itself. Hard links count once. Blocks.

    Raises OSError, and a PodwrightError if the walk is given up. The container may write at the same time: files that
    disappear are skipped, and links that it creates lead nowhere outside. Files deeper than the longest path are not
    seen.
    """
    tally = DiskTally(step=pace.step)
    pending = ["."]
    with openat2.opened_root(upper) as root:
        while pending:
            pending += tally.count(root, pending.pop())
            if len(pending) > PENDING_LIMIT or tally.remembered > PENDING_LIMIT:
                raise ResourceExhausted("too many files")
    return LayerUsage(used_bytes=tally.used_bytes, inodes=tally.inodes, timestamp=time.time_ns())

"""Keeps the status cache up to date: by the runtime's events if it streams them, else by a relist each second.

Events show a change in milliseconds and cost an idle node nothing. When the stream ends, relists follow each second
until there is a new stream. While there is a stream, the node is still listed now and then, to find what events did
not show.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Literal

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.metrics.pleg import PlegMetrics
from podwright.agent.pleg.cache import StatusCache
from podwright.agent.pleg.relist import AT_ONCE, relist
from podwright.agent.runtime.protocol import CriRuntime
from podwright.agent.runtime.records import ObservedPod, RuntimeEvent, RuntimeEventKind
from podwright.errors import PodwrightError, Unimplemented
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

FRESH_S = 1.0  # the greatest age of an event that counts as a look


class Periods(msgspec.Struct, frozen=True, kw_only=True):
    """Periods in seconds.

    The kubelet's (pkg/kubelet/kubelet.go) are 1 s and 3 minutes, with events 5 and 10 minutes.
    """

    relist_s: float = 1.0
    relist_beside_events_s: float = 300.0
    unhealthy_s: float = 180.0
    unhealthy_beside_events_s: float = 600.0
    reconnect_s: float = 1.0
    reconnect_longest_s: float = 60.0


class Generator:
    """Updates the cache from `start` to `close`."""

    def __init__(
        self,
        runtime: CriRuntime,
        cache: StatusCache,
        clock: Clock,
        *,
        evented: bool = True,
        periods: Periods | None = None,
        metrics: PlegMetrics | None = None,
    ) -> None:
        """`evented`: whether to use the runtime's events."""
        self._runtime = runtime
        self._cache = cache
        self._clock = clock
        self._evented = evented
        self._periods = periods or Periods()
        self._metrics = metrics or PlegMetrics()
        self._tasks = Tasks()
        self._streaming = False
        self._beginning: asyncio.Task[Literal[True]] | None = None
        self._relist_now = asyncio.Event()
        self._dirty: set[str] = set()  # pods to look at because of an event
        self._limit = asyncio.Semaphore(AT_ONCE)
        self._relisted_at: float | None = None
        self._failure = ""

    def start(self) -> None:
        """Start to update the cache."""
        self._tasks.start(self._relist_forever(), name="relist")
        if self._evented:
            self._tasks.start(self._follow_forever(), name="runtime events")

    async def close(self) -> None:
        """Stop updating the cache."""
        await self._tasks.close()

    def silent_s(self) -> float | None:
        """The seconds since the last list. 0 while events come, None before the first list."""
        if self._relisted_at is None:
            return None
        return 0.0 if self._streaming else self._clock.monotonic() - self._relisted_at

    def problem(self) -> str:
        """Why the cache is not up to date. Empty if it is."""
        if self._relisted_at is None:
            return f"the runtime's pods were not listed yet: {self._failure}" if self._failure else "not listed yet"
        periods = self._periods
        longest_s = periods.unhealthy_beside_events_s if self._streaming else periods.unhealthy_s
        silent_s = self._clock.monotonic() - self._relisted_at
        if silent_s <= longest_s:
            return ""
        return f"PLEG is not healthy: the last relist was more than {longest_s:g} s ago"

    async def _relist_forever(self) -> None:
        while True:
            self._relist_now.clear()
            began = self._clock.monotonic()
            try:
                await relist(self._runtime, self._cache, self._clock)
                self._note_relist(began)
            except PodwrightError as failure:
                if str(failure) != self._failure:
                    log.warning("cannot list the runtime's pods: error=%s", failure)
                self._failure = str(failure)
            await self._pause()

    def _note_relist(self, began: float) -> None:
        if self._relisted_at is not None:
            self._metrics.relist_intervals.observe(began - self._relisted_at)
        self._metrics.relists.observe(self._clock.monotonic() - began)
        self._relisted_at, self._failure = began, ""

    async def _pause(self) -> None:
        period_s = self._periods.relist_s
        if self._streaming and not self._failure:
            period_s = self._periods.relist_beside_events_s
        try:
            async with asyncio.timeout(period_s):
                await self._relist_now.wait()
        except TimeoutError:
            return

    async def _follow_forever(self) -> None:
        pause_s = self._periods.reconnect_s
        while True:
            began = self._clock.monotonic()
            try:
                await self._follow()
                reason = "the runtime ended the stream"
            except Unimplemented:
                self._stream_ended("there are none")
                log.info("the runtime streams no events, so its pods are listed each second")
                return
            except PodwrightError as failure:
                reason = str(failure)
                if not self._streaming:
                    self._metrics.event_stream_errors.add()
            self._stream_ended(reason)
            lasted = self._clock.monotonic() - began > self._periods.reconnect_longest_s
            pause_s = self._periods.reconnect_s if lasted else min(2 * pause_s, self._periods.reconnect_longest_s)
            await asyncio.sleep(pause_s)

    def _stream_ended(self, reason: str) -> None:
        if self._streaming:
            log.info("the runtime sends no more events: reason=%s", reason)
        self._streaming = self._cache.events_show_pods = False
        self._relist_now.set()

    async def _follow(self) -> None:
        begun = asyncio.Event()
        waiting = self._tasks.job(begun.wait(), name="runtime events begin")
        waiting.add_done_callback(self._stream_began)
        self._beginning = waiting
        try:
            async for event in self._runtime.events(begun):
                begun.set()
                self._take(event)
        finally:
            self._beginning = None
            waiting.cancel()

    def _stream_began(self, waiting: asyncio.Task[Literal[True]]) -> None:
        if waiting is self._beginning:  # else this stream has ended meanwhile
            self._streaming = True
            self._metrics.event_streams.add()
            self._relist_now.set()  # what happened before the stream began

    def _take(self, event: RuntimeEvent) -> None:
        """Take an event that shows the whole pod as a look. After any other event, look at the pod.

        The event's age is the difference of two clock readings, and the clock may have been set between them. So an
        event that seems old, or from the future, only shows that something happened. An event of a container that
        belongs to no pod of this agent is ignored, as in a relist.
        """
        uid = event.pod_uid or self._owner_of(event.id)
        if not uid:
            if event.pod is None:
                self._relist_now.set()
            return
        if event.pod is not None and event.pod.containers:
            self._cache.events_show_pods = True
        age_s = (self._clock.now_ns() - event.created_at_ns) / 1e9
        if event.pod is not None and self._is_look(event, event.pod) and 0 <= age_s < FRESH_S:
            self._metrics.event_latencies.observe(age_s)
            self._cache.put(msgspec.structs.replace(event.pod, seen_at=self._clock.monotonic() - age_s))
        elif uid not in self._dirty:
            self._dirty.add(uid)
            self._tasks.start(self._look(uid), name=f"look at pod {uid} after an event")

    def _owner_of(self, id: str) -> str:  # noqa: A002 # CRI's word
        """The UID of the pod of a removed sandbox or container, which containerd's event does not name."""
        for pod in self._cache.all():
            if id in {each.id for each in pod.sandboxes} | {each.id for each in pod.containers}:
                return pod.uid
        return ""

    def _is_look(self, event: RuntimeEvent, pod: ObservedPod) -> bool:
        """Whether the event shows the whole pod: all its containers, and no other sandbox of the pod is known.

        An event without containers counts if the sandbox is new, or if events of this runtime have shown containers
        before.
        """
        ours = {sandbox.id for sandbox in pod.sandboxes}
        known = self._cache.peek(pod.uid)
        if known is not None and not ours.issuperset(sandbox.id for sandbox in known.sandboxes):
            return False
        is_new = event.id in ours and event.kind in (RuntimeEventKind.CREATED, RuntimeEventKind.STARTED)
        return bool(pod.containers) or is_new or self._cache.events_show_pods

    async def _look(self, uid: str) -> None:
        async with self._limit:
            self._dirty.discard(uid)
            try:
                await self._cache.newer_than(uid, self._clock.monotonic())
            except PodwrightError as failure:
                log.warning("cannot look at a pod: uid=%s error=%s", uid, failure)
                self._relist_now.set()

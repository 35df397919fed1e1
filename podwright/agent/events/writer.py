"""Sends events to the API server. Recording never waits and never fails: a full queue loses events.

Events come in bursts, when pods start. They are sent after the burst: an event costs as much as the status of a pod,
and nobody waits for it.

Retries and the objects are those of client-go's EventBroadcaster (tools/record/event.go of Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import logging
import math
from datetime import UTC, datetime

from podwright.agent.clock import Clock
from podwright.agent.events.correlation import CorrelatedEvent, Correlator, Entry
from podwright.agent.events.log import EventSubject, RecordedEvent
from podwright.errors import (
    AlreadyExists,
    DeadlineExceeded,
    NotFound,
    PermissionDenied,
    PodwrightError,
    Unavailable,
)
from podwright.k8s.client.patch import strategic
from podwright.k8s.client.protocol import ApiServer
from podwright.k8s.objects import Event, EventSource, ObjectMeta, ObjectReference
from podwright.k8s.times import format_time

log = logging.getLogger(__name__)

QUEUE_LIMIT = 1000
LULL_S = 0.1  # a burst is over when no event came for so long
LONGEST_BURST_S = 2.0  # an event waits no longer for that
TRIES, PAUSE_S = 12, 10.0
COMPONENT = "kubelet"  # dashboards and e2e suites rely on it
NODE_EVENTS_NAMESPACE = "default"


class EventWriter:
    """The writer. `take` is a listener of `events.log`."""

    def __init__(self, server: ApiServer, node_name: str, clock: Clock) -> None:
        """`server` has a rate limit of its own."""
        self._server = server
        self._node_name = node_name
        self._correlator = Correlator()
        self._clock = clock
        self._queue: asyncio.Queue[tuple[float, CorrelatedEvent]] = asyncio.Queue(QUEUE_LIMIT)  # and when each came
        self._newest_at = -math.inf

    def take(self, event: RecordedEvent) -> None:
        """Queue an event that was just recorded."""
        occurrence = CorrelatedEvent(
            subject=event.subject,
            type=event.type,
            reason=event.reason,
            message=event.message,
            at_ns=event.last_ns,
            annotations=event.annotations,
        )
        self._newest_at = self._clock.monotonic()
        try:
            self._queue.put_nowait((self._newest_at, occurrence))
        except asyncio.QueueFull:
            log.warning("too many events, one is lost: reason=%s object=%s", event.reason, event.subject.name)

    async def run(self) -> None:
        """Send forever."""
        while True:
            came_at, occurrence = await self._queue.get()
            await self._lull(came_at)
            entry = self._correlator.correlate(occurrence)
            if entry is not None:
                await self._send(entry)

    async def _lull(self, came_at: float) -> None:
        """Wait for the end of the burst in which an event came."""
        latest = came_at + LONGEST_BURST_S
        while (left_s := min(self._newest_at + LULL_S, latest) - self._clock.monotonic()) > 0:  # noqa: ASYNC110 # only time ends a burst
            await asyncio.sleep(left_s)

    async def _send(self, entry: Entry) -> None:
        """Try until the server has the event, or refuses it."""
        for _ in range(TRIES):
            try:
                await self._write(entry)
            except (Unavailable, DeadlineExceeded) as failure:
                log.info("an event is not written, and will be tried again: error=%s", failure)
                await asyncio.sleep(PAUSE_S)
            except AlreadyExists:
                return  # an earlier try succeeded, but its answer was lost
            except PermissionDenied as failure:
                # A namespace that is being deleted accepts no new objects.
                log.info("the server refuses an event: error=%s", failure)
                return
            except PodwrightError as failure:
                log.warning("an event is lost: reason=%s error=%s", entry.occurrence.reason, failure)
                return
            else:
                return

    async def _write(self, entry: Entry) -> None:
        event = event_of(entry, self._node_name)
        if entry.count > 1:
            body = {"count": event.count, "lastTimestamp": _text(entry.occurrence.at_ns), "message": event.message}
            try:
                await self._server.patch(Event, entry.name, strategic(body), namespace=event.metadata.namespace)
            except NotFound:
                # The event has expired. The next occurrence gets a new name.
                self._correlator.forget(entry)
            else:
                return
        await self._server.create(event)


def event_of(entry: Entry, node_name: str) -> Event:
    """The API's object."""
    occurrence = entry.occurrence
    involved = _reference(occurrence.subject)
    return Event(
        metadata=ObjectMeta(
            name=entry.name,
            namespace=involved.namespace or NODE_EVENTS_NAMESPACE,
            annotations=dict(occurrence.annotations),
        ),
        involved_object=involved,
        type=occurrence.type,
        reason=occurrence.reason,
        message=occurrence.message,
        source=EventSource(component=COMPONENT, host=node_name),
        reporting_component=COMPONENT,
        reporting_instance=node_name,
        first_timestamp=_time(entry.first_ns),
        last_timestamp=_time(occurrence.at_ns),
        count=entry.count,
    )


def _reference(subject: EventSubject) -> ObjectReference:
    """The reference to the subject.

    In events a node's UID is its name, because a kubelet sends them before it knows the UID.
    """
    if not subject.uid:
        return ObjectReference(kind="Node", name=subject.name, uid=subject.name)
    return ObjectReference(
        kind="Pod",
        api_version="v1",
        namespace=subject.namespace,
        name=subject.name,
        uid=subject.uid,
        field_path=subject.field_path,
    )


def _time(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns // 10**9, UTC)


def _text(at_ns: int) -> str:
    return format_time(_time(at_ns))

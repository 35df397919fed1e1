"""Events kept in memory and written to the log, for people on this machine: `podwright describe` shows them.

Similar events are counted, not repeated, as at an API server.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace

from podwright.agent.clock import Clock
from podwright.agent.events.recorder import EventType
from podwright.agent.pods.containers import field_path
from podwright.k8s.objects import Pod

log = logging.getLogger(__name__)

KEPT = 1000
MESSAGE_LIMIT = 1024  # characters, the API's limit (pkg/apis/core/validation/events.go)


class EventSubject(msgspec.Struct, frozen=True):
    """The subject of an event: a pod, a container of a pod by its path in the spec, or without a UID the node."""

    uid: str
    namespace: str
    name: str
    field_path: str


class RecordedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event and how often it was seen. Times are nanoseconds since the epoch."""

    subject: EventSubject
    type: EventType
    reason: str
    message: str
    first_ns: int
    last_ns: int
    count: int = 1
    annotations: Mapping[str, str] = msgspec.field(default_factory=dict)  # of the last occurrence


Listener = Callable[[RecordedEvent], None]


class EventLog:
    """An `EventRecorder`. Listeners get every occurrence."""

    def __init__(self, clock: Clock, node_name: str) -> None:
        self._clock = clock
        self._node_name = node_name
        self._events: OrderedDict[tuple[EventSubject, str, str, str], RecordedEvent] = OrderedDict()
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Call `listener` with each event from now on."""
        self._listeners.append(listener)

    def pod(
        self,
        pod: Pod,
        type: EventType,  # noqa: A002 # the API's word
        reason: str,
        message: str,
        *,
        container: str = "",
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        metadata = pod.metadata
        path = field_path(pod, container) if container else ""
        level = logging.WARNING if type == "Warning" else logging.INFO
        place = f"{metadata.name} {path}" if path else metadata.name
        log.log(level, "%s: %s: pod=%s/%s", reason, message, metadata.namespace, place)
        subject = EventSubject(metadata.uid, metadata.namespace, metadata.name, path)
        self._record(subject, type, reason, message, annotations or {})

    def node(self, type: EventType, reason: str, message: str) -> None:  # noqa: A002 # the API's word
        log.log(logging.WARNING if type == "Warning" else logging.INFO, "%s: %s", reason, message)
        self._record(EventSubject("", "", self._node_name, ""), type, reason, message, {})

    def of_pod(self, uid: str) -> list[RecordedEvent]:
        """The events of one pod, oldest first."""
        found = [event for event in self._events.values() if event.subject.uid == uid]
        return sorted(found, key=lambda event: event.last_ns)

    def _record(
        self,
        subject: EventSubject,
        type: EventType,  # noqa: A002 # as above
        reason: str,
        message: str,
        annotations: Mapping[str, str],
    ) -> None:
        message = message[:MESSAGE_LIMIT]
        now_ns = self._clock.now_ns()
        key = (subject, type, reason, message)
        known = self._events.pop(key, None)
        if known is not None:
            event = replace(known, last_ns=now_ns, count=known.count + 1, annotations=annotations)
        else:
            event = RecordedEvent(
                subject=subject,
                type=type,
                reason=reason,
                message=message,
                first_ns=now_ns,
                last_ns=now_ns,
                annotations=annotations,
            )
        self._events[key] = event
        if len(self._events) > KEPT:
            self._events.popitem(last=False)
        for listener in self._listeners:
            listener(event)

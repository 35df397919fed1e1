"""Decides which events the API server gets: counts repeated ones, combines similar ones, and drops floods. Pure.

The rules and limits are client-go's EventCorrelator (tools/record/events_cache.go of Kubernetes 1.36): each object has
a budget, ten different messages of one reason in ten minutes become one, and a repeated event gets a higher count.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec
from msgspec.structs import replace

from podwright.agent.events.log import EventSubject

K = TypeVar("K")
V = TypeVar("V")

KEPT = 4096  # entries of each map
BURST, REFILL_S = 25, 300.0  # events of one object
SIMILAR, SIMILAR_WINDOW_S = 10, 600.0
COMBINED = "(combined from similar events): "


class CorrelatedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened. Times are nanoseconds since the epoch."""

    subject: EventSubject
    type: str
    reason: str
    message: str
    at_ns: int
    annotations: Mapping[str, str] = msgspec.field(default_factory=dict)


EventKey = tuple[EventSubject, str, str, str]  # type, reason, message


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An event for the API server. `name` is that of its object, which exists already if `count` is more than 1.

    Occurrences with the same `key` are the same event.
    """

    key: EventKey
    name: str
    occurrence: CorrelatedEvent
    first_ns: int
    count: int = 1


class _Budget(msgspec.Struct, frozen=True):
    tokens: float
    at_ns: int


class _Similar(msgspec.Struct, frozen=True):
    messages: frozenset[str]
    at_ns: int


class Correlator:
    """Remembers what was sent."""

    def __init__(self) -> None:
        self._budgets = _Recent[EventSubject, _Budget](KEPT)
        self._similar = _Recent[tuple[EventSubject, str, str], _Similar](KEPT)
        self._sent = _Recent[EventKey, Entry](KEPT)

    def correlate(self, occurrence: CorrelatedEvent) -> Entry | None:
        """The event to send. None if there were too many about its object."""
        message, key = self._combined(occurrence)
        occurrence = replace(occurrence, message=message)
        known = self._sent.get(key)
        if known is None:
            name = f"{occurrence.subject.name}.{occurrence.at_ns:x}"
            entry = Entry(key=key, name=name, occurrence=occurrence, first_ns=occurrence.at_ns)
        else:
            entry = replace(known, occurrence=occurrence, count=known.count + 1)
        self._sent.put(key, entry)
        return entry if self._may_send(occurrence) else None

    def forget(self, entry: Entry) -> None:
        """Forget an event that the API server no longer has. The next occurrence is a new event."""
        self._sent.remove(entry.key)

    def _may_send(self, occurrence: CorrelatedEvent) -> bool:
        """Whether the object still has a token. It gets a new one every five minutes."""
        budget = self._budgets.get(_whole(occurrence.subject)) or _Budget(BURST, occurrence.at_ns)
        elapsed_s = max(0.0, (occurrence.at_ns - budget.at_ns) / 1e9)
        tokens = min(float(BURST), budget.tokens + elapsed_s / REFILL_S)
        may = tokens >= 1
        self._budgets.put(_whole(occurrence.subject), _Budget(tokens - 1 if may else tokens, occurrence.at_ns))
        return may

    def _combined(self, occurrence: CorrelatedEvent) -> tuple[str, EventKey]:
        """The message to send, and the key of the event."""
        subject, kind, reason, message = occurrence.subject, occurrence.type, occurrence.reason, occurrence.message
        group = (_whole(subject), kind, reason)
        similar = self._similar.get(group)
        is_old = similar is None or (occurrence.at_ns - similar.at_ns) / 1e9 > SIMILAR_WINDOW_S
        messages = frozenset[str]() if similar is None or is_old else similar.messages
        is_flood = len(messages | {message}) >= SIMILAR
        self._similar.put(group, _Similar(messages if is_flood else messages | {message}, occurrence.at_ns))
        if is_flood:
            return f"{COMBINED}{message}", (*group, COMBINED)
        return message, (subject, kind, reason, message)


def _whole(subject: EventSubject) -> EventSubject:
    """The subject without a container."""
    return replace(subject, field_path="")


class _Recent(Generic[K, V]):
    """A map that drops the entries that were unused for longest."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        value = self._items.get(key)
        if value is not None:
            self._items.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        self._items[key] = value
        self._items.move_to_end(key)
        if len(self._items) > self._size:
            self._items.popitem(last=False)

    def remove(self, key: K) -> None:
        self._items.pop(key, None)

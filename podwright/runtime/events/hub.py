"""Sends events about changes of the stores to any number of subscribers. No subscriber can block the runtime.

The hub watches the stores of sandboxes and containers, so it misses no change, whichever service or recovery makes
it. An event is sent when the change is visible. The gRPC edge calls the hub. The hub changes no record.

A subscription ends with an error if its subscriber does not keep up, and when the daemon stops. A kubelet's evented
PLEG handles that best: it lists everything when its stream fails and opens a new stream. It would miss a silently
dropped event until its next list, minutes later. Events between that list and the new stream are kept for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Iterator

from podwright.errors import PodwrightError, ResourceExhausted, Unavailable
from podwright.runtime.events.event import ContainerEvent, EventKind, Record, kinds
from podwright.runtime.model.container import Container, ContainerState
from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.state import Store

WAITING_LIMIT = 4096  # pending events of one subscriber: enough to create a hundred pods several times
KEPT_LIMIT = 1024  # events kept while there is no subscriber
KEPT_S = 30.0  # and for how long: more than a client needs from its list to its stream


class EventHub:
    """All subscribers, and the recent events for the next one."""

    def __init__(self, sandboxes: Store[Sandbox], containers: Store[Container]) -> None:
        """Start watching. Records that exist already cause no event."""
        self._sandboxes = sandboxes
        self._containers = containers
        self._subscriptions: set[Subscription] = set()
        self._kept: deque[ContainerEvent] = deque(maxlen=KEPT_LIMIT)
        self._closed = False
        sandboxes.watchers.append(self._on_sandbox)
        containers.watchers.append(self._on_container)

    @contextlib.contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Subscribe to events from now on, and to those of the last KEPT_S that had no subscriber.

        Raises Unavailable.
        """
        if self._closed:
            raise _stopping()
        subscription = Subscription()
        self._drop_old()
        while self._kept:
            subscription.offer(self._kept.popleft())
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def __len__(self) -> int:
        """The number of subscribers."""
        return len(self._subscriptions)

    def close(self) -> None:
        """End every subscription after its pending events."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.end(_stopping())

    def _on_sandbox(self, before: Sandbox | None, after: Sandbox | None) -> None:
        sandbox = after or before
        if sandbox is not None:
            self._tell(kinds(before, after), sandbox, sandbox)

    def _on_container(self, before: Container | None, after: Container | None) -> None:
        container = after or before
        sandbox = self._sandboxes.find(container.sandbox_id) if container is not None else None
        if container is not None and sandbox is not None:
            self._tell(kinds(before, after), container, sandbox)

    def _tell(self, happened: tuple[EventKind, ...], subject: Record, sandbox: Sandbox) -> None:
        if not happened:
            return
        inside = tuple(
            container
            for container in self._containers.group(sandbox.id)
            if container.state is not ContainerState.CREATING
        )
        for kind in happened:
            event = ContainerEvent(
                kind=kind, subject=subject.id, at=self._sandboxes.now(), sandbox=sandbox, containers=inside
            )
            if not self._subscriptions:
                self._drop_old()
                self._kept.append(event)
            for subscription in self._subscriptions:
                subscription.offer(event)

    def _drop_old(self) -> None:
        horizon = time.time_ns() - int(KEPT_S * 1e9)
        while self._kept and self._kept[0].at < horizon:
            self._kept.popleft()


class Subscription:
    """The pending events of one subscriber, who iterates over it. Made by `EventHub.subscribe`."""

    def __init__(self) -> None:
        self._waiting: deque[ContainerEvent] = deque()
        self._end: PodwrightError | None = None
        self._news = asyncio.Event()

    def offer(self, event: ContainerEvent) -> None:
        """Add an event to the queue. If the queue is full, drop it and end the subscription."""
        if self._end is not None:
            return
        if len(self._waiting) == WAITING_LIMIT:
            self._waiting.clear()
            self.end(ResourceExhausted("events came faster than they were read", hint="list again and reconnect"))
            return
        self._waiting.append(event)
        self._news.set()

    def end(self, reason: PodwrightError) -> None:
        """Raise `reason` in the subscriber after its pending events."""
        self._end = self._end or reason
        self._news.set()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> ContainerEvent:
        """The next event. Waits for it. Raises ResourceExhausted and Unavailable."""
        while not self._waiting:
            if self._end is not None:
                raise self._end
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()


def _stopping() -> Unavailable:
    return Unavailable("the runtime stops", hint="connect again")

"""Events from changes of the stores, to any number of subscribers; none of them can hold the runtime up.

The hub watches the stores of sandboxes and containers, so that no change is missed, whichever service or recovery
makes it, and an event is told when the change can be seen. Called by the gRPC edge; it changes nothing.

A subscriber that does not keep up is cut off with an error, and so is everybody when the daemon stops. That is what
a kubelet's evented PLEG copes with best: it lists everything when its stream fails, and opens a new one, whereas an
event that was left out silently would be missed until its next list, minutes later. What happens between that list
and the new stream is kept for it.
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

WAITING_LIMIT = 4096  # events that may wait for one subscriber: a hundred pods made anew, some times over
KEPT_LIMIT = 1024  # events kept while nobody listens
KEPT_S = 30.0  # and how long: more than a client needs from its list to its stream


class EventHub:
    """All subscribers, and what was told of late."""

    def __init__(self, sandboxes: Store[Sandbox], containers: Store[Container]) -> None:
        """Begins to watch; what is in the stores already is no event."""
        self._sandboxes = sandboxes
        self._containers = containers
        self._subscriptions: set[Subscription] = set()
        self._kept: deque[ContainerEvent] = deque(maxlen=KEPT_LIMIT)
        self._closed = False
        sandboxes.watchers.append(self._on_sandbox)
        containers.watchers.append(self._on_container)

    @contextlib.contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Every event from now on, and those of the last KEPT_S that nobody has heard. Raises Unavailable."""
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
        """How many listen."""
        return len(self._subscriptions)

    def close(self) -> None:
        """End every subscription, once it has told what waits."""
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
    """The events that wait for one subscriber, who iterates. Made by `EventHub.subscribe`."""

    def __init__(self) -> None:
        self._waiting: deque[ContainerEvent] = deque()
        self._end: PodwrightError | None = None
        self._news = asyncio.Event()

    def offer(self, event: ContainerEvent) -> None:
        """Put an event in the queue; when there is no room, the queue is given up and the subscription ends."""
        if self._end is not None:
            return
        if len(self._waiting) == WAITING_LIMIT:
            self._waiting.clear()
            self.end(ResourceExhausted("events came faster than they were read", hint="list again, and reconnect"))
            return
        self._waiting.append(event)
        self._news.set()

    def end(self, reason: PodwrightError) -> None:
        """Raise `reason` in the subscriber when it has read what waits."""
        self._end = self._end or reason
        self._news.set()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> ContainerEvent:
        """The next event; waits for it. Raises ResourceExhausted and Unavailable."""
        while not self._waiting:
            if self._end is not None:
                raise self._end
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()


def _stopping() -> Unavailable:
    return Unavailable("the runtime stops", hint="connect again")

"""Events from real stores to subscribers: order, what they show, and those who do not keep up."""

from __future__ import annotations

import asyncio

import pytest

from podwright.conformance.patience import patient
from podwright.errors import ResourceExhausted, Unavailable
from podwright.runtime.events import ContainerEvent, EventHub, EventKind, Subscription, hub
from podwright.runtime.model.container import ContainerState
from podwright.runtime.model.sandbox import SandboxState
from tests.runtime.events.records import Stores, container, sandbox

CREATED, STARTED, STOPPED, DELETED = EventKind


@pytest.fixture
def events(stores: Stores) -> EventHub:
    """A hub on the stores."""
    return EventHub(stores.sandboxes, stores.containers)


async def _next(subscription: Subscription, count: int) -> list[ContainerEvent]:
    async with asyncio.timeout(patient(60)):
        return [await anext(subscription) for _ in range(count)]


def _live(stores: Stores) -> None:
    """The life of a pod with one container: eight events."""
    for state in (SandboxState.CREATING, SandboxState.READY):
        stores.sandboxes.put(sandbox(state))
    for inner in (ContainerState.CREATING, ContainerState.CREATED, ContainerState.RUNNING):
        stores.containers.put(container(inner))
    stores.sandboxes.put(sandbox(SandboxState.STOPPING))
    stores.containers.put(container(ContainerState.EXITED))
    stores.sandboxes.put(sandbox(SandboxState.NOTREADY))
    stores.containers.delete("c1")
    stores.sandboxes.delete("s1")


async def test_the_life_of_a_pod_in_order(stores: Stores, events: EventHub) -> None:
    with events.subscribe() as one, events.subscribe() as two:
        _live(stores)
        told = await _next(one, 8)
        assert await _next(two, 8) == told
    assert [(event.subject, event.kind) for event in told] == [
        ("s1", CREATED),
        ("s1", STARTED),
        ("c1", CREATED),
        ("c1", STARTED),
        ("c1", STOPPED),
        ("s1", STOPPED),
        ("c1", DELETED),
        ("s1", DELETED),
    ]
    assert [[str(inner.state) for inner in event.containers] for event in told] == [
        [],
        [],
        ["created"],
        ["running"],
        ["exited"],
        ["exited"],
        [],
        [],
    ]
    assert told[-1].sandbox.config.name.uid == "uid-s1"  # a kubelet tells pods by it, also those that are gone
    times = [event.at for event in told]
    assert times == sorted(set(times))
    assert stores.containers.now() > times[-1]


async def test_the_stores_show_the_change_when_it_is_told(stores: Stores, events: EventHub) -> None:
    stores.sandboxes.put(sandbox())
    with events.subscribe() as subscription:
        stores.containers.put(container())
        for event in await _next(subscription, 4):
            assert stores.sandboxes.get(event.sandbox.id) is event.sandbox
        stores.containers.delete("c1")
        [event] = await _next(subscription, 1)
        assert (event.kind, stores.containers.find("c1")) == (DELETED, None)


async def test_a_container_without_a_sandbox_is_no_event(stores: Stores, events: EventHub) -> None:
    with events.subscribe() as subscription:
        stores.containers.put(container(inside="gone"))
        stores.containers.delete("c1")
        stores.sandboxes.put(sandbox())
        assert [event.subject for event in await _next(subscription, 2)] == ["s1", "s1"]


async def test_what_nobody_heard_is_kept_for_the_next_listener_alone(stores: Stores, events: EventHub) -> None:
    stores.sandboxes.put(sandbox())
    with events.subscribe() as first, events.subscribe() as second:
        stores.containers.put(container())
        assert len(await _next(first, 4)) == 4
        assert [event.subject for event in await _next(second, 2)] == ["c1", "c1"]


async def test_what_nobody_heard_is_not_kept_for_ever(
    stores: Stores, events: EventHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "KEPT_S", 0.0)
    stores.sandboxes.put(sandbox())
    await asyncio.sleep(0.001)
    with events.subscribe() as subscription:
        stores.sandboxes.put(sandbox(SandboxState.NOTREADY))
        assert [event.kind for event in await _next(subscription, 1)] == [STOPPED]


async def test_kept_events_are_bounded(stores: Stores, events: EventHub) -> None:
    for _ in range(hub.KEPT_LIMIT):
        stores.sandboxes.put(sandbox(SandboxState.READY))
        stores.sandboxes.put(sandbox(SandboxState.NOTREADY))
    with events.subscribe() as subscription:
        told = await _next(subscription, hub.KEPT_LIMIT)
        events.close()
        with pytest.raises(Unavailable):
            await anext(subscription)
    assert told[-1].kind is STOPPED


async def test_who_does_not_read_is_cut_off_and_holds_nobody_up(stores: Stores, events: EventHub) -> None:
    with events.subscribe() as slow, events.subscribe() as quick:
        for number in range(hub.WAITING_LIMIT + 1):
            stores.sandboxes.put(sandbox(SandboxState.NOTREADY if number % 2 else SandboxState.READY))
            await _next(quick, 1 if number else 2)
        with pytest.raises(ResourceExhausted):
            await anext(slow)
        stores.sandboxes.delete("s1")
        assert [event.kind for event in await _next(quick, 1)] == [DELETED]
        with pytest.raises(ResourceExhausted):
            await anext(slow)


async def test_the_end_of_the_daemon_comes_after_what_waits(stores: Stores, events: EventHub) -> None:
    with events.subscribe() as subscription:
        stores.sandboxes.put(sandbox())
        events.close()
        assert [event.kind for event in await _next(subscription, 2)] == [CREATED, STARTED]
        with pytest.raises(Unavailable):
            await anext(subscription)
    with pytest.raises(Unavailable), events.subscribe():
        pass


async def test_who_has_left_is_forgotten(stores: Stores, events: EventHub) -> None:
    with events.subscribe():
        assert len(events) == 1
    assert len(events) == 0

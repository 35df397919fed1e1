"""Events at an API server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from podwright.agent.events.log import EventLog
from podwright.agent.events.writer import LONGEST_BURST_S, LULL_S, QUEUE_LIMIT, EventWriter
from podwright.k8s.codec import from_document
from podwright.k8s.objects import Event
from tests.agent.fakes.direct import DirectApi
from tests.agent.fakes.pods import pod
from tests.agent.fakes.time import VirtualClock, run_virtual
from tests.harness.apiserver.documents import read_filter
from tests.harness.apiserver.server import ApiServer


class World:
    """A server, and an event log whose events go there."""

    def __init__(self) -> None:
        self.server = ApiServer()
        self.api = DirectApi(self.server)
        clock = VirtualClock()
        self.log = EventLog(clock, "node-a")
        self.writer = EventWriter(self.api, "node-a", clock)
        self.log.listen(self.writer.take)

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.writer.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    def shown(self) -> list[Event]:
        return [from_document(each, Event) for each in self.server.store.list("v1/events", read_filter("", "", ""))]


def test_pods_and_nodes() -> None:
    async def scenario() -> None:
        world = World()
        async with world.writing():
            world.log.pod(pod(), "Warning", "Failed", "text", container="main")
            world.log.node("Normal", "NodeReady", "ready")
            await asyncio.sleep(LULL_S)
        of_node, of_pod = sorted(world.shown(), key=lambda event: event.reason, reverse=True)
        assert of_pod.involved_object.field_path == "spec.containers{main}"
        assert (of_pod.involved_object.uid, of_pod.metadata.namespace) == ("uid-web", "default")
        assert (of_pod.source.component, of_pod.source.host, of_pod.type) == ("kubelet", "node-a", "Warning")
        assert (of_node.involved_object.kind, of_node.involved_object.uid) == ("Node", "node-a")

    run_virtual(scenario())


def test_what_happened_before_it_runs_is_kept() -> None:
    async def scenario() -> None:
        world = World()
        world.log.node("Normal", "Starting", "")
        for number in range(QUEUE_LIMIT):
            world.log.node("Normal", f"Reason{number}", "text")
        async with world.writing():
            await asyncio.sleep(LULL_S)
        reasons = {event.reason for event in world.shown()}
        assert {"Starting", "Reason0"} <= reasons
        assert f"Reason{QUEUE_LIMIT - 1}" not in reasons

    run_virtual(scenario())


def test_what_repeats_is_counted() -> None:
    async def scenario() -> None:
        world = World()
        async with world.writing():
            for _ in range(3):
                world.log.pod(pod(), "Normal", "BackOff", "text")
                await asyncio.sleep(2)
        (event,) = world.shown()
        assert event.count == 3
        assert event.first_timestamp is not None
        assert event.last_timestamp is not None
        assert (event.last_timestamp - event.first_timestamp).total_seconds() == 4

    run_virtual(scenario())


def test_one_that_has_expired_is_written_anew() -> None:
    async def scenario() -> None:
        world = World()
        async with world.writing():
            world.log.pod(pod(), "Normal", "BackOff", "text")
            await asyncio.sleep(LULL_S)
            (event,) = world.shown()
            world.server.remove(Event, event.metadata.name, "default")
            world.log.pod(pod(), "Normal", "BackOff", "text")
            await asyncio.sleep(LULL_S)
            assert len(world.shown()) == 1

    run_virtual(scenario())


def test_a_server_that_is_down_gets_them_later() -> None:
    async def scenario() -> None:
        world = World()
        world.api.fail = True
        async with world.writing():
            world.log.pod(pod(), "Normal", "Started", "text")
            await asyncio.sleep(15)
            world.api.fail = False
            await asyncio.sleep(15)
            assert [event.reason for event in world.shown()] == ["Started"]

    run_virtual(scenario())


def test_one_whose_answer_is_lost_is_written_once() -> None:
    async def scenario() -> None:
        world = World()
        world.api.lose_answers = True
        async with world.writing():
            world.log.pod(pod(), "Normal", "Started", "text")
            world.log.pod(pod(), "Normal", "Killing", "text")
            await asyncio.sleep(5)
            assert [event.reason for event in world.shown()] == ["Started"]
            world.api.lose_answers = False
            await asyncio.sleep(15)
            assert sorted(event.reason for event in world.shown()) == ["Killing", "Started"]

    run_virtual(scenario())


def test_a_full_queue_loses_events_and_nothing_else() -> None:
    async def scenario() -> None:
        world = World()
        world.api.fail = True
        async with world.writing():
            for number in range(1200):
                world.log.pod(pod(f"web-{number}"), "Normal", "Started", "text")
        assert world.log.of_pod("uid-web-1199")

    run_virtual(scenario())


def test_events_are_sent_after_a_burst() -> None:
    async def scenario() -> None:
        world = World()
        async with world.writing():
            for number in range(5):
                world.log.node("Normal", f"Reason{number}", "text")
                await asyncio.sleep(LULL_S / 2)
                assert world.shown() == []
            await asyncio.sleep(LULL_S)
        assert len(world.shown()) == 5

    run_virtual(scenario())


def test_a_long_burst_delays_no_event_for_long() -> None:
    async def scenario() -> None:
        world = World()
        async with world.writing():
            for number in range(100):
                world.log.pod(pod(f"web-{number}", uid=f"uid-{number}"), "Normal", "Started", "text")
                await asyncio.sleep(LULL_S / 2)
            assert len(world.shown()) == pytest.approx(100 - LONGEST_BURST_S / (LULL_S / 2), abs=2)

    run_virtual(scenario())

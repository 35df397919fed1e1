"""GetContainerEvents: order, what an event shows, that nothing is missing. A kubelet's evented PLEG relies on it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator

import pytest
import pytest_asyncio

from podwright.conformance.patience import patient
from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import CasePod, RunPod
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import NotFound, PodwrightError

BEGUN_S = patient(5.0)  # after that, it is taken for granted: not every server tells that a stream hears events
WAIT_S = patient(60.0)
CREATED, STARTED = api.CONTAINER_CREATED_EVENT, api.CONTAINER_STARTED_EVENT
STOPPED, DELETED = api.CONTAINER_STOPPED_EVENT, api.CONTAINER_DELETED_EVENT

pytestmark = [
    pytest.mark.deviates("containerd", "1.6 came before the RPC"),
    pytest.mark.deviates("cri-o", "tells some of them, and only when it is configured to", run=False),
]


class Ear:
    """Listens from its making on, on a connection of its own."""

    def __init__(self, endpoint: str) -> None:
        self._cri = CriClient(endpoint)
        self._begun = asyncio.Event()
        self._heard: asyncio.Queue[api.ContainerEventResponse | PodwrightError] = asyncio.Queue()
        self._listening = asyncio.create_task(self._listen(), name="listen to events")

    async def _listen(self) -> None:
        call = self._cri.runtime.GetContainerEvents
        try:
            async for event in self._cri.stream(call, api.GetEventsRequest(), begun=self._begun):
                self._heard.put_nowait(event)
        except PodwrightError as failure:
            self._heard.put_nowait(failure)

    async def begun(self) -> None:
        """Wait until it hears, or has failed."""
        hearing = asyncio.create_task(self._begun.wait(), name="wait for events")
        await asyncio.wait({hearing, self._listening}, timeout=BEGUN_S, return_when=asyncio.FIRST_COMPLETED)
        hearing.cancel()

    async def events(self, pod: CasePod, count: int) -> list[api.ContainerEventResponse]:
        """The next events of the pod. Those of others, who may use the server too, are dropped.

        Raises what ended the stream.
        """
        heard: list[api.ContainerEventResponse] = []
        async with asyncio.timeout(WAIT_S):
            while len(heard) < count:
                event = await self._next()
                if event.pod_sandbox_status.metadata.uid == pod.config.metadata.uid:
                    heard.append(event)
        return heard

    async def all_events(self, count: int) -> list[api.ContainerEventResponse]:
        """The next events of every pod. Raises what ended the stream."""
        async with asyncio.timeout(WAIT_S):
            return [await self._next() for _ in range(count)]

    async def _next(self) -> api.ContainerEventResponse:
        event = await self._heard.get()
        if isinstance(event, PodwrightError):
            raise event
        return event

    async def close(self) -> None:
        """Hang up."""
        self._listening.cancel()
        await asyncio.wait([self._listening])
        await self._cri.close()


@contextlib.asynccontextmanager
async def listening(endpoint: str) -> AsyncGenerator[Ear, None]:
    """An ear that hears."""
    made = Ear(endpoint)
    try:
        await made.begun()
        yield made
    finally:
        await made.close()


@pytest_asyncio.fixture
async def ear(cri_server: CriPeer) -> AsyncIterator[Ear]:
    """Hears from before the case on."""
    async with listening(cri_server.endpoint) as made:
        yield made


def _told(pod: CasePod, events: list[api.ContainerEventResponse]) -> list[tuple[str, int]]:
    names = {pod.id: "sandbox", **{container: f"c{number}" for number, container in enumerate(pod.containers)}}
    return [(names.get(event.container_id, event.container_id), event.container_event_type) for event in events]


async def test_the_life_of_a_pod(ear: Ear, run_pod: RunPod) -> None:
    async with run_pod() as pod:
        await pod.stop(await pod.run_ready())
    events = await ear.events(pod, 8)
    assert _told(pod, events) == [
        ("sandbox", CREATED),
        ("sandbox", STARTED),
        ("c0", CREATED),
        ("c0", STARTED),
        ("c0", STOPPED),
        ("sandbox", STOPPED),
        ("c0", DELETED),
        ("sandbox", DELETED),
    ]
    times = [event.created_at for event in events]
    assert times == sorted(set(times))  # a kubelet takes an event for old that is not younger than what it knows


async def test_containers_end_before_their_sandbox(ear: Ear, run_pod: RunPod) -> None:
    async with run_pod() as pod:
        for _ in range(3):
            await pod.run()
    events = _told(pod, await ear.events(pod, 2 + 3 * 2 + 8))[8:]
    assert sorted(events[:3]) == [("c0", STOPPED), ("c1", STOPPED), ("c2", STOPPED)]
    assert events[3] == ("sandbox", STOPPED)
    assert sorted(events[4:7]) == [("c0", DELETED), ("c1", DELETED), ("c2", DELETED)]
    assert events[7] == ("sandbox", DELETED)


async def test_an_event_shows_the_pod_after_it(ear: Ear, run_pod: RunPod) -> None:
    async with run_pod(labels={"app": "web"}) as pod:
        await pod.run()
    events = await ear.events(pod, 8)
    for event in events:
        assert event.pod_sandbox_status.id == pod.id
        assert event.pod_sandbox_status.metadata == pod.config.metadata
        assert dict(event.pod_sandbox_status.labels) == {"app": "web"}
    ready = [event.pod_sandbox_status.state == api.SANDBOX_READY for event in events]
    assert ready[:4] == [True] * 4
    assert ready[5:] == [False] * 3
    assert events[1].pod_sandbox_status.network.ip
    states = [[status.state for status in event.containers_statuses] for event in events]
    running, exited = [api.CONTAINER_RUNNING], [api.CONTAINER_EXITED]
    assert states == [[], [], [api.CONTAINER_CREATED], running, exited, exited, [], []]


async def test_an_event_is_told_by_the_time_the_call_returns(ear: Ear, run_pod: RunPod) -> None:
    async with run_pod() as pod:
        returned = [time.time_ns()]
        container_id = await pod.create()
        returned.append(time.time_ns())
        await pod.start(container_id)
        returned.append(time.time_ns())
        await pod.stop(container_id, timeout=0)
        returned.append(time.time_ns())
        events = await ear.events(pod, 5)
    assert all(event.created_at < limit for event, limit in zip(events[1:], returned, strict=True))


@pytest.mark.parametrize(
    ("command", "code", "reason"),
    [
        (("sh", "-c", "sleep 0.2; exit 0"), 0, "Completed"),
        (("sh", "-c", "sleep 0.2; exit 7"), 7, "Error"),
        (("/no/such/program",), 128, "StartError"),
    ],
)
async def test_an_end_that_nobody_asked_for(
    ear: Ear, pod: CasePod, command: tuple[str, ...], code: int, reason: str
) -> None:
    container_id = await pod.create(command)
    with contextlib.suppress(PodwrightError):
        await pod.start(container_id)
    events = await ear.events(pod, 3)
    if reason != "StartError":
        assert events.pop(2).container_event_type == CREATED
        events += await ear.events(pod, 2)
    else:
        events += await ear.events(pod, 1)
    last = events[-1]
    assert (last.container_id, last.container_event_type) == (container_id, STOPPED)
    [status] = last.containers_statuses
    assert (status.state, status.exit_code, status.reason) == (api.CONTAINER_EXITED, code, reason)
    assert await pod.status(container_id) == status  # whoever asks after an event is told the same


async def test_who_asks_after_the_event_finds_it_gone(ear: Ear, pod: CasePod) -> None:
    container_id = await pod.run()
    await ear.events(pod, 4)
    await pod.cri.call(pod.cri.runtime.RemoveContainer, api.RemoveContainerRequest(container_id=container_id))
    stopped, deleted = await ear.events(pod, 2)
    assert (stopped.container_event_type, deleted.container_event_type) == (STOPPED, DELETED)
    with pytest.raises(NotFound):
        await pod.status(container_id)


async def test_every_listener_hears_everything(cri_server: CriPeer, ear: Ear, run_pod: RunPod) -> None:
    async with listening(cri_server.endpoint) as other:
        async with run_pod() as pod:
            await pod.run()
        assert await ear.events(pod, 8) == await other.events(pod, 8)


async def test_a_containers_newest_attempt_comes_first(ear: Ear, pod: CasePod) -> None:
    """A kubelet takes the first status of a name for the newest, and would make a running container once more."""
    made = [await pod.create(name="main", attempt=attempt) for attempt in range(3)]
    request = api.PodSandboxStatusRequest(pod_sandbox_id=pod.id)
    asked = await pod.cri.call(pod.cri.runtime.PodSandboxStatus, request)
    assert [status.id for status in asked.containers_statuses] == made[::-1]
    last = (await ear.events(pod, 2 + 3))[-1]
    assert [status.id for status in last.containers_statuses] == made[::-1]


async def test_the_status_of_a_pod_can_be_placed_among_its_events(ear: Ear, pod: CasePod) -> None:
    """A kubelet puts statuses that it asked for and those of events into one cache: the later one wins."""
    container_id = await pod.run()
    request = api.PodSandboxStatusRequest(pod_sandbox_id=pod.id)
    asked = await pod.cri.call(pod.cri.runtime.PodSandboxStatus, request)
    assert [status.id for status in asked.containers_statuses] == [container_id]
    assert asked.containers_statuses[0] == await pod.status(container_id)
    await pod.stop(container_id, timeout=0)
    events = await ear.events(pod, 5)
    assert events[3].created_at < asked.timestamp < events[4].created_at

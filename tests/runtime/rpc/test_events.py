"""GetContainerEvents on a real gRPC server: listeners that leave, that do not read, and a server that stops."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.conformance.patience import patient
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import ResourceExhausted, Unavailable
from podwright.runtime.events import EventHub, hub
from podwright.runtime.model.sandbox import SandboxState
from podwright.runtime.rpc.edge import Edge
from podwright.runtime.rpc.events import EventRpcs
from podwright.runtime.rpc.server import listen, make_server
from podwright.timeline import Timeline
from tests.runtime.events.records import Stores, container, sandbox

FAR_S = patient(60.0)


class Runtime:
    """A server of the one family."""

    def __init__(self, root: Path) -> None:
        self.endpoint = f"unix://{root}/s.sock"
        self.stores = Stores(root)
        self.hub = EventHub(self.stores.sandboxes, self.stores.containers)
        self.edge = Edge(Timeline())
        self.server = make_server({"GetContainerEvents": EventRpcs(self.hub).GetContainerEvents}, self.edge)

    async def listeners(self, count: int) -> None:
        """Wait until so many listen."""
        async with asyncio.timeout(FAR_S):
            while len(self.hub) != count:  # noqa: ASYNC110 # nobody tells us
                await asyncio.sleep(0.005)


@pytest_asyncio.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[Runtime]:
    """Ready, and taken down as the daemon takes it down."""
    made = Runtime(tmp_path)
    await listen(made.server, made.endpoint)
    made.edge.ready = True
    yield made
    made.hub.close()
    await made.server.stop(FAR_S)
    made.stores.database.close()


def _stream(cri: CriClient) -> AsyncIterator[api.ContainerEventResponse]:
    return cri.stream(cri.runtime.GetContainerEvents, api.GetEventsRequest(), timeout_s=FAR_S)


async def test_an_event_shows_the_whole_pod(runtime: Runtime) -> None:
    async with CriClient(runtime.endpoint) as cri, contextlib.aclosing(_stream(cri)) as stream:  # type: ignore[type-var] # a generator
        reading = asyncio.ensure_future(anext(stream))
        await runtime.listeners(1)
        runtime.stores.sandboxes.put(sandbox(app="web"))
        created, started = await reading, await anext(stream)
        runtime.stores.containers.put(container())
        event = await anext(stream)
    assert (created.container_event_type, started.container_event_type) == (0, api.CONTAINER_STARTED_EVENT)
    assert event.container_id == "c1"
    assert event.container_event_type == api.CONTAINER_CREATED_EVENT
    assert event.created_at > started.created_at > created.created_at > 0
    assert event.pod_sandbox_status.metadata == api.PodSandboxMetadata(name="s1", namespace="ns", uid="uid-s1")
    assert dict(event.pod_sandbox_status.labels) == {"app": "web"}
    assert [(inner.id, inner.state) for inner in event.containers_statuses] == [("c1", api.CONTAINER_RUNNING)]


async def test_who_listens_is_told_so(runtime: Runtime) -> None:
    async with CriClient(runtime.endpoint) as cri:
        begun = asyncio.Event()
        stream = cri.stream(cri.runtime.GetContainerEvents, api.GetEventsRequest(), timeout_s=FAR_S, begun=begun)
        reading = asyncio.ensure_future(anext(stream))
        async with asyncio.timeout(FAR_S):
            await begun.wait()
        assert len(runtime.hub) == 1
        runtime.stores.sandboxes.put(sandbox())
        assert (await reading).container_event_type == api.CONTAINER_CREATED_EVENT


async def test_who_leaves_is_forgotten(runtime: Runtime) -> None:
    async with CriClient(runtime.endpoint) as cri:
        waiting = asyncio.ensure_future(anext(_stream(cri)))
        await runtime.listeners(1)
        waiting.cancel()
        await runtime.listeners(0)
    async with CriClient(runtime.endpoint) as cri:
        waiting = asyncio.ensure_future(anext(_stream(cri)))
        await runtime.listeners(1)
    await runtime.listeners(0)
    with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration, Unavailable):
        await waiting


async def test_who_does_not_read_is_cut_off_with_a_reason(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's window fills, then the queue; what is lost is told, and the other listener misses nothing."""
    monkeypatch.setattr(hub, "WAITING_LIMIT", 200)
    labels = {"padding": "x" * 64_000}
    async with CriClient(runtime.endpoint) as idle, CriClient(runtime.endpoint) as busy:
        unread, read = _stream(idle), _stream(busy)
        first = [asyncio.ensure_future(anext(stream)) for stream in (unread, read)]
        await runtime.listeners(2)
        for _ in range(300):
            runtime.stores.sandboxes.put(sandbox(SandboxState.READY, **labels))
            runtime.stores.sandboxes.put(sandbox(SandboxState.NOTREADY, **labels))
            if not first[1].done():
                assert (await first[1]).container_event_type == api.CONTAINER_CREATED_EVENT
            assert (await anext(read)).container_event_type == api.CONTAINER_STARTED_EVENT
            assert (await anext(read)).container_event_type == api.CONTAINER_STOPPED_EVENT
        assert (await first[0]).container_event_type == api.CONTAINER_CREATED_EVENT
        with pytest.raises(ResourceExhausted, match="list again"):
            await _read(unread, 600)
        await runtime.listeners(1)


async def _read(stream: AsyncIterator[api.ContainerEventResponse], count: int) -> int:
    return len([await anext(stream) for _ in range(count)])


async def test_the_server_stops_at_once_with_streams_open(runtime: Runtime) -> None:
    async with CriClient(runtime.endpoint) as cri:
        waiting = [asyncio.ensure_future(anext(_stream(cri))) for _ in range(3)]
        await runtime.listeners(3)
        async with asyncio.timeout(FAR_S):
            runtime.hub.close()  # without which the stop takes all the time that it is given
            await runtime.server.stop(100 * FAR_S)
        for outcome in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(outcome, Unavailable)


async def test_nothing_is_answered_before_recovery_is_done(runtime: Runtime) -> None:
    runtime.edge.ready = False
    async with CriClient(runtime.endpoint) as cri:
        for service, stub in (("RuntimeService", cri.runtime), ("ImageService", cri.images)):
            for method in api.DESCRIPTOR.services_by_name[service].methods:
                request = getattr(api, method.input_type.name)()
                call = getattr(stub, method.name)
                if method.server_streaming:
                    answer = anext(cri.stream(call, request, timeout_s=FAR_S))
                else:
                    answer = cri.call(call, request, timeout_s=FAR_S)
                with pytest.raises(Unavailable, match="starting"):
                    await answer

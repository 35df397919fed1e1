"""Lists by streams, from a server that has them, lacks them, or fails in the middle."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc
import pytest
import pytest_asyncio

from podwright.agent.clock import SystemClock
from podwright.agent.metrics.runtime import RuntimeMetrics
from podwright.agent.runtime.client import ImagesClient, RuntimeClient
from podwright.agent.runtime.measured import MeasuredCriClient
from podwright.agent.runtime.streamed_lists import STREAMED
from podwright.cri.v1 import api_pb2 as api
from podwright.cri.v1 import api_pb2_grpc as stubs
from podwright.errors import Internal

CONTAINERS = [api.Container(id=name, pod_sandbox_id="s") for name in ("a", "b", "c")]


class Runtime(stubs.RuntimeServiceServicer):
    """Counts the calls by their names."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.filters: list[str] = []
        self.code: grpc.StatusCode | None = None  # which StreamContainers ends with, after its first part

    async def ListContainers(self, request: Any, context: Any) -> api.ListContainersResponse:  # noqa: N802
        self.calls.append("ListContainers")
        return api.ListContainersResponse(containers=CONTAINERS)

    async def StreamContainers(self, request: Any, context: Any) -> AsyncIterator[api.StreamContainersResponse]:  # noqa: N802
        self.calls.append("StreamContainers")
        self.filters.append(request.filter.pod_sandbox_id)
        if self.code is not grpc.StatusCode.UNIMPLEMENTED:
            yield api.StreamContainersResponse(containers=CONTAINERS[:2])
        if self.code is not None:
            await context.abort(self.code, "injected")
        yield api.StreamContainersResponse(containers=CONTAINERS[2:])

    async def ListPodSandboxStats(self, request: Any, context: Any) -> api.ListPodSandboxStatsResponse:  # noqa: N802
        self.calls.append("ListPodSandboxStats")
        return api.ListPodSandboxStatsResponse(stats=[api.PodSandboxStats()])

    async def StreamPodSandboxStats(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        self.calls.append("StreamPodSandboxStats")
        yield api.StreamPodSandboxStatsResponse(pod_sandbox_stats=[api.PodSandboxStats()])


class Images(stubs.ImageServiceServicer):
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def StreamImages(self, request: Any, context: Any) -> AsyncIterator[api.StreamImagesResponse]:  # noqa: N802
        self._runtime.calls.append("StreamImages")
        for name in ("x", "y"):
            yield api.StreamImagesResponse(images=[api.Image(id=name)])


class Node:
    """A runtime, and the agent's clients of it."""

    def __init__(self, endpoint: str, runtime: Runtime, *, streams_lists: bool) -> None:
        self.runtime = runtime
        self.metrics = RuntimeMetrics()
        self.cri = MeasuredCriClient(endpoint, self.metrics, SystemClock(), streams_lists=streams_lists)
        self.client = RuntimeClient(self.cri)
        self.images = ImagesClient(self.cri)

    async def containers(self) -> list[str]:
        answer = await self.cri.call(self.cri.runtime.ListContainers, api.ListContainersRequest())
        return [each.id for each in answer.containers]


@contextmanager
def socket_path() -> Iterator[Path]:
    with TemporaryDirectory(prefix="podwright-cri-") as directory:
        yield Path(directory) / "cri.sock"


async def serve(path: Path, *, streams_lists: bool) -> AsyncIterator[Node]:
    server, runtime = grpc.aio.server(), Runtime()  # type: ignore[abstract]
    stubs.add_RuntimeServiceServicer_to_server(runtime, server)
    stubs.add_ImageServiceServicer_to_server(Images(runtime), server)  # type: ignore[abstract]
    server.add_insecure_port(f"unix://{path}")
    await server.start()
    node = Node(f"unix://{path}", runtime, streams_lists=streams_lists)
    try:
        yield node
    finally:
        await node.cri.close()
        await server.stop(None)


@pytest_asyncio.fixture
async def node() -> AsyncIterator[Node]:
    with socket_path() as path:
        async for each in serve(path, streams_lists=True):
            yield each


@pytest_asyncio.fixture
async def plain() -> AsyncIterator[Node]:
    with socket_path() as path:
        async for each in serve(path, streams_lists=False):
            yield each


async def test_a_list_is_made_of_the_stream_s_parts(node: Node) -> None:
    assert await node.containers() == ["a", "b", "c"]
    assert await node.client.sandbox_stats() == [api.PodSandboxStats()]
    assert [each.id for each in await node.images.images()] == ["x", "y"]
    assert node.runtime.calls == ["StreamContainers", "StreamPodSandboxStats", "StreamImages"]


async def test_without_the_gate_nothing_is_streamed(plain: Node) -> None:
    assert await plain.containers() == ["a", "b", "c"]
    assert plain.runtime.calls == ["ListContainers"]


async def test_the_filter_is_passed_on(node: Node) -> None:
    chosen = api.ContainerFilter(pod_sandbox_id="s")
    await node.cri.call(node.cri.runtime.ListContainers, api.ListContainersRequest(filter=chosen))
    assert node.runtime.filters == ["s"]


async def test_a_runtime_without_streams_is_asked_for_lists(node: Node) -> None:
    """Also for those that it might stream, but not for those of the other service."""
    node.runtime.code = grpc.StatusCode.UNIMPLEMENTED
    assert await node.containers() == await node.containers() == ["a", "b", "c"]
    await node.client.sandbox_stats()
    await node.images.images()
    lists = ["ListContainers", "ListContainers", "ListPodSandboxStats"]
    assert node.runtime.calls == ["StreamContainers", *lists, "StreamImages"]


async def test_a_failure_in_the_middle_is_one_of_the_list(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    node.runtime.code = grpc.StatusCode.INTERNAL
    with pytest.raises(Internal, match="injected"):
        await node.containers()
    assert "items=2 error=StreamContainers recv failed: injected" in caplog.text
    node.runtime.code = None
    assert await node.containers() == ["a", "b", "c"]
    assert node.runtime.calls == ["StreamContainers", "StreamContainers"]


async def test_a_streamed_list_is_counted_as_a_list(node: Node) -> None:
    await node.containers()
    assert node.metrics.operations.value("list_containers") == 1


def test_every_list_names_what_its_messages_have() -> None:
    services = {"runtime": stubs.RuntimeServiceServicer, "images": stubs.ImageServiceServicer}
    for request, streamed in STREAMED.items():
        assert hasattr(services[streamed.service], streamed.rpc), streamed.rpc
        part = getattr(api, f"{streamed.rpc}Response").DESCRIPTOR.fields_by_name[streamed.part]
        items = streamed.answer.DESCRIPTOR.fields_by_name[streamed.items]
        assert part.message_type is items.message_type, streamed.rpc
        assert streamed.request.DESCRIPTOR.name == f"{streamed.rpc}Request"
        assert request.__name__.removesuffix("Request") == streamed.answer.DESCRIPTOR.name.removesuffix("Response")

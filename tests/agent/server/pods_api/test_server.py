"""The Pods API on its socket: what it lists, and what watchers hear in which order."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc
import pytest
import pytest_asyncio
from msgspec.structs import replace

from podwright.agent.metrics.instruments import Counter
from podwright.agent.server.pods_api.feed import BACKLOG, PodFeed
from podwright.agent.server.pods_api.server import PodsApiPorts, PodsApiServer
from podwright.agent.status.manager import VersionedStatus
from podwright.k8s.objects import Pod, PodStatus
from podwright.kubelet_grpc import pods_pb2, pods_pb2_grpc
from tests.agent.fakes.pods import pod
from tests.k8s.protobuf.documents import pod_of

ADDED, MODIFIED, DELETED = pods_pb2.ADDED, pods_pb2.MODIFIED, pods_pb2.DELETED


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def now_ns(self) -> int:
        return 0


class Node:
    """Its pods by UID, and the API over them."""

    def __init__(self, root: str) -> None:
        self.pods: dict[str, Pod] = {}
        self.clock = Clock()
        self.dropped = Counter("dropped", "Changes.")
        self.feed = PodFeed(self.pods.get, self.dropped)
        ports = PodsApiPorts(pods=lambda: list(self.pods.values()), feed=self.feed, clock=self.clock)
        self.server = PodsApiServer(root, ports)
        self.socket = Path(root) / "pods-api" / "pods-api.sock"

    def add(self, name: str, **metadata: Any) -> str:
        """A pod that a source wants."""
        made = pod(name)
        self.pods[made.metadata.uid] = replace(made, metadata=replace(made.metadata, **metadata))
        return made.metadata.uid

    def update(self, uid: str, phase: str, *, is_finished: bool = False) -> None:
        """The pod has a new status."""
        self.feed.changed(
            VersionedStatus(
                uid=uid,
                namespace="default",
                name=uid.removeprefix("uid-"),
                status=PodStatus(phase=phase),
                shown=PodStatus(phase=phase),
                version=1,
                is_finished=is_finished,
            )
        )


class Watcher:
    """A client that watches."""

    def __init__(self, stub: Any) -> None:
        self.call = stub.WatchPods(pods_pb2.WatchPodsRequest())

    async def next(self) -> tuple[int, dict[str, Any]]:
        event = await self.call.read()
        return event.type, pod_of(event.pod)

    async def synced(self) -> list[str]:
        """The UIDs that the watch begins with."""
        uids: list[str] = []
        while True:
            kind, document = await self.next()
            if kind == pods_pb2.INITIAL_SYNC_COMPLETE:
                assert document == {}
                return uids
            assert kind == ADDED
            uids.append(document["metadata"]["uid"])


@pytest_asyncio.fixture
async def node() -> AsyncIterator[Node]:
    with TemporaryDirectory(prefix="podwright-pods-") as root:
        made = Node(root)
        await made.server.start()
        try:
            yield made
        finally:
            await made.server.close()
        assert not made.socket.exists()


@pytest_asyncio.fixture
async def stub(node: Node) -> AsyncIterator[Any]:
    async with grpc.aio.insecure_channel(f"unix://{node.socket}") as channel:
        yield pods_pb2_grpc.PodsStub(channel)


async def test_the_socket_is_for_root_alone(node: Node) -> None:
    assert stat.S_IMODE(node.socket.stat().st_mode) == 0o600


async def test_list_and_get(node: Node, stub: Any) -> None:
    for name in ("web", "db"):
        node.add(name)
    listed = [pod_of(data) for data in (await stub.ListPods(pods_pb2.ListPodsRequest())).pods]
    assert [each["metadata"]["uid"] for each in listed] == ["uid-db", "uid-web"]
    got = await stub.GetPod(pods_pb2.GetPodRequest(podUID="uid-web"))
    assert pod_of(got.pod) == listed[1]
    assert listed[1]["spec"]["containers"][0]["name"] == "main"


async def test_a_pod_that_is_not_there(stub: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetPod(pods_pb2.GetPodRequest(podUID="uid-x"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == "pod with UID uid-x not found"


async def test_too_many_calls(node: Node, stub: Any) -> None:
    for _ in range(10):
        await stub.ListPods(pods_pb2.ListPodsRequest())
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ListPods(pods_pb2.ListPodsRequest())
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    node.clock.now = 1.0
    await stub.ListPods(pods_pb2.ListPodsRequest())


async def test_a_watch_begins_with_every_pod(node: Node, stub: Any) -> None:
    assert await Watcher(stub).synced() == []
    uids = [node.add(name) for name in ("web", "db")]
    assert await Watcher(stub).synced() == sorted(uids)


async def test_a_pods_life(node: Node, stub: Any) -> None:
    watcher = Watcher(stub)
    await watcher.synced()
    uid = node.add("web")
    node.update(uid, "Pending")
    kind, document = await watcher.next()
    assert (kind, document["metadata"]["uid"], document["status"]) == (ADDED, uid, {"phase": "Pending"})
    node.add("web", labels={"state": "changed"})
    node.update(uid, "Running")
    kind, document = await watcher.next()
    assert (kind, document["metadata"]["labels"]) == (MODIFIED, {"state": "changed"})
    assert document["status"] == {"phase": "Running"}
    node.update(uid, "Succeeded", is_finished=True)
    assert await watcher.next() == (
        DELETED,
        {"metadata": {"name": "web", "namespace": "default", "uid": uid}, "spec": {}},
    )


async def test_one_that_was_there_is_not_added_again(node: Node, stub: Any) -> None:
    uid = node.add("web")
    watcher = Watcher(stub)
    await watcher.synced()
    node.update(uid, "Running")
    assert (await watcher.next())[0] == MODIFIED


async def test_nothing_comes_after_the_end(node: Node, stub: Any) -> None:
    """A status that is forced again, as the API's object is still there, is no second end."""
    first, second = node.add("web"), node.add("db")
    watcher = Watcher(stub)
    await watcher.synced()
    for _ in range(2):
        node.update(first, "Succeeded", is_finished=True)
    node.update(second, "Running")
    heard = [await watcher.next(), await watcher.next()]
    assert [(kind, document["metadata"]["uid"]) for kind, document in heard] == [(DELETED, first), (MODIFIED, second)]


async def test_a_pod_that_no_source_wants_any_more_only_ends(node: Node, stub: Any) -> None:
    uid = node.add("web")
    watcher = Watcher(stub)
    await watcher.synced()
    del node.pods[uid]
    node.update(uid, "Running")
    node.update(uid, "Succeeded", is_finished=True)
    assert (await watcher.next())[0] == DELETED


async def test_watchers_that_are_too_slow_are_dropped(node: Node, stub: Any) -> None:
    first, second = Watcher(stub), Watcher(stub)
    uid = node.add("web")
    assert await first.synced() == await second.synced() == [uid]
    for _ in range(BACKLOG + 1):  # with no chance to read in between
        node.update(uid, "Running")
    assert node.dropped.value() == 2
    for watcher in (first, second):
        for _ in range(BACKLOG):
            assert (await watcher.next())[0] == MODIFIED
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await watcher.call.read()
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    fresh = Watcher(stub)
    assert await fresh.synced() == [uid]


async def test_one_that_cannot_be_encoded_is_an_error(node: Node, stub: Any) -> None:
    uid = node.add("web")
    node.pods[uid] = replace(node.pods[uid], spec=replace(node.pods[uid].spec, priority=2**31))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ListPods(pods_pb2.ListPodsRequest())
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "pod default/web cannot be encoded" in (caught.value.details() or "")

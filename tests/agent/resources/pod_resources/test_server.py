"""The pod-resources API on its socket: what containers have, what there is, and how often one may ask."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
import pytest
import pytest_asyncio
from google.protobuf.json_format import MessageToDict

from podwright.agent.metrics.pod_resources import PodResourcesMetrics
from podwright.agent.resources.devices.allotments import NO_NODE, Allotment
from podwright.agent.resources.devices.inventory import PluginDevice
from podwright.agent.resources.pod_resources.server import PodResourcesPorts, PodResourcesServer
from podwright.agent.resources.pod_resources.shares import ClaimedDevice, ClaimShare, MemoryShare, NoShares, Shares
from podwright.k8s.objects import Container, Pod
from podwright.kubelet_grpc import pod_resources_alpha_pb2 as alpha
from podwright.kubelet_grpc import pod_resources_alpha_pb2_grpc as alpha_stubs
from podwright.kubelet_grpc import pod_resources_pb2 as v1
from podwright.kubelet_grpc import pod_resources_pb2_grpc as v1_stubs
from tests.agent.fakes.pods import container, pod

SIDECAR = container("side", restart_policy="Always")


class Devices:
    def allotted_devices(self, uid: str, name: str) -> Mapping[str, Allotment]:
        if (uid, name) != ("uid-web", "main"):
            return {}
        found = Allotment(devices={NO_NODE: ("a",), 0: ("b",), 1: ("b",)}, answer=b"")
        return {"example.com/thing": found}

    def allocatable(self) -> Mapping[str, Sequence[PluginDevice]]:
        return {"example.com/thing": [PluginDevice(id="a"), PluginDevice(id="b", nodes=(0, 1))]}


class Cpus:
    def own(self, uid: str, name: str) -> Collection[int]:
        return {3, 2} if name == "main" else ()

    def allocatable(self) -> Collection[int]:
        return {1, 2, 3}


class Machine(NoShares):
    def allocatable_memory(self) -> Sequence[MemoryShare]:
        return (MemoryShare(kind="memory", size_bytes=1024, nodes=(0,)),)

    def claimed(self, pod: Pod, of: Container) -> Sequence[ClaimShare]:
        device = ClaimedDevice(driver="d.example", pool="p", device="x", cdi_names=("v/c=x",), share="s")
        return (ClaimShare(name="claim", namespace="default", devices=(device,)),) if of.name == "main" else ()


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def now_ns(self) -> int:
        return 0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def channel(clock: Clock) -> AsyncIterator[grpc.aio.Channel]:
    web = pod(containers=(container(), container("other")), init_containers=(container("init"), SIDECAR))
    pods = {"web": web, "idle": pod("idle")}
    machine = Machine()
    ports = PodResourcesPorts(
        active_pods=lambda: list(pods.values()),
        named=lambda namespace, name: pods.get(name) if namespace == "default" else None,
        shares=Shares(devices=Devices(), cpus=Cpus(), memory=machine, claims=machine),
        metrics=PodResourcesMetrics(),
        clock=clock,
    )
    with TemporaryDirectory(prefix="podwright-shares-") as root:
        server = PodResourcesServer(root, ports)
        await server.start()
        path = Path(root) / "pod-resources" / "kubelet.sock"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        async with grpc.aio.insecure_channel(f"unix://{path}") as channel:
            yield channel
        await server.close()
        await server.close()
        assert not path.exists()


MAIN = {
    "name": "main",
    "devices": [
        {"resource_name": "example.com/thing", "device_ids": ["a"]},
        {"resource_name": "example.com/thing", "device_ids": ["b"], "topology": {"nodes": [{}]}},
        {"resource_name": "example.com/thing", "device_ids": ["b"], "topology": {"nodes": [{"ID": "1"}]}},
    ],
    "cpu_ids": ["2", "3"],
    "dynamic_resources": [
        {
            "claim_name": "claim",
            "claim_namespace": "default",
            "claim_resources": [
                {
                    "cdi_devices": [{"name": "v/c=x"}],
                    "driver_name": "d.example",
                    "pool_name": "p",
                    "device_name": "x",
                    "share_id": "s",
                }
            ],
        }
    ],
}
WEB = {"name": "web", "namespace": "default", "containers": [{"name": "side"}, MAIN, {"name": "other"}]}


async def test_lists_every_pod_with_its_lasting_containers(channel: grpc.aio.Channel) -> None:
    found = await v1_stubs.PodResourcesListerStub(channel).List(v1.ListPodResourcesRequest())
    document = MessageToDict(found, preserving_proto_field_name=True)
    assert document["pod_resources"][0] == WEB
    assert [each["name"] for each in document["pod_resources"]] == ["web", "idle"]


async def test_gets_one_pod(channel: grpc.aio.Channel) -> None:
    stub = v1_stubs.PodResourcesListerStub(channel)
    found = await stub.Get(v1.GetPodResourcesRequest(pod_name="web", pod_namespace="default"))
    assert MessageToDict(found, preserving_proto_field_name=True) == {"pod_resources": WEB}
    with pytest.raises(grpc.aio.AioRpcError, match="pod web in namespace other not found"):
        await stub.Get(v1.GetPodResourcesRequest(pod_name="web", pod_namespace="other"))


async def test_tells_what_there_is(channel: grpc.aio.Channel) -> None:
    stub = v1_stubs.PodResourcesListerStub(channel)
    found = await stub.GetAllocatableResources(v1.AllocatableResourcesRequest())
    assert [list(each.device_ids) for each in found.devices] == [["a"], ["b"], ["b"]]
    assert list(found.cpu_ids) == [1, 2, 3]
    assert [(each.memory_type, each.size) for each in found.memory] == [("memory", 1024)]


async def test_old_monitors_see_devices(channel: grpc.aio.Channel) -> None:
    found = await alpha_stubs.PodResourcesListerStub(channel).List(alpha.ListPodResourcesRequest())
    (web, _) = found.pod_resources
    assert [each.name for each in web.containers] == ["main", "other"]
    assert [list(each.device_ids) for each in web.containers[0].devices] == [["a"], ["b"], ["b"]]


async def test_who_asks_too_often_is_turned_away(channel: grpc.aio.Channel, clock: Clock) -> None:
    clock.now = 1.0
    stub = v1_stubs.PodResourcesListerStub(channel)
    for _ in range(10):
        await stub.List(v1.ListPodResourcesRequest())
    with pytest.raises(grpc.aio.AioRpcError, match="rejected by rate limit") as caught:
        await stub.List(v1.ListPodResourcesRequest())
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    clock.now += 0.011
    await stub.List(v1.ListPodResourcesRequest())

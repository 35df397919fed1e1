"""What containers and pods use: the numbers that a kubelet evicts, ranks and scales by."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import WAIT_S, CasePod, RunPod
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition, NotFound

MIB = 1024 * 1024
POLL_S = 0.5  # rates and sizes of layers are kept for a while
BUSY = ("sh", "-c", "trap 'exit 0' TERM; echo ready; while :; do :; done")
HOLDING_8_MIB = ("sh", "-c", 'held=$(head -c 8388608 /dev/zero | tr "\\0" x); echo ready; while :; do sleep 0.1; done')
WRITING_3_FILES = ("sh", "-c", "mkdir /new; head -c 2097152 /dev/zero > /new/a; > /b; echo ready; exec sleep 1000")
UNKNOWN = "0123456789abcdef"


async def container_stats(cri: CriClient, container_id: str) -> api.ContainerStats:
    request = api.ContainerStatsRequest(container_id=container_id)
    return (await cri.call(cri.runtime.ContainerStats, request)).stats


async def list_containers(cri: CriClient, **wanted: object) -> list[api.ContainerStats]:
    request = api.ListContainerStatsRequest(filter=api.ContainerStatsFilter(**wanted))  # type: ignore[arg-type] # keywords
    return list((await cri.call(cri.runtime.ListContainerStats, request)).stats)


async def pod_stats(cri: CriClient, sandbox_id: str) -> api.PodSandboxStats:
    request = api.PodSandboxStatsRequest(pod_sandbox_id=sandbox_id)
    return (await cri.call(cri.runtime.PodSandboxStats, request)).stats


async def list_pods(cri: CriClient, **wanted: object) -> list[api.PodSandboxStats]:
    request = api.ListPodSandboxStatsRequest(filter=api.PodSandboxStatsFilter(**wanted))  # type: ignore[arg-type] # keywords
    return list((await cri.call(cri.runtime.ListPodSandboxStats, request)).stats)


def ids(found: list[api.ContainerStats] | list[api.PodSandboxStats]) -> list[str]:
    return sorted(stats.attributes.id for stats in found)


async def eventually(
    cri: CriClient, container_id: str, enough: Callable[[api.ContainerStats], bool]
) -> api.ContainerStats:
    """The container's stats once they satisfy `enough`."""
    async with asyncio.timeout(WAIT_S):
        while not enough(stats := await container_stats(cri, container_id)):  # noqa: ASYNC110 # as a kubelet polls
            await asyncio.sleep(POLL_S)
    return stats


@pytest_asyncio.fixture
async def running(pod: CasePod) -> AsyncIterator[str]:
    """A container that idles, with labels and annotations."""
    yield await pod.run_ready(labels={"tier": "front"}, annotations={"note": "x"})


@pytest.mark.deviates("cri-o", "no page faults on cgroup v1")
async def test_a_container_is_named_and_measured(pod: CasePod, running: str) -> None:
    before = time.time_ns()
    stats = await container_stats(pod.cri, running)
    assert stats.attributes.id == running
    assert stats.attributes.metadata.name == "c0"
    assert dict(stats.attributes.labels) == {"tier": "front"}
    assert dict(stats.attributes.annotations) == {"note": "x"}
    for timestamp in (stats.cpu.timestamp, stats.memory.timestamp):
        assert abs(timestamp - before) < WAIT_S * 1e9
    assert stats.cpu.usage_core_nano_seconds.value > 0
    assert 0 < stats.memory.working_set_bytes.value <= stats.memory.usage_bytes.value
    assert stats.memory.page_faults.value > 0


async def test_an_id_may_be_cut_short(pod: CasePod, running: str) -> None:
    assert (await container_stats(pod.cri, running[:20])).attributes.id == running


async def test_cpu_time_grows_and_has_a_rate(pod: CasePod) -> None:
    busy = await pod.run_ready(BUSY)
    first = await container_stats(pod.cri, busy)
    used_ns = first.cpu.usage_core_nano_seconds.value
    later = await eventually(pod.cri, busy, lambda stats: stats.cpu.usage_core_nano_seconds.value > used_ns)
    assert later.cpu.timestamp > first.cpu.timestamp
    rated = await eventually(pod.cri, busy, lambda stats: stats.cpu.usage_nano_cores.value > 0)
    assert rated.cpu.usage_nano_cores.value < 1000 * 10**9  # cores


async def test_memory_that_is_held(pod: CasePod) -> None:
    container_id = await pod.run_ready(HOLDING_8_MIB)
    memory = (await container_stats(pod.cri, container_id)).memory
    assert memory.rss_bytes.value > 8 * MIB
    assert memory.working_set_bytes.value > 8 * MIB


async def test_memory_below_a_limit_is_available(pod: CasePod) -> None:
    resources = api.LinuxContainerResources(memory_limit_in_bytes=64 * MIB)
    container_id = await pod.run_ready(linux=api.LinuxContainerConfig(resources=resources))
    memory = (await container_stats(pod.cri, container_id)).memory
    assert memory.available_bytes.value == 64 * MIB - memory.working_set_bytes.value


@pytest.mark.deviates("cri-o", "tells the huge number of cgroup v1")
async def test_no_limit_is_not_a_huge_number(pod: CasePod, running: str) -> None:
    assert (await container_stats(pod.cri, running)).memory.available_bytes.value == 0


@pytest.mark.deviates("cri-o", "names the layer, not its filesystem")
async def test_the_writable_layer(pod: CasePod) -> None:
    container_id = await pod.run_ready(WRITING_3_FILES)
    stats = await eventually(pod.cri, container_id, lambda stats: stats.writable_layer.used_bytes.value >= 2 * MIB)
    layer = stats.writable_layer
    assert layer.used_bytes.value < 4 * MIB
    assert 4 <= layer.inodes_used.value < 20
    assert layer.timestamp > 0
    info = await pod.cri.call(pod.cri.images.ImageFsInfo, api.ImageFsInfoRequest())
    mountpoints = {each.fs_id.mountpoint for each in (*info.container_filesystems, *info.image_filesystems)}
    assert layer.fs_id.mountpoint in mountpoints


@pytest.mark.deviates("cri-o", "tells zeros")
@pytest.mark.deviates("containerd", "answers UNKNOWN")
@pytest.mark.parametrize("started", [False, True], ids=["created", "exited"])
async def test_what_has_no_process_is_not_measured(pod: CasePod, started: bool) -> None:
    container_id = await pod.create(("true",))
    if started:
        await pod.start(container_id)
        await pod.exited(container_id)
    with pytest.raises(FailedPrecondition):
        await container_stats(pod.cri, container_id)
    assert await list_containers(pod.cri, id=container_id) == []


@pytest.mark.deviates("cri-o", "answers UNKNOWN")
async def test_an_unknown_container(cri_server: CriPeer) -> None:
    with pytest.raises(NotFound):
        await container_stats(cri_server.client, UNKNOWN)
    assert await list_containers(cri_server.client, id=UNKNOWN) == []
    assert await list_containers(cri_server.client, pod_sandbox_id=UNKNOWN) == []


async def test_filters_of_containers(pod: CasePod, running: str) -> None:
    other = await pod.run_ready(labels={"tier": "back", "more": "y"})
    listed = ids(await list_containers(pod.cri))
    assert {running, other} <= set(listed)
    assert ids(await list_containers(pod.cri, pod_sandbox_id=pod.id)) == sorted([running, other])
    assert ids(await list_containers(pod.cri, id=running)) == [running]
    assert ids(await list_containers(pod.cri, pod_sandbox_id=pod.id, label_selector={"tier": "back"})) == [other]
    assert ids(await list_containers(pod.cri, id=running, label_selector={"tier": "back"})) == []


@pytest.mark.deviates("cri-o", "1.36 ends with a fault of its own when a pod goes meanwhile", run=False)
@pytest.mark.deviates("containerd", "the list fails with the container that has gone")
async def test_a_list_survives_what_comes_and_goes(pod: CasePod, running: str) -> None:
    async def churn() -> None:
        for _ in range(5):
            container_id = await pod.run(("sleep", "1000"))
            await pod.stop(container_id, timeout=0)
            request = api.RemoveContainerRequest(container_id=container_id)
            await pod.cri.call(pod.cri.runtime.RemoveContainer, request)

    churning = asyncio.create_task(churn(), name="pods come and go")
    try:
        while not churning.done():
            assert running in ids(await list_containers(pod.cri, pod_sandbox_id=pod.id))
            await list_pods(pod.cri, id=pod.id)
    finally:
        await churning


@pytest.mark.deviates("cri-o", "cannot measure one on cgroup v1 without systemd")
async def test_a_pod_is_measured_with_its_containers(pod: CasePod, running: str) -> None:
    other = await pod.run_ready()
    stats = await pod_stats(pod.cri, pod.id)
    assert stats.attributes.id == pod.id
    assert stats.attributes.metadata == pod.config.metadata
    linux = stats.linux
    assert sorted(each.attributes.id for each in linux.containers) == sorted([running, other])
    assert linux.cpu.timestamp > 0
    assert linux.cpu.usage_core_nano_seconds.value > 0
    inside = sum(each.memory.working_set_bytes.value for each in linux.containers)
    assert linux.memory.timestamp > 0
    assert linux.memory.working_set_bytes.value >= inside / 2 > 0
    assert linux.process.timestamp > 0
    assert linux.process.process_count.value >= 2


@pytest.mark.deviates("cri-o", "tells lo for the default interface")
@pytest.mark.deviates("containerd", "1.6 does not say when it looked")
async def test_the_network_of_a_pod(pod: CasePod, running: str) -> None:
    before = (await pod_stats(pod.cri, pod.id)).linux.network
    assert before.default_interface.name == "eth0"
    assert "lo" not in {each.name for each in before.interfaces}
    await pod.exec(
        running,
        "sh",
        "-c",
        "gateway=$(ip route | sed -n 's/default via \\([^ ]*\\).*/\\1/p'); nc -w 1 $gateway 9 </dev/null",
    )
    after = (await pod_stats(pod.cri, pod.id)).linux.network
    assert after.timestamp > before.timestamp
    assert after.default_interface.tx_bytes.value > before.default_interface.tx_bytes.value


async def test_filters_of_pods(run_pod: RunPod) -> None:
    async with run_pod(labels={"app": "a"}) as first, run_pod(labels={"app": "b"}) as second:
        assert {first.id, second.id} <= set(ids(await list_pods(first.cri)))
        assert ids(await list_pods(first.cri, id=first.id)) == [first.id]
        assert ids(await list_pods(first.cri, label_selector={"app": "b"})) == [second.id]
        assert ids(await list_pods(first.cri, id=first.id, label_selector={"app": "b"})) == []


@pytest.mark.deviates("cri-o", "tells zeros")
@pytest.mark.deviates("containerd", "answers UNKNOWN or UNAVAILABLE")
async def test_a_stopped_pod_is_not_measured(run_pod: RunPod) -> None:
    async with run_pod() as pod:
        request = api.StopPodSandboxRequest(pod_sandbox_id=pod.id)
        await pod.cri.call(pod.cri.runtime.StopPodSandbox, request)
        with pytest.raises(FailedPrecondition):
            await pod_stats(pod.cri, pod.id)
        assert pod.id not in ids(await list_pods(pod.cri))


@pytest.mark.deviates("cri-o", "answers UNKNOWN")
async def test_an_unknown_pod(cri_server: CriPeer) -> None:
    with pytest.raises(NotFound):
        await pod_stats(cri_server.client, UNKNOWN)
    assert await list_pods(cri_server.client, id=UNKNOWN) == []


@pytest.mark.deviates("containerd", "1.6 came before the RPC")
async def test_streams_tell_what_lists_tell(pod: CasePod, running: str) -> None:
    cri = pod.cri
    containers = [
        stats
        async for message in cri.stream(
            cri.runtime.StreamContainerStats,
            api.StreamContainerStatsRequest(filter=api.ContainerStatsFilter(pod_sandbox_id=pod.id)),
        )
        for stats in message.container_stats
    ]
    assert ids(containers) == [running]
    assert containers[0].memory.working_set_bytes.value > 0
    pods = [
        stats
        async for message in cri.stream(
            cri.runtime.StreamPodSandboxStats,
            api.StreamPodSandboxStatsRequest(filter=api.PodSandboxStatsFilter(id=pod.id)),
        )
        for stats in message.pod_sandbox_stats
    ]
    assert ids(pods) == [pod.id]
    assert [each.attributes.id for each in pods[0].linux.containers] == [running]


@pytest.mark.deviates("containerd", "1.6 came before the RPC")
async def test_a_stream_of_nothing_has_no_message(cri_server: CriPeer) -> None:
    cri = cri_server.client
    containers = api.StreamContainerStatsRequest(filter=api.ContainerStatsFilter(id=UNKNOWN))
    assert [message async for message in cri.stream(cri.runtime.StreamContainerStats, containers)] == []
    pods = api.StreamPodSandboxStatsRequest(filter=api.PodSandboxStatsFilter(id=UNKNOWN))
    assert [message async for message in cri.stream(cri.runtime.StreamPodSandboxStats, pods)] == []


@pytest.mark.deviates("cri-o", "has none on cgroup v1")
@pytest.mark.deviates("containerd", "1.6 does not tell pressure")
async def test_pressure_where_the_kernel_tells_it(pod: CasePod, running: str) -> None:
    if not Path("/proc/pressure/cpu").exists():
        pytest.skip("this kernel does not measure pressure")
    stats = await container_stats(pod.cri, running)
    assert stats.cpu.HasField("psi")
    assert stats.memory.HasField("psi")
    assert stats.io.HasField("psi")
    assert stats.io.timestamp > 0

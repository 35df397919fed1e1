"""UpdateContainerResources and UpdatePodSandboxResources."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest

from podwright.conformance.cgroups import ContainerCgroup, cgroup_of
from podwright.conformance.messages import limited
from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import CasePod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition, InvalidArgument, NotFound, PodwrightError

MIB = 1024 * 1024
V1_UNLIMITED = 2**62  # v1 shows "no limit" as a number near 2**63
HOLD = ("sh", "-c", "x=$(yes | head -c 24000000); echo ready; while :; do sleep 1; done")  # a shell of 24 MB


async def _update(pod: CasePod, container_id: str, **fields: object) -> None:
    limits = api.LinuxContainerResources(**fields)  # type: ignore[arg-type] # keywords
    request = api.UpdateContainerResourcesRequest(container_id=container_id, linux=limits)
    await pod.cri.call(pod.cri.runtime.UpdateContainerResources, request)


async def _reported(pod: CasePod, container_id: str) -> api.LinuxContainerResources:
    return (await pod.status(container_id)).resources.linux


def _memory(files: ContainerCgroup) -> int:
    return int(files.read("memory", "memory.limit_in_bytes", "memory.max"))


def _is_unlimited(files: ContainerCgroup) -> bool:
    """Of memory and, where the host accounts for it, of swap."""
    texts = [files.read("memory", "memory.limit_in_bytes", "memory.max")]
    with contextlib.suppress(FileNotFoundError):
        texts.append(files.read("memory", "memory.memsw.limit_in_bytes", "memory.swap.max"))
    return all(text == "max" or int(text) > V1_UNLIMITED for text in texts)


async def test_limits_of_a_running_container(pod: CasePod) -> None:
    container_id = await pod.run(linux=limited(memory_limit_in_bytes=64 * MIB, cpu_shares=512))
    files = await cgroup_of(pod, container_id)
    await _update(pod, container_id, memory_limit_in_bytes=96 * MIB, cpu_quota=25000, cpu_period=100000)
    assert _memory(files) == 96 * MIB
    assert files.read("cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] == "25000"
    told = await _reported(pod, container_id)
    assert (told.memory_limit_in_bytes, told.cpu_quota, told.cpu_shares) == (96 * MIB, 25000, 512)
    await _update(pod, container_id, memory_limit_in_bytes=32 * MIB, cpuset_cpus="0")
    assert _memory(files) == 32 * MIB
    assert files.read("cpuset", "cpuset.cpus", "cpuset.cpus") == "0"
    assert files.read("cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] == "25000"
    await _update(pod, container_id, cpu_quota=-1)
    assert files.read("cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] in {"-1", "max"}


async def test_limits_of_a_container_that_is_not_started_yet(pod: CasePod) -> None:
    container_id = await pod.create(linux=limited(memory_limit_in_bytes=64 * MIB))
    await _update(pod, container_id, memory_limit_in_bytes=96 * MIB)
    assert (await _reported(pod, container_id)).memory_limit_in_bytes == 96 * MIB
    await pod.start(container_id)
    assert _memory(await cgroup_of(pod, container_id)) == 96 * MIB


@pytest.mark.parametrize("swap", [{}, {"memory_swap_limit_in_bytes": -1}], ids=["", "and swap"])
@pytest.mark.deviates("podwright-docker", "the Engine lifts no memory limit")
async def test_minus_one_lifts_the_memory_limit(pod: CasePod, swap: dict[str, int]) -> None:
    """Like quota and swap. OCI's runtime-spec says so of memory.limit."""
    container_id = await pod.run(linux=limited(memory_limit_in_bytes=64 * MIB))
    files = await cgroup_of(pod, container_id)
    assert not _is_unlimited(files)
    await _update(pod, container_id, memory_limit_in_bytes=-1, **swap)
    assert _is_unlimited(files)
    await _update(pod, container_id, memory_limit_in_bytes=48 * MIB)
    assert _memory(files) == 48 * MIB
    assert (await _reported(pod, container_id)).memory_limit_in_bytes == 48 * MIB


@pytest.mark.deviates("podwright-docker", "the Engine lifts no memory limit")
async def test_minus_one_lifts_it_before_the_start(pod: CasePod) -> None:
    container_id = await pod.create(linux=limited(memory_limit_in_bytes=64 * MIB))
    await _update(pod, container_id, memory_limit_in_bytes=-1)
    await pod.start(container_id)
    assert _is_unlimited(await cgroup_of(pod, container_id))


async def test_minus_one_from_the_start(pod: CasePod) -> None:
    assert _is_unlimited(await cgroup_of(pod, await pod.run(linux=limited(memory_limit_in_bytes=-1))))


@pytest.mark.deviates("cri-o", "leaves them as they are")
@pytest.mark.deviates("containerd", "1.6 leaves huge pages unlimited")
@pytest.mark.deviates("podwright-docker", "the Engine has no such limits")
async def test_huge_pages(pod: CasePod) -> None:
    container_id = await pod.run()
    files = await cgroup_of(pod, container_id)
    if not files.host.has("hugetlb"):
        pytest.skip("this host cannot limit huge pages")
    await _update(pod, container_id, hugepage_limits=[api.HugepageLimit(page_size="2MB", limit=8 * MIB)])
    assert files.read("hugetlb", "hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max") == str(8 * MIB)


async def test_swap_follows_memory(pod: CasePod) -> None:
    container_id = await pod.run(linux=limited(memory_limit_in_bytes=32 * MIB))
    await _update(pod, container_id, memory_limit_in_bytes=64 * MIB)
    files = await cgroup_of(pod, container_id)
    try:
        limit = int(files.read("memory", "memory.memsw.limit_in_bytes", "memory.swap.max"))
    except FileNotFoundError:
        pytest.skip("this host does not account for swap")
    assert limit in {0, 64 * MIB}


async def test_an_update_that_fails_changes_nothing(pod: CasePod) -> None:
    container_id = await pod.run(linux=limited(memory_limit_in_bytes=64 * MIB, cpu_quota=50000, cpu_period=100000))
    before = await _reported(pod, container_id)
    files = await cgroup_of(pod, container_id)
    with pytest.raises(PodwrightError):
        await _update(pod, container_id, memory_limit_in_bytes=96 * MIB, cpu_quota=25000, cpuset_cpus="4000")
    assert await _reported(pod, container_id) == before
    assert _memory(files) == 64 * MIB
    assert files.read("cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] == "50000"
    assert files.read("memory", "memory.limit_in_bytes", "memory.max") == str(64 * MIB)


@pytest.mark.deviates("cri-o", "answers UNKNOWN")
@pytest.mark.deviates("containerd", "leaves it to the kernel, which kills or refuses")
async def test_less_memory_than_is_held(pod: CasePod) -> None:
    container_id = await pod.run_ready(HOLD, linux=limited(memory_limit_in_bytes=256 * MIB))
    with pytest.raises(FailedPrecondition, match="uses"):
        await _update(pod, container_id, memory_limit_in_bytes=8 * MIB)
    assert (await _reported(pod, container_id)).memory_limit_in_bytes == 256 * MIB
    assert (await pod.status(container_id)).state == api.CONTAINER_RUNNING


@pytest.mark.deviates("cri-o", "answers UNKNOWN, and takes some of it")
@pytest.mark.deviates("containerd", "leaves them to the OCI runtime, which fails with UNKNOWN or not at all")
@pytest.mark.parametrize(
    "fields",
    [
        {"memory_limit_in_bytes": -5},
        {"memory_swap_limit_in_bytes": 8 * MIB},
        {"cpu_shares": -1},
        {"cpuset_cpus": "x"},
        {"oom_score_adj": 1001},
    ],
    ids=str,
)
async def test_impossible_limits(pod: CasePod, fields: dict[str, object]) -> None:
    container_id = await pod.create(linux=limited(memory_limit_in_bytes=64 * MIB))
    with pytest.raises(InvalidArgument):
        await _update(pod, container_id, **fields)


@pytest.mark.deviates("cri-o", "takes some of it")
@pytest.mark.deviates("containerd", "1.6 goes without, and answers UNKNOWN after the end")
async def test_refusals(pod: CasePod) -> None:
    running = await pod.run()
    with pytest.raises(InvalidArgument, match="linux"):
        await pod.cri.call(
            pod.cri.runtime.UpdateContainerResources, api.UpdateContainerResourcesRequest(container_id=running)
        )
    exited = await pod.run(("true",))
    await pod.exited(exited)
    with pytest.raises(FailedPrecondition):
        await _update(pod, exited, cpu_shares=100)


@pytest.mark.deviates("cri-o", "answers UNKNOWN")
async def test_an_unknown_container(pod: CasePod) -> None:
    with pytest.raises(NotFound):
        await _update(pod, "f" * 64, cpu_shares=100)


async def test_updates_at_once(pod: CasePod) -> None:
    container_id = await pod.run()
    files = await cgroup_of(pod, container_id)
    await asyncio.gather(*(_update(pod, container_id, memory_limit_in_bytes=n * MIB) for n in range(40, 50)))
    assert (await _reported(pod, container_id)).memory_limit_in_bytes == _memory(files)
    assert _memory(files) // MIB in range(40, 50)


@pytest.mark.deviates("cri-o", "does not tell them")
@pytest.mark.deviates("containerd", "1.6 came before the RPC")
async def test_a_pods_resources_are_noted(cri_server: CriPeer, pod: CasePod) -> None:
    cri = cri_server.client
    request = api.UpdatePodSandboxResourcesRequest(
        pod_sandbox_id=pod.id,
        overhead=api.LinuxContainerResources(cpu_shares=7),
        resources=api.LinuxContainerResources(memory_limit_in_bytes=99 * MIB),
    )
    await cri.call(cri.runtime.UpdatePodSandboxResources, request)
    status = api.PodSandboxStatusRequest(pod_sandbox_id=pod.id, verbose=True)
    info = json.loads((await cri.call(cri.runtime.PodSandboxStatus, status)).info["info"])
    assert "7" in json.dumps(info["overhead"])
    assert str(99 * MIB) in json.dumps(info["resources"])
    request.pod_sandbox_id = "f" * 64
    with pytest.raises(NotFound):
        await cri.call(cri.runtime.UpdatePodSandboxResources, request)

"""Limits and pauses when runtimes fail, processes have wishes of their own and daemons go."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from podwright.conformance.cgroups import cgroup_of
from podwright.conformance.pods import CasePod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import DeadlineExceeded, FailedPrecondition, PodwrightError, Unknown
from tests.faults.faulty import HANDLER, FaultyRuntime
from tests.faults.node import Node

pytestmark = [pytest.mark.root]

MIB = 1024 * 1024
COUNT = ("sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do echo $((n=n+1)); sleep 0.01; done")


def _linux(**fields: object) -> api.LinuxContainerConfig:
    return api.LinuxContainerConfig(resources=api.LinuxContainerResources(**fields))  # type: ignore[arg-type] # keywords


async def _update(pod: CasePod, container_id: str, **fields: object) -> None:
    limits = api.LinuxContainerResources(**fields)  # type: ignore[arg-type] # keywords
    request = api.UpdateContainerResourcesRequest(container_id=container_id, linux=limits)
    await pod.cri.call(pod.cri.runtime.UpdateContainerResources, request)


async def _pause(pod: CasePod, container_id: str) -> None:
    await pod.cri.call(pod.cri.runtime.PauseContainer, api.PauseContainerRequest(container_id=container_id))


async def _memory(pod: CasePod, container_id: str) -> int:
    files = await cgroup_of(pod, container_id)
    return int(files.read("memory", "memory.limit_in_bytes", "memory.max"))


async def _spec(pod: CasePod, container_id: str) -> dict[str, object]:
    request = api.ContainerStatusRequest(container_id=container_id, verbose=True)
    info = json.loads((await pod.cri.call(pod.cri.runtime.ContainerStatus, request)).info["info"])
    limits: dict[str, object] = info["runtimeSpec"]["linux"]["resources"]
    return limits


@pytest.mark.parametrize("handler", ["crun", "runc"])
async def test_every_limit_changes_through_every_runtime(node: Node, handler: str) -> None:
    pod = await node.pod(handler=handler)
    container = await pod.run(linux=_linux(memory_limit_in_bytes=64 * MIB, cpuset_cpus="0"))
    limits = {
        "cpu_shares": 300,
        "cpu_quota": 30000,
        "cpu_period": 60000,
        "memory_limit_in_bytes": 128 * MIB,
        "memory_swap_limit_in_bytes": 160 * MIB,
        "oom_score_adj": 700,
        "cpuset_cpus": "0-1",
        "cpuset_mems": "0",
        "hugepage_limits": [api.HugepageLimit(page_size="2MB", limit=6 * MIB)],
    }
    await _update(pod, container, **limits)
    files = await cgroup_of(pod, container)
    assert int(files.read("memory", "memory.limit_in_bytes", "memory.max")) == 128 * MIB
    assert int(files.read("memory", "memory.memsw.limit_in_bytes", "memory.swap.max")) in {160 * MIB, 32 * MIB}
    assert files.read("cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] == "30000"
    assert files.read("cpuset", "cpuset.cpus", "cpuset.cpus") == "0-1"
    assert int(files.read("hugetlb", "hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max")) == 6 * MIB
    assert Path(f"/proc/{files.pid}/oom_score_adj").read_text().strip() == "700"
    assert (await pod.status(container)).resources.linux == api.LinuxContainerResources(**limits)  # type: ignore[arg-type] # keywords
    await _update(pod, container, cpu_quota=-1)
    assert files.read("cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] in {"-1", "max"}


@pytest.mark.parametrize(
    ("fault", "error"),
    [("fail update", Unknown), ("hang update", DeadlineExceeded), ("hang after update", DeadlineExceeded)],
    ids=["fails", "hangs", "hangs when it is done"],
)
async def test_a_runtime_that_does_not_update(
    hasty_node: Node, faulty: FaultyRuntime, fault: str, error: type[PodwrightError]
) -> None:
    pod = await hasty_node.pod(handler=HANDLER)
    container = await pod.run(linux=_linux(memory_limit_in_bytes=64 * MIB, oom_score_adj=100))
    before, spec = await pod.status(container), await _spec(pod, container)
    faulty.commit(fault)
    with pytest.raises(error):
        await _update(pod, container, memory_limit_in_bytes=96 * MIB, oom_score_adj=200)
    assert await pod.status(container) == before
    assert await _spec(pod, container) == spec
    assert await _memory(pod, container) == 64 * MIB
    faulty.behave()
    await _update(pod, container, memory_limit_in_bytes=96 * MIB)
    assert await _memory(pod, container) == 96 * MIB


async def test_limits_outlive_the_daemon(node: Node) -> None:
    pod = await node.pod()
    running = await pod.run(linux=_linux(memory_limit_in_bytes=64 * MIB))
    created = await pod.create(linux=_linux(memory_limit_in_bytes=64 * MIB))
    for container in (running, created):
        await _update(pod, container, memory_limit_in_bytes=96 * MIB)
    pod_limits = api.UpdatePodSandboxResourcesRequest(
        pod_sandbox_id=pod.id, resources=api.LinuxContainerResources(cpu_shares=9)
    )
    await pod.cri.call(pod.cri.runtime.UpdatePodSandboxResources, pod_limits)
    await node.reborn()
    for container in (running, created):
        assert (await pod.status(container)).resources.linux.memory_limit_in_bytes == 96 * MIB
    await pod.start(created)
    for container in (running, created):
        assert await _memory(pod, container) == 96 * MIB
    request = api.PodSandboxStatusRequest(pod_sandbox_id=pod.id, verbose=True)
    info = json.loads((await node.cri.call(node.cri.runtime.PodSandboxStatus, request)).info["info"])
    assert info["resources"] == {"cpu_shares": 9}


async def test_processes_keep_the_oom_scores_that_they_chose(node: Node) -> None:
    pod = await node.pod()
    script = "echo 900 > /proc/self/oom_score_adj; echo ready; exec sleep 1000"
    container = await pod.run_ready(("sh", "-c", f"sh -c '{script}' & wait"), linux=_linux(oom_score_adj=100))
    await _update(pod, container, oom_score_adj=200)
    pid = (await cgroup_of(pod, container)).pid
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    scores = [Path(f"/proc/{number}/oom_score_adj").read_text().strip() for number in (pid, child)]
    assert scores == ["200", "900"]


@pytest.mark.parametrize("handler", ["crun", "runc"])
async def test_a_pause_outlives_the_daemon(node: Node, handler: str) -> None:
    pod = await node.pod(handler=handler)
    heard, removed = await pod.run_ready(COUNT), await pod.run_ready(COUNT)
    for container in (heard, removed):
        await _pause(pod, container)
    await node.reborn()
    with pytest.raises(FailedPrecondition, match="paused"):
        await pod.exec(heard, "true")
    await pod.stop(heard, timeout=30)
    assert (await pod.status(heard)).exit_code == 5
    await node.remove(pod)
    await node.audited()


async def test_pauses_and_stops_at_once(node: Node) -> None:
    pod = await node.pod()
    for _ in range(5):
        container = await pod.run_ready(COUNT)
        pauses = [asyncio.create_task(_pause(pod, container)) for _ in range(3)]
        await pod.stop(container, timeout=30)
        await asyncio.gather(*pauses, return_exceptions=True)
        assert (await pod.status(container)).exit_code == 5
    await node.emptied()


@pytest.mark.parametrize("handler", ["crun", "runc"])
async def test_every_runtime_lifts_the_memory_limit(node: Node, handler: str) -> None:
    pod = await node.pod(handler=handler)
    container = await pod.run(linux=_linux(memory_limit_in_bytes=64 * MIB, memory_swap_limit_in_bytes=80 * MIB))
    await _update(pod, container, memory_limit_in_bytes=-1)
    files = await cgroup_of(pod, container)
    text = files.read("memory", "memory.limit_in_bytes", "memory.max")
    assert text == "max" or int(text) > 2**62
    await node.emptied()

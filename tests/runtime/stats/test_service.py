"""The service in a real daemon: pods with a cgroup of their own, as a kubelet makes them, and pods that share one."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.agent.resources.limits import CgroupLimits
from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import CasePod, running_pod, sandbox_config
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.linux import cgroup
from tests.harness.cgroups import driver_of, names_in
from tests.harness.podwright import Podwright
from tests.harness.scratch import Part

pytestmark = pytest.mark.root

MIB = 1024 * 1024
PSI = Path("/proc/pressure/cpu").exists() and cgroup.detect().unified is not None


@pytest_asyncio.fixture
async def cri(podwright_server: Podwright) -> AsyncIterator[CriClient]:
    async with podwright_server.client() as client:
        yield client


@pytest.fixture
def peer(podwright_server: Podwright, cri: CriClient) -> CriPeer:
    return podwright_server.peer(cri)


@pytest.fixture
def part(podwright_server: Podwright) -> Part:
    return podwright_server.part


async def _pod_stats(pod: CasePod) -> api.LinuxPodSandboxStats:
    request = api.PodSandboxStatsRequest(pod_sandbox_id=pod.id)
    return (await pod.cri.call(pod.cri.runtime.PodSandboxStats, request)).stats.linux


@contextlib.asynccontextmanager
async def _kubelets_pod(peer: CriPeer, part: Part, image: str) -> AsyncIterator[tuple[CasePod, Path]]:
    """A pod in a cgroup that is made and limited before, and where its memory files are."""
    uid = str(uuid.uuid4())
    driver, names = driver_of(part), names_in(part)
    path = names.of_pod("Guaranteed", uid)
    directory = Path(cgroup.detect().directory(path, "memory") or "/none")
    try:
        await driver.make(path, CgroupLimits(memory_bytes=64 * MIB))
        linux = sandbox_config(peer).linux
        linux.cgroup_parent = path
        metadata = api.PodSandboxMetadata(name="own", uid=uid, namespace="stats")
        async with running_pod(peer, image, linux=linux, metadata=metadata) as pod:
            yield pod, directory
    finally:
        await driver.remove(names.kubepods)


async def test_a_cgroup_of_its_own_tells_of_the_pod(peer: CriPeer, part: Part, busybox_image: str) -> None:
    async with _kubelets_pod(peer, part, busybox_image) as (pod, _):
        assert (await _pod_stats(pod)).process.process_count.value == 0
        await pod.run_ready()
        await pod.run_ready()
        linux = await _pod_stats(pod)
        assert linux.process.process_count.value >= 2
        assert linux.memory.available_bytes.value == 64 * MIB - linux.memory.working_set_bytes.value
        assert linux.HasField("io") == linux.cpu.HasField("psi") == linux.memory.HasField("psi") == PSI
        inside = sum(each.cpu.usage_core_nano_seconds.value for each in linux.containers)
        assert linux.cpu.usage_core_nano_seconds.value >= inside > 0  # read after theirs, and it counts their starts


async def test_time_of_containers_that_are_gone_stays_the_pods(peer: CriPeer, part: Part, busybox_image: str) -> None:
    async with _kubelets_pod(peer, part, busybox_image) as (pod, _):
        container_id = await pod.run_ready()
        before = (await _pod_stats(pod)).cpu.usage_core_nano_seconds.value
        await pod.stop(container_id)
        after = await _pod_stats(pod)
        assert not after.containers
        assert after.cpu.usage_core_nano_seconds.value >= before > 0


async def test_a_parent_that_is_shared_tells_nothing_of_one_pod(peer: CriPeer, busybox_image: str) -> None:
    async with running_pod(peer, busybox_image) as first, running_pod(peer, busybox_image) as second:
        await first.run_ready()
        for _ in range(2):
            await second.run_ready()
        one, two = await _pod_stats(first), await _pod_stats(second)
        assert len(one.containers) == 1
        assert len(two.containers) == 2
        for linux in (one, two):
            used = sum(each.cpu.usage_core_nano_seconds.value for each in linux.containers)
            assert linux.cpu.usage_core_nano_seconds.value == used
            held = sum(each.memory.working_set_bytes.value for each in linux.containers)
            assert linux.memory.working_set_bytes.value == held
            assert not linux.cpu.HasField("psi")  # stalls of two do not add up
            assert linux.process.process_count.value >= len(linux.containers)


async def test_a_pod_in_the_daemons_care_owns_its_cgroup(peer: CriPeer, busybox_image: str) -> None:
    linux = sandbox_config(peer).linux
    linux.cgroup_parent = ""
    async with running_pod(peer, busybox_image, linux=linux) as pod:
        assert (await _pod_stats(pod)).cpu.usage_core_nano_seconds.value == 0
        await pod.run_ready()
        assert (await _pod_stats(pod)).HasField("io") == PSI


async def test_the_hosts_network_is_not_the_pods(peer: CriPeer, busybox_image: str) -> None:
    namespaces = api.NamespaceOption(pid=api.CONTAINER, network=api.NODE)
    async with running_pod(peer, busybox_image, namespaces=namespaces) as pod:
        await pod.run_ready()
        assert not (await _pod_stats(pod)).HasField("network")
        metrics = await pod.cri.call(pod.cri.runtime.ListPodSandboxMetrics, api.ListPodSandboxMetricsRequest())
        (own,) = [each for each in metrics.pod_metrics if each.pod_sandbox_id == pod.id]
        assert not own.metrics
        assert own.container_metrics


async def test_a_container_that_was_killed_is_no_error(peer: CriPeer, busybox_image: str) -> None:
    async with running_pod(peer, busybox_image) as pod:
        container_id = await pod.run(("sh", "-c", "kill -9 1; sleep 0.05"))
        wanted = api.ContainerStatsFilter(id=container_id)
        for _ in range(20):
            await pod.cri.call(pod.cri.runtime.ListContainerStats, api.ListContainerStatsRequest(filter=wanted))
            await _pod_stats(pod)
            await pod.cri.call(pod.cri.runtime.ListPodSandboxMetrics, api.ListPodSandboxMetricsRequest())
        await pod.exited(container_id)

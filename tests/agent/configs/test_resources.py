"""Requests and limits to CRI, and oom_score_adj."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.configs.cpu import cpu_quota_us, cpu_shares, cpu_weight
from podwright.agent.configs.huge_pages import page_size
from podwright.agent.configs.oom import oom_score_adj
from podwright.agent.configs.resources import container_resources, sandbox_overhead, sandbox_resources
from podwright.cri.v1 import api_pb2 as api
from podwright.k8s.objects import Container, Pod, ResourceRequirements
from tests.agent.configs.build import GIB, facts, settings
from tests.agent.fakes.pods import container, pod


def needs(requests: dict[str, str] | None = None, limits: dict[str, str] | None = None) -> ResourceRequirements:
    return ResourceRequirements(requests=requests or {}, limits=limits or {})


def of(
    requests: dict[str, str] | None = None, limits: dict[str, str] | None = None, name: str = "main", **fields: Any
) -> Container:
    return container(name, resources=needs(requests, limits), **fields)


def resources(which: Container, pods: Pod | None = None, **over: Any) -> api.LinuxContainerResources:
    node = {key: over.pop(key) for key in ("is_cgroup_v2", "has_swap_control", "swap_bytes") if key in over}
    return container_resources(pods or pod(containers=(which,)), which, facts(**node), settings(**over))


@pytest.mark.parametrize(
    ("milli", "shares", "quota"),
    [
        (0, 2, 0),
        (1, 2, 1000),
        (10, 10, 1000),
        (100, 102, 10_000),
        (1000, 1024, 100_000),
        (1500, 1536, 150_000),
        (10**9, 262144, 10**11),
    ],
)
def test_cpu(milli: int, shares: int, quota: int) -> None:
    assert (cpu_shares(milli), cpu_quota_us(milli)) == (shares, quota)


def test_cpu_weight() -> None:
    assert [cpu_weight(shares) for shares in (2, 1024, 262144, 300000)] == [1, 39, 10000, 10000]


@given(st.integers(0, 10**7))
def test_more_cpu_is_never_less_weight(milli: int) -> None:
    assert 1 <= cpu_weight(cpu_shares(milli)) <= cpu_weight(cpu_shares(milli + 1)) <= 10000


def test_requests_and_limits() -> None:
    found = resources(of({"cpu": "250m", "memory": "1Gi"}, {"cpu": "1", "memory": "2Gi"}))
    assert (found.cpu_shares, found.cpu_quota, found.cpu_period) == (256, 100_000, 100_000)
    assert found.memory_limit_in_bytes == 2 * GIB
    assert resources(of({}, {"cpu": "1"})).cpu_shares == 1024  # a missing request is the limit
    assert resources(of({"cpu": "0"}, {"cpu": "1"})).cpu_shares == 2
    nothing = resources(of())
    assert (nothing.cpu_shares, nothing.cpu_quota, nothing.memory_limit_in_bytes) == (2, 0, 0)


def test_cpu_limits_can_be_switched_off_and_have_another_period() -> None:
    which = of({}, {"cpu": "500m"})
    off = resources(which, cpu_period_us=None)
    assert (off.cpu_period, off.cpu_quota) == (0, 0)
    short = resources(which, cpu_period_us=10_000)
    assert (short.cpu_period, short.cpu_quota) == (10_000, 5_000)
    own = container_resources(pod(containers=(which,)), which, facts(), settings(), has_own_cpus=True)
    assert (own.cpu_period, own.cpu_quota) == (100_000, -1)


def test_missing_limits_are_the_pods() -> None:
    pods = pod(resources=needs({}, {"cpu": "2", "memory": "1Gi", "hugepages-2Mi": "4Mi"}))
    found = resources(of(), pods)
    assert (found.cpu_quota, found.memory_limit_in_bytes, found.cpu_shares) == (200_000, GIB, 2048)
    own = resources(of({}, {"cpu": "1", "hugepages-2Mi": "2Mi"}), pods)
    assert (own.cpu_quota, own.memory_limit_in_bytes) == (100_000, GIB)
    assert {limit.page_size: limit.limit for limit in found.hugepage_limits} == {"2MB": 4 << 20, "1GB": 0}
    assert {limit.page_size: limit.limit for limit in own.hugepage_limits} == {"2MB": 2 << 20, "1GB": 0}


def test_every_size_of_huge_pages_has_a_limit() -> None:
    assert {limit.page_size: limit.limit for limit in resources(of()).hugepage_limits} == {"2MB": 0, "1GB": 0}
    assert [page_size(f"hugepages-{size}") for size in ("2Mi", "1Gi", "64Ki", "32Mi")] == [
        "2MB",
        "1GB",
        "64KB",
        "32MB",
    ]


def test_whole_containers_are_killed_on_v2_alone() -> None:
    assert dict(resources(of(), is_cgroup_v2=True).unified) == {"memory.oom.group": "1"}
    assert not resources(of(), is_cgroup_v2=True, kill_whole_container=False).unified
    assert not resources(of()).unified


BURSTABLE = of({"memory": "1Gi"}, {"memory": "2Gi"})
SWAP = {"has_swap_control": True, "swap_bytes": 4 * GIB, "is_cgroup_v2": True, "swap_behavior": "LimitedSwap"}


@pytest.mark.parametrize(
    ("which", "spec", "over", "swap"),
    [
        (BURSTABLE, {}, {}, str(GIB // 2)),  # 1 of 8 GiB: an eighth of the swap
        (BURSTABLE, {}, {"swap_behavior": "NoSwap"}, "0"),
        (BURSTABLE, {}, {"swap_behavior": ""}, "0"),
        (BURSTABLE, {"priority": 2_000_000_000}, {}, "0"),
        (of({"memory": "1Gi", "cpu": "1"}, {"memory": "1Gi"}), {}, {}, "0"),
        (of(), {}, {}, "0"),
        (of({"memory": "9Gi"}), {}, {}, "0"),
        (BURSTABLE, {}, {"has_swap_control": False}, None),
    ],
)
def test_swap(which: Container, spec: dict[str, Any], over: dict[str, Any], swap: str | None) -> None:
    found = resources(which, pod(containers=(which,), **spec), **{**SWAP, **over})
    assert found.unified.get("memory.swap.max") == swap


def test_v1_counts_swap_with_memory() -> None:
    found = resources(BURSTABLE, has_swap_control=True)
    assert found.memory_swap_limit_in_bytes == found.memory_limit_in_bytes == 2 * GIB
    assert resources(BURSTABLE).memory_swap_limit_in_bytes == 0


SIDECAR = of({"memory": "1Gi"}, name="proxy", restart_policy="Always")
SMALL = of({"memory": "2Gi"}, name="small")


@pytest.mark.parametrize(
    ("pods", "which", "score"),
    [
        (pod(containers=(of({}, {"cpu": "1", "memory": "1Gi"}),)), of(), 999),  # requests are not defaulted here
        (pod(), of(), 1000),
        (pod(priority=2_000_001_000, priority_class_name="system-node-critical"), of(), -997),
        (pod(priority=2_000_000_000, priority_class_name="system-cluster-critical"), of(), 1000),
        (pod(containers=(of({"memory": "1Gi"}),)), of({"memory": "1Gi"}), 875),
        (pod(containers=(of({"memory": "1Gi"}),)), of({"memory": "8Gi"}), 3),
        (pod(containers=(of({"memory": "1Gi"}),)), of({"memory": "99Gi"}), 3),
        (pod(containers=(of({"cpu": "1"}),)), of({"cpu": "1"}), 999),
        (pod(containers=(of({"memory": "1"}),)), of({"memory": "1"}), 999),
        (pod(containers=(SMALL, of({"memory": "4Gi"})), init_containers=(SIDECAR,)), SIDECAR, 750),
        (pod(containers=(SMALL,), init_containers=(SIDECAR,)), SMALL, 750),
        # the pod requests 4 GiB, its container 2: the rest is shared by both containers
        (pod(containers=(SMALL, of()), resources=needs({"memory": "4Gi"})), SMALL, 625),
        (pod(containers=(SMALL, of()), resources=needs({"memory": "4Gi"})), of(), 875),
    ],
)
def test_oom_score_adj(pods: Pod, which: Container, score: int) -> None:
    assert oom_score_adj(pods, which, 8 * GIB) == score


def test_guaranteed_pods_are_the_last_to_be_killed() -> None:
    amounts = {"cpu": "1", "memory": "1Gi"}
    which = of(amounts, amounts)
    assert oom_score_adj(pod(containers=(which,)), which, 8 * GIB) == -997


def test_the_sandbox_has_all_without_overhead() -> None:
    pods = pod(
        containers=(
            of({"cpu": "1"}, {"cpu": "2", "memory": "1Gi"}),
            of({"cpu": "500m"}, {"cpu": "1", "memory": "1Gi"}),
        ),
        overhead={"cpu": "250m", "memory": "64Mi"},
    )
    found = sandbox_resources(pods, facts(), settings())
    assert (found.cpu_shares, found.cpu_quota, found.memory_limit_in_bytes) == (1536, 300_000, 2 * GIB)
    overhead = sandbox_overhead(pods, facts(), settings())
    assert (overhead.cpu_shares, overhead.cpu_quota, overhead.memory_limit_in_bytes) == (256, 25_000, 64 << 20)
    assert sandbox_overhead(pod(), facts(), settings()) == api.LinuxContainerResources()
    assert sandbox_resources(pod(), facts(), settings()).cpu_shares == 2

"""The families that are looked at when they are asked for, and those that wrap what is timed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from podwright.agent.config.gates import enabled
from podwright.agent.configs.memory_qos import MemoryQos
from podwright.agent.metrics.calls import CallMetrics
from podwright.agent.metrics.images import ImageMetrics
from podwright.agent.metrics.instruments import Counter as CounterMetric
from podwright.agent.metrics.instruments import Gauge, Histogram
from podwright.agent.metrics.prometheus import Family, exposition
from podwright.agent.resources.limits import CgroupLimits
from podwright.agent.resources.measured import MeasuredDriver
from podwright.agent.server.metrics import NodeView, node_families
from podwright.agent.volumes.plugins.registry import plugin_name
from podwright.agent.workers.pool import KnownPod
from podwright.agent.workers.record import WorkState
from podwright.k8s.client.calls import NO_ANSWER, ApiCall
from podwright.k8s.objects import (
    ConfigMapVolumeSource,
    DownwardAPIVolumeSource,
    PersistentVolumeClaimVolumeSource,
    Pod,
    PodStatus,
    ResourceRequirements,
    Volume,
)
from tests.agent.fakes.pods import container, pod
from tests.agent.fakes.statuses import condition
from tests.agent.fakes.time import VirtualClock, run_virtual


def lines(families: Iterable[Family]) -> list[str]:
    return exposition(families).decode().splitlines()


def known(state: WorkState, *, orphan: bool = False, static: bool = False, has_config: bool = True) -> KnownPod:
    return KnownPod(state=state, orphan=orphan, static=static, has_config=has_config)


def view() -> NodeView:
    resizing = (condition("PodResizePending", reason="Deferred"), condition("PodResizeInProgress"))
    return NodeView(
        name="node-a",
        observed=(),
        wanted=[pod()],
        active=[pod()],
        mirrors=[],
        known=[
            known(WorkState.SYNC),
            known(WorkState.SYNC),
            known(WorkState.TERMINATING, orphan=True, static=True),
            known(WorkState.TERMINATING, orphan=True, has_config=False),
        ],
        statuses=[PodStatus(conditions=resizing), PodStatus()],
        volumes=(Counter({"kubernetes.io/configmap": 2}), Counter({"kubernetes.io/configmap": 1})),
        gates=enabled({}),
        memory_qos=None,
        cgroup_version=1,
        seen_at_s=1234.5,
    )


@pytest.mark.parametrize(
    "line",
    [
        'kubelet_working_pods{config="desired",lifecycle="sync",static=""} 2',
        'kubelet_working_pods{config="orphan",lifecycle="terminating",static="true"} 1',
        'kubelet_working_pods{config="runtime_only",lifecycle="terminating",static="unknown"} 1',
        'kubelet_working_pods{config="desired",lifecycle="terminated",static="true"} 0',
        "kubelet_managed_ephemeral_containers 0",
        "kubelet_pod_in_progress_resizes 1",
        'kubelet_pod_pending_resizes{reason="deferred"} 1',
        "kubelet_pleg_last_seen_seconds 1234.5",
        'volume_manager_total_volumes{plugin_name="kubernetes.io/configmap",state="desired_state_of_world"} 2',
        'volume_manager_total_volumes{plugin_name="kubernetes.io/configmap",state="actual_state_of_world"} 1',
        "kubelet_cgroup_version 1",
        'kubernetes_feature_enabled{name="AllAlpha",stage="ALPHA"} 0',
    ],
)
def test_the_node_as_it_is(line: str) -> None:
    assert line in lines(node_families(view()))


def requesting(name: str, request: str, limit: str = "") -> Pod:
    limits = {"cpu": "1", "memory": limit} if limit else {}
    wanted = ResourceRequirements(requests={"cpu": "1", "memory": request}, limits=limits)
    return pod(name, containers=(container(resources=wanted),))


@pytest.mark.parametrize(
    ("rules", "cgroup_version", "shown"),
    [
        (None, 2, []),
        (MemoryQos(is_tiered=True), 2, ["min_bytes 3145728", "low_bytes 1048576"]),
        (MemoryQos(is_tiered=True), 1, ["min_bytes 0", "low_bytes 0"]),
        (MemoryQos(), 2, ["min_bytes 0", "low_bytes 0"]),
    ],
    ids=["off", "tiered", "cgroup v1", "not tiered"],
)
def test_memory_that_is_kept_for_pods(rules: MemoryQos | None, cgroup_version: int, shown: list[str]) -> None:
    active = [requesting("sure", "3Mi", "3Mi"), requesting("usual", "1Mi"), pod("least")]
    node = replace(view(), active=active, memory_qos=rules, cgroup_version=cgroup_version)
    start = "kubelet_memory_qos_node_memory_"
    assert [line.removeprefix(start) for line in lines(node_families(node)) if line.startswith(start)] == shown


@pytest.mark.parametrize(
    "line",
    [
        'rest_client_requests_total{code="201",host="api:6443",method="POST"} 1',
        'rest_client_request_duration_seconds_sum{host="api:6443",verb="POST"} 0.5',
        'rest_client_request_size_bytes_bucket{host="api:6443",verb="POST",le="64"} 0',
        'rest_client_request_size_bytes_bucket{host="api:6443",verb="POST",le="256"} 1',
        'rest_client_response_size_bytes_sum{host="api:6443",verb="POST"} 4096',
        'rest_client_response_size_bytes_count{host="api:6443",verb="POST"} 1',
        'rest_client_rate_limiter_duration_seconds_sum{host="api:6443",verb="POST"} 2',
        'rest_client_request_retries_total{code="429",host="api:6443",verb="POST"} 1',
    ],
)
def test_calls_to_the_api_server(line: str) -> None:
    metrics = CallMetrics()
    call = ApiCall(host="api:6443", method="POST", code="201", seconds=0.5, sent_bytes=100, received_bytes=4096)
    metrics.called(call)
    metrics.called(replace(call, code=NO_ANSWER, method="GET", received_bytes=None))
    metrics.waited("api:6443", "POST", 2.0)
    metrics.repeated("api:6443", "POST", "429")
    shown = lines(metrics.families())
    assert line in shown
    assert 'rest_client_requests_total{code="<error>",host="api:6443",method="GET"} 1' in shown
    assert not [each for each in shown if each.startswith("rest_client_response") and "GET" in each]


def test_a_family_without_labels_is_there_before_it_counts_and_one_with_labels_is_not() -> None:
    assert [len(lines(kind("n", "t").families())) for kind in (CounterMetric, Gauge)] == [3, 3]
    assert len(lines(Histogram("n", "t", buckets=(1.0,)).families())) == 6
    for kind in (CounterMetric, Gauge, Histogram):
        assert lines(kind("n", "t", ("label",)).families()) == []


@pytest.mark.parametrize(
    ("size_bytes", "bucket"),
    [(0, "N/A"), (1, "0-10MB"), (10 << 20, "0-10MB"), ((10 << 20) + 1, "10MB-100MB"), (1 << 40, "GT100GB")],
)
def test_pulls_are_counted_by_size(size_bytes: int, bucket: str) -> None:
    metrics = ImageMetrics()
    metrics.pulled(size_bytes, 2.0)
    assert metrics.pulls.count(bucket) == 1


@pytest.mark.parametrize(
    ("volume", "name"),
    [
        (Volume(name="v"), "kubernetes.io/empty-dir"),
        (Volume(name="v", config_map=ConfigMapVolumeSource(name="c")), "kubernetes.io/configmap"),
        (Volume(name="v", downward_api=DownwardAPIVolumeSource()), "kubernetes.io/downward-api"),
        (
            Volume(name="v", persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name="c")),
            "kubernetes.io/persistent-claim",
        ),
    ],
)
def test_the_names_of_volume_plugins(volume: Volume, name: str) -> None:
    assert plugin_name(volume) == name


class SlowDriver:
    """Makes in two seconds, and cannot limit."""

    async def make(self, path: str, limits: CgroupLimits) -> None:
        await asyncio.sleep(2)

    async def limit(self, path: str, limits: CgroupLimits) -> None:
        raise OSError("no")

    async def remove(self, path: str) -> None:
        return None


def test_cgroup_operations_are_timed_even_when_they_fail() -> None:
    async def check() -> None:
        durations = Histogram("d", "t", ("operation_type",))
        driver = MeasuredDriver(SlowDriver(), durations, VirtualClock())
        await driver.make("/a", CgroupLimits())
        with pytest.raises(OSError, match="no"):
            await driver.limit("/a", CgroupLimits())
        await driver.remove("/a")
        assert [durations.count(kind) for kind in ("create", "update", "destroy")] == [1, 1, 1]
        shown = lines(durations.families())
        assert 'd_bucket{operation_type="create",le="1"} 0' in shown
        assert 'd_bucket{operation_type="create",le="2.5"} 1' in shown

    run_virtual(check())

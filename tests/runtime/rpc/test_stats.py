"""Measurements on the wire: what is known, what is not, and numbers at their limits."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.cri.v1 import api_pb2 as api
from podwright.linux.pressure import Stalls, StallTimes
from podwright.runtime.model.usage import (
    UINT64_MAX,
    ContainerDetails,
    ContainerStats,
    LayerUsage,
    MemoryUsage,
    SandboxStats,
    SwapUsage,
    Usage,
)
from podwright.runtime.rpc import convert_stats
from podwright.runtime.rpc.stats import PORTION, portions
from podwright.runtime.stats import metrics
from podwright.runtime.stats.descriptors import DESCRIPTORS
from tests.runtime.stats.records import CONTAINER, SANDBOX, UID, container, interface, sandbox

numbers = st.integers(0, UINT64_MAX)
maybe = st.none() | numbers
psi_data = st.builds(
    StallTimes, total_ns=numbers, avg10=st.floats(0, 100), avg60=st.floats(0, 100), avg300=st.floats(0, 100)
)
psi = st.none() | st.builds(Stalls, full=psi_data, some=psi_data)
memory = st.builds(
    MemoryUsage,
    usage_bytes=numbers,
    working_set_bytes=numbers,
    rss_bytes=numbers,
    page_faults=numbers,
    major_page_faults=numbers,
    limit_bytes=maybe,
)
usages = st.builds(
    Usage,
    timestamp=st.integers(1, 2**62),
    cpu_ns=maybe,
    nano_cores=maybe,
    cpu_psi=psi,
    memory=st.none() | memory,
    memory_psi=psi,
    swap=st.none() | st.builds(SwapUsage, usage_bytes=numbers, available_bytes=maybe),
    io_psi=psi,
)
layers = st.builds(LayerUsage, used_bytes=numbers, inodes=numbers, timestamp=st.integers(1, 2**62))


@given(usages, st.none() | layers)
def test_a_container(usage: Usage, layer: LayerUsage | None) -> None:
    stats = ContainerStats(container=container(), usage=usage, layer=layer, layer_mountpoint="/m")
    message = api.ContainerStats.FromString(convert_stats.container(stats).SerializeToString())
    assert message.attributes.id == CONTAINER
    assert message.attributes.metadata == api.ContainerMetadata(name="main", attempt=2)
    assert dict(message.attributes.labels) == {"tier": "front"}
    assert dict(message.attributes.annotations) == {"note": "y"}
    assert message.HasField("cpu") == (usage.cpu_ns is not None)
    if usage.cpu_ns is not None:
        assert message.cpu.usage_core_nano_seconds.value == usage.cpu_ns
        assert message.cpu.HasField("usage_nano_cores") == (usage.nano_cores is not None)
        assert message.cpu.HasField("psi") == (usage.cpu_psi is not None)
        assert message.cpu.timestamp == usage.timestamp
    assert message.HasField("memory") == (usage.memory is not None)
    if usage.memory is not None:
        assert message.memory.working_set_bytes.value == usage.memory.working_set_bytes
        assert message.memory.HasField("available_bytes") == (usage.memory.limit_bytes is not None)
        assert message.memory.timestamp == usage.timestamp
    assert message.HasField("swap") == (usage.swap is not None)
    assert message.HasField("io") == (usage.io_psi is not None)
    if usage.io_psi is not None:
        assert message.io.psi.Some.Total == usage.io_psi.some.total_ns
        assert math.isclose(message.io.psi.Full.Avg10, usage.io_psi.full.avg10)
    assert message.HasField("writable_layer") == (layer is not None)
    if layer is not None:
        assert message.writable_layer.used_bytes.value == layer.used_bytes
        assert message.writable_layer.inodes_used.value == layer.inodes
        assert message.writable_layer.fs_id.mountpoint == "/m"
        assert message.writable_layer.timestamp == layer.timestamp


def _sandbox_stats(*interfaces: str) -> SandboxStats:
    return SandboxStats(
        sandbox=sandbox(),
        usage=Usage(timestamp=7, cpu_ns=1),
        process_count=4,
        interfaces=tuple(interface(name) for name in interfaces),
        containers=(ContainerStats(container=container(), usage=Usage(timestamp=6, cpu_ns=1)),),
    )


def test_a_sandbox() -> None:
    message = convert_stats.sandbox(_sandbox_stats("eth0", "net1"))
    assert message.attributes.id == SANDBOX
    assert message.attributes.metadata == api.PodSandboxMetadata(name="web", namespace="prod", uid=UID)
    assert dict(message.attributes.labels) == {"app": "web"}
    linux = message.linux
    assert linux.network.default_interface == api.NetworkInterfaceUsage(
        name="eth0",
        rx_bytes=api.UInt64Value(value=3),
        tx_bytes=api.UInt64Value(value=4),
        rx_errors=api.UInt64Value(value=5),
        tx_errors=api.UInt64Value(value=6),
    )
    assert [each.name for each in linux.network.interfaces] == ["net1"]
    assert linux.process.process_count.value == 4
    assert [each.attributes.id for each in linux.containers] == [CONTAINER]
    assert linux.process.timestamp == linux.network.timestamp == linux.cpu.timestamp == 7


def test_a_sandbox_without_the_default_interface() -> None:
    network = convert_stats.sandbox(_sandbox_stats("net1", "net2")).linux.network
    assert network.default_interface.name == "net1"
    assert [each.name for each in network.interfaces] == ["net2"]


def test_a_sandbox_without_interfaces() -> None:
    assert not convert_stats.sandbox(_sandbox_stats()).linux.HasField("network")


def test_a_sandbox_on_the_hosts_network() -> None:
    stats = SandboxStats(sandbox=sandbox(), usage=Usage(timestamp=7), process_count=0)
    assert not convert_stats.sandbox(stats).linux.HasField("network")


def test_metrics() -> None:
    stats = _sandbox_stats("eth0", "net1")
    details = [ContainerDetails(stats=stats.containers[0])]
    message = convert_stats.metrics(metrics.of_sandbox(stats, details, lambda *_: "x"))
    assert message.pod_sandbox_id == SANDBOX
    assert {each.label_values[-1] for each in message.metrics} == {"eth0", "net1"}
    (inside,) = message.container_metrics
    assert inside.container_id == CONTAINER
    described = {each.name: each for each in map(convert_stats.descriptor, DESCRIPTORS.values())}
    for metric in (*message.metrics, *inside.metrics):
        assert len(metric.label_values) == len(described[metric.name].label_keys)
        assert metric.metric_type == (api.COUNTER if metric.name.endswith("_total") else api.GAUGE)
        assert described[metric.name].help


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        ({}, True),
        ({"id": CONTAINER}, True),
        ({"id": "cc"}, True),
        ({"id": "d"}, False),
        ({"pod_sandbox_id": "555"}, True),
        ({"pod_sandbox_id": "6"}, False),
        ({"label_selector": {"tier": "front"}}, True),
        ({"label_selector": {"tier": "back"}}, False),
        ({"id": "cc", "label_selector": {"more": "x", "tier": "front"}}, False),
    ],
)
def test_filters(wanted: dict[str, object], matches: bool) -> None:
    message = api.ContainerStatsFilter(**wanted)  # type: ignore[arg-type] # keywords of a test
    assert convert_stats.container_matches(container(), message) is matches


def test_sandbox_filters() -> None:
    assert convert_stats.sandbox_matches(sandbox(), api.PodSandboxStatsFilter())
    assert convert_stats.sandbox_matches(sandbox(), api.PodSandboxStatsFilter(id="5", label_selector={"app": "web"}))
    assert not convert_stats.sandbox_matches(sandbox(), api.PodSandboxStatsFilter(label_selector={"app": "db"}))


@pytest.mark.parametrize("count", [0, 1, PORTION, PORTION + 1, 3 * PORTION])
def test_portions(count: int) -> None:
    found = list(portions(range(count)))
    assert [number for portion in found for number in portion] == list(range(count))
    assert all(0 < len(portion) <= PORTION for portion in found)

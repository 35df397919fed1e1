"""The metrics that take the place of a kubelet's own cAdvisor."""

from __future__ import annotations

import pytest

from podwright.conformance.pods import CasePod
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api

pytestmark = pytest.mark.deviates("containerd", "1.6 came before the RPCs")

MIB = 1024 * 1024
EXPECTED = {
    "container_blkio_device_usage_total",
    "container_cpu_cfs_periods_total",
    "container_cpu_cfs_throttled_periods_total",
    "container_cpu_cfs_throttled_seconds_total",
    "container_cpu_system_seconds_total",
    "container_cpu_usage_seconds_total",
    "container_cpu_user_seconds_total",
    "container_file_descriptors",
    "container_fs_inodes_free",
    "container_fs_inodes_total",
    "container_fs_limit_bytes",
    "container_fs_reads_bytes_total",
    "container_fs_reads_total",
    "container_fs_usage_bytes",
    "container_fs_writes_bytes_total",
    "container_fs_writes_total",
    "container_hugetlb_max_usage_bytes",
    "container_hugetlb_usage_bytes",
    "container_last_seen",
    "container_memory_cache",
    "container_memory_failcnt",
    "container_memory_failures_total",
    "container_memory_kernel_usage",
    "container_memory_mapped_file",
    "container_memory_max_usage_bytes",
    "container_memory_rss",
    "container_memory_swap",
    "container_memory_usage_bytes",
    "container_memory_working_set_bytes",
    "container_network_receive_bytes_total",
    "container_network_receive_errors_total",
    "container_network_receive_packets_dropped_total",
    "container_network_receive_packets_total",
    "container_network_transmit_bytes_total",
    "container_network_transmit_errors_total",
    "container_network_transmit_packets_dropped_total",
    "container_network_transmit_packets_total",
    "container_oom_events_total",
    "container_pressure_cpu_stalled_seconds_total",
    "container_pressure_cpu_waiting_seconds_total",
    "container_pressure_io_stalled_seconds_total",
    "container_pressure_io_waiting_seconds_total",
    "container_pressure_memory_stalled_seconds_total",
    "container_pressure_memory_waiting_seconds_total",
    "container_processes",
    "container_sockets",
    "container_spec_cpu_period",
    "container_spec_cpu_quota",
    "container_spec_cpu_shares",
    "container_spec_memory_limit_bytes",
    "container_spec_memory_reservation_limit_bytes",
    "container_spec_memory_swap_limit_bytes",
    "container_start_time_seconds",
    "container_threads",
    "container_threads_max",
    "container_ulimits_soft",
}
MAY_BE_ABSENT = (
    "container_blkio_",
    "container_fs_reads_",
    "container_fs_writes_",
    "container_hugetlb_",
    "container_pressure_",
)
LIMITS = api.LinuxContainerResources(
    cpu_period=100000,
    cpu_quota=20000,
    cpu_shares=1024,
    memory_limit_in_bytes=64 * MIB,
)


async def descriptors(cri: CriClient) -> dict[str, api.MetricDescriptor]:
    response = await cri.call(cri.runtime.ListMetricDescriptors, api.ListMetricDescriptorsRequest())
    found = {each.name: each for each in response.descriptors}
    assert len(found) == len(response.descriptors)
    return found


async def pod_metrics(cri: CriClient) -> dict[str, api.PodSandboxMetrics]:
    response = await cri.call(cri.runtime.ListPodSandboxMetrics, api.ListPodSandboxMetricsRequest())
    return {each.pod_sandbox_id: each for each in response.pod_metrics}


@pytest.mark.deviates("cri-o", "has fewer unless it is configured to, and none of pressure")
async def test_every_metric_is_described(pod: CasePod) -> None:
    found = await descriptors(pod.cri)
    assert set(found) >= EXPECTED
    for each in found.values():
        assert each.help
        assert {"pod", "namespace", "container", "id", "image"} <= set(each.label_keys)


def is_counter(name: str) -> bool:
    """As cAdvisor has it: the name says so, with two exceptions."""
    return name == "container_memory_failcnt" or (name.endswith("_total") and name != "container_fs_inodes_total")


@pytest.mark.deviates("cri-o", "as above")
async def test_a_running_container_has_them_all(pod: CasePod) -> None:
    container_id = await pod.run_ready(linux=api.LinuxContainerConfig(resources=LIMITS))
    described, metrics = await descriptors(pod.cri), (await pod_metrics(pod.cri))[pod.id]
    (inside,) = metrics.container_metrics
    assert inside.container_id == container_id
    samples = [*metrics.metrics, *inside.metrics]
    for sample in samples:
        assert len(sample.label_values) == len(described[sample.name].label_keys)
        assert (sample.metric_type == api.COUNTER) == is_counter(sample.name)
        labels = dict(zip(described[sample.name].label_keys, sample.label_values, strict=True))
        assert (labels["pod"], labels["namespace"]) == (pod.config.metadata.name, pod.config.metadata.namespace)
    missing = EXPECTED - {sample.name for sample in samples}
    assert [name for name in missing if not name.startswith(MAY_BE_ABSENT)] == []


async def test_no_sample_comes_twice(pod: CasePod) -> None:
    """Twice the same name and labels, and a kubelet serves no metrics at all."""
    for _ in range(2):
        await pod.run_ready()
    seen = [
        (sample.name, *sample.label_values)
        for metrics in (await pod_metrics(pod.cri)).values()
        for samples in (metrics.metrics, *(inside.metrics for inside in metrics.container_metrics))
        for sample in samples
    ]
    assert len(seen) == len(set(seen))


@pytest.mark.deviates("cri-o", "as above")
async def test_values_are_the_containers(pod: CasePod) -> None:
    await pod.run_ready(linux=api.LinuxContainerConfig(resources=LIMITS))
    (inside,) = (await pod_metrics(pod.cri))[pod.id].container_metrics
    values = {sample.name: sample.value.value for sample in inside.metrics}
    assert values["container_spec_memory_limit_bytes"] == 64 * MIB
    assert values["container_spec_cpu_quota"] == 20000
    assert values["container_spec_cpu_shares"] == 1024
    assert 0 < values["container_memory_working_set_bytes"] <= 64 * MIB
    assert values["container_processes"] >= 1
    assert values["container_file_descriptors"] > 0
    assert values["container_start_time_seconds"] <= values["container_last_seen"]
    assert 0 < values["container_fs_inodes_free"] <= values["container_fs_inodes_total"]


async def test_the_stream_tells_what_the_list_tells(pod: CasePod) -> None:
    container_id = await pod.run_ready()
    cri = pod.cri
    found = {
        metrics.pod_sandbox_id: metrics
        async for message in cri.stream(cri.runtime.StreamPodSandboxMetrics, api.StreamPodSandboxMetricsRequest())
        for metrics in message.pod_sandbox_metrics
    }
    assert [inside.container_id for inside in found[pod.id].container_metrics] == [container_id]


@pytest.mark.deviates("cri-o", "lists it, without any")
async def test_a_stopped_pod_has_none(pod: CasePod) -> None:
    assert pod.id in await pod_metrics(pod.cri)
    await pod.cri.call(pod.cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=pod.id))
    assert pod.id not in await pod_metrics(pod.cri)

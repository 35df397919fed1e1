"""The summary as JSON, rates, storage, Prometheus' text."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from podwright.agent.metrics.prometheus import Family, Sample, exposition
from podwright.agent.stats import cadvisor_metrics, cri, resource_metrics
from podwright.agent.stats.rates import CpuRates
from podwright.agent.stats.records import (
    Fs,
    Io,
    Moment,
    NodeStats,
    PodReference,
    PodStats,
    Psi,
    Summary,
    SummaryContainer,
    SummaryCpu,
    SummaryMemory,
    SummaryNetwork,
    SummaryPsi,
    SummaryVolume,
    Swap,
    encode,
    moment,
)
from podwright.agent.stats.storage import ephemeral_storage
from podwright.cri.v1 import api_pb2 as api

AT = moment(1_700_000_000_500_000_000)
REFERENCE = PodReference(name="web", namespace="default", uid="u-1")


def later(seconds: float) -> Moment:
    return moment(1_700_000_000_500_000_000 + int(seconds * 1e9))


def test_the_summary_has_the_api_s_names() -> None:
    main = SummaryContainer(name="main", start_time=AT, cpu=SummaryCpu(time=AT, usage_core_nano_seconds=0))
    pod = PodStats(
        pod_ref=REFERENCE,
        start_time=AT,
        containers=(main,),
        volume_stats=(SummaryVolume(name="data", time=AT, used_bytes=1),),
        ephemeral_storage=Fs(time=AT, used_bytes=2),
    )
    document = json.loads(encode(Summary(node=NodeStats(node_name="n", start_time=AT), pods=(pod,))))
    time = "2023-11-14T22:13:20Z"
    assert document == {
        "node": {"nodeName": "n", "startTime": time},
        "pods": [
            {
                "podRef": {"name": "web", "namespace": "default", "uid": "u-1"},
                "startTime": time,
                "containers": [{"name": "main", "startTime": time, "cpu": {"time": time, "usageCoreNanoSeconds": 0}}],
                "volume": [{"time": time, "usedBytes": 1, "name": "data"}],
                "ephemeral-storage": {"time": time, "usedBytes": 2},
            }
        ],
    }
    assert json.loads(encode(Summary(node=NodeStats(node_name="n", start_time=AT), pods=())))["pods"] == []


@pytest.mark.parametrize(
    ("seconds", "used", "rate"),
    [(10, 5_000_000_000, 400_000_000), (0.5, 2_000_000_000, None), (10, 500, None), (1000, 5_000_000_000, None)],
    ids=["a window", "too short", "another cgroup", "too old"],
)
def test_rates(seconds: float, used: int, rate: int | None) -> None:
    rates = CpuRates()
    first = rates.rated("x", SummaryCpu(time=AT, usage_core_nano_seconds=1_000_000_000))
    assert first is not None
    assert first.usage_nano_cores is None
    second = rates.rated("x", SummaryCpu(time=later(seconds), usage_core_nano_seconds=used))
    assert second is not None
    assert second.usage_nano_cores == rate


def test_a_rate_that_is_told_stays_and_old_ones_are_forgotten() -> None:
    rates = CpuRates()
    told = SummaryCpu(time=AT, usage_core_nano_seconds=1, usage_nano_cores=7)
    assert rates.rated("x", told) is told
    rates.rated("y", SummaryCpu(time=AT, usage_core_nano_seconds=1))
    assert len(rates) == 1
    rates.forget(later(timedelta(hours=1).total_seconds()))
    assert len(rates) == 0


def test_ephemeral_storage() -> None:
    node = Fs(time=AT, capacity_bytes=100, available_bytes=50, inodes=10, inodes_free=5)
    container = SummaryContainer(
        name="main",
        start_time=AT,
        rootfs=Fs(time=later(5), used_bytes=1, inodes_used=1),
        logs=Fs(time=AT, used_bytes=2, inodes_used=1),
    )
    without_layer = SummaryContainer(name="other", start_time=AT, logs=Fs(time=AT, used_bytes=1000))
    volume = SummaryVolume(name="data", time=AT, used_bytes=4, inodes_used=2)
    found = ephemeral_storage(node, [container, without_layer], [volume], [Fs(time=AT, used_bytes=8, inodes_used=1)])
    assert found == Fs(
        time=later(5),
        capacity_bytes=100,
        available_bytes=50,
        inodes=10,
        inodes_free=5,
        used_bytes=15,
        inodes_used=5,
    )


def test_a_container_of_which_the_runtime_tells_nothing() -> None:
    message = api.ContainerStats(attributes=api.ContainerAttributes(metadata=api.ContainerMetadata(name="main")))
    found = cri.container(message, 0, AT, with_pressure=True)
    assert found.memory == SummaryMemory(time=AT, usage_bytes=0, working_set_bytes=0, rss_bytes=0, psi=Psi())
    assert found.cpu == SummaryCpu(time=AT, usage_core_nano_seconds=0, psi=Psi())
    assert found.io == Io(time=AT, psi=Psi())
    assert found.swap == Swap(time=AT, swap_available_bytes=0, swap_usage_bytes=0)


def test_numbers_that_are_missing_differ_from_zeros() -> None:
    usage = api.MemoryUsage(timestamp=10**9, working_set_bytes=api.UInt64Value(value=0))
    assert cri.memory(usage) == SummaryMemory(time=moment(10**9), working_set_bytes=0)
    assert cri.memory(usage, missing=0).rss_bytes == 0
    assert cri.memory(usage, missing=0).available_bytes is None


def test_pressure_that_the_runtime_does_not_tell_is_zeros_where_the_kernel_measures_it() -> None:
    told = api.PsiStats(Some=api.PsiData(Total=5))
    stats = api.ContainerStats(
        cpu=api.CpuUsage(timestamp=1), memory=api.MemoryUsage(timestamp=1, psi=told), io=api.IoUsage(timestamp=1)
    )
    found = cri.container(stats, 0, AT, with_pressure=True)
    assert found.cpu is not None
    assert found.memory is not None
    assert found.io is not None
    assert (found.cpu.psi, found.io.psi) == (Psi(), Psi())
    assert found.memory.psi == Psi(some=SummaryPsi(total=5))
    without = cri.container(stats, 0, AT, with_pressure=False)
    assert without.cpu is not None
    assert (without.cpu.psi, without.io) == (None, None)


def test_network_has_the_default_interface_twice() -> None:
    one = api.NetworkInterfaceUsage(name="eth0", rx_bytes=api.UInt64Value(value=3))
    two = api.NetworkInterfaceUsage(name="net1", rx_bytes=api.UInt64Value(value=4))
    found = cri.network(api.NetworkUsage(timestamp=1, default_interface=one, interfaces=[two]), AT)
    assert (found.name, found.rx_bytes, [each.name for each in found.interfaces]) == ("eth0", 3, ["eth0", "net1"])
    assert found.time == moment(1)
    assert cri.network(api.NetworkUsage(), AT).interfaces == ()
    assert cri.network(api.NetworkUsage(), AT).time == AT


def test_sums_of_containers() -> None:
    parts = [
        SummaryContainer(
            name=str(number),
            start_time=AT,
            cpu=SummaryCpu(time=later(number), usage_core_nano_seconds=number),
            memory=SummaryMemory(time=AT, working_set_bytes=number),
        )
        for number in (1, 2)
    ]
    assert cri.summed_cpu(parts) == SummaryCpu(time=later(2), usage_core_nano_seconds=3, usage_nano_cores=0)
    memory = cri.summed_memory(parts)
    assert memory is not None
    assert memory.working_set_bytes == 3
    assert cri.summed_swap(parts) is None


def test_prometheus_text() -> None:
    families = [
        Family(name="a", kind="gauge", help="back\\slash\nline", samples=(Sample(value=1.5), Sample(value=2.0))),
        Family(
            name="b_total",
            kind="counter",
            help="h",
            samples=(Sample(value=3, labels={"x": 'q"\\\n'}, timestamp_ms=9),),
        ),
        Family(name="empty", kind="gauge", help="h", samples=()),
    ]
    assert exposition(families).decode() == (
        "# HELP a back\\\\slash\\nline\n# TYPE a gauge\na 1.5\na 2\n"
        '# HELP b_total h\n# TYPE b_total counter\nb_total{x="q\\"\\\\\\n"} 3 9\n'
    )
    assert exposition([]) == b""


def test_resource_metrics() -> None:
    node = NodeStats(
        node_name="n",
        start_time=AT,
        cpu=SummaryCpu(time=AT, usage_core_nano_seconds=2_500_000_000),
        memory=SummaryMemory(time=AT, working_set_bytes=9),
    )
    main = SummaryContainer(
        name="main",
        start_time=AT,
        cpu=SummaryCpu(time=AT, usage_core_nano_seconds=10**9),
        swap=Swap(time=AT, swap_usage_bytes=1, swap_available_bytes=2),
    )
    pod = PodStats(
        pod_ref=REFERENCE, start_time=AT, containers=(main,), memory=SummaryMemory(time=AT, working_set_bytes=5)
    )
    text = exposition(resource_metrics.families(node, [pod])).decode()
    assert "node_cpu_usage_seconds_total 2.5 1700000000500\n" in text
    assert 'container_cpu_usage_seconds_total{container="main",namespace="default",pod="web"} 1 1700000000500' in text
    assert 'container_swap_limit_bytes{container="main",namespace="default",pod="web"} 3 ' in text
    assert 'container_start_time_seconds{container="main",namespace="default",pod="web"} 1700000000.5\n' in text
    assert 'pod_memory_working_set_bytes{namespace="default",pod="web"} 5 ' in text
    assert text.endswith("resource_scrape_error 0\n")
    assert exposition(resource_metrics.families(None, [pod])).decode().endswith("resource_scrape_error 1\n")


def test_metrics_of_the_runtime() -> None:
    descriptors = [api.MetricDescriptor(name="container_x_total", help="x", label_keys=["pod", "container"])]
    pods = [
        api.PodSandboxMetrics(
            metrics=[
                api.Metric(
                    name="container_x_total",
                    metric_type=api.COUNTER,
                    label_values=["web", ""],
                    value=api.UInt64Value(value=3),
                ),
                api.Metric(name="unknown", value=api.UInt64Value(value=1)),
                api.Metric(name="container_x_total", label_values=["one label"]),
            ],
            container_metrics=[
                api.ContainerMetrics(
                    metrics=[
                        api.Metric(
                            name="container_x_total",
                            metric_type=api.COUNTER,
                            label_values=["web", "main"],
                            value=api.UInt64Value(value=4),
                        )
                    ]
                )
            ],
        )
    ]
    assert exposition(cadvisor_metrics.of_runtime(descriptors, pods)).decode() == (
        "# HELP container_x_total x\n# TYPE container_x_total counter\n"
        'container_x_total{pod="web",container=""} 3\ncontainer_x_total{pod="web",container="main"} 4\n'
    )


def test_inodes_of_a_filesystem_are_no_container_s() -> None:
    """A kubelet on containerd has none, and the node suite takes them for the container's own."""
    descriptor = api.MetricDescriptor(name="container_fs_inodes_total", help="x", label_keys=["container"])
    metric = api.Metric(name=descriptor.name, label_values=["main"], value=api.UInt64Value(value=10**6))
    assert cadvisor_metrics.of_runtime([descriptor], [api.PodSandboxMetrics(metrics=[metric])]) == []


def test_metrics_of_the_summary() -> None:
    main = SummaryContainer(name="main", start_time=AT, memory=SummaryMemory(time=AT, working_set_bytes=5))
    pod = PodStats(
        pod_ref=REFERENCE, start_time=AT, containers=(main,), network=SummaryNetwork(time=AT, name="eth0", rx_bytes=6)
    )
    who = {("u-1", "main"): {"id": "abc", "image": "busybox", "name": "abc"}}
    text = exposition(cadvisor_metrics.of_summary([pod], AT, who)).decode()
    labels = 'container="main",id="abc",image="busybox",name="abc",namespace="default",pod="web"'
    assert f"container_memory_working_set_bytes{{{labels}}} 5\n" in text
    assert 'container_network_receive_bytes_total{container="",id="",image="",name=""' in text

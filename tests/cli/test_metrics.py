"""Metrics in Prometheus' text format."""

from __future__ import annotations

from podwright.cli.commands.metrics import exposition
from podwright.cri.v1 import api_pb2 as api


def metric(name: str, value: int, *labels: str, kind: int = api.COUNTER) -> api.Metric:
    return api.Metric(
        name=name,
        metric_type=kind,  # type: ignore[arg-type] # a number of the enum
        label_values=labels,
        value=api.UInt64Value(value=value),
    )


def test_each_metric_once_with_all_its_values() -> None:
    descriptors = [api.MetricDescriptor(name="cpu", help="What CPUs did.", label_keys=["pod", "container"])]
    pods = [
        api.PodSandboxMetrics(
            pod_sandbox_id="p",
            metrics=[metric("cpu", 3, "web", "")],
            container_metrics=[api.ContainerMetrics(container_id="c", metrics=[metric("cpu", 1, "web", 'a"\\\n')])],
        ),
        api.PodSandboxMetrics(pod_sandbox_id="q", metrics=[metric("alone", 7, kind=api.GAUGE)]),
    ]
    assert list(exposition(descriptors, pods)) == [
        "# HELP alone ",
        "# TYPE alone gauge",
        "alone 7",
        "# HELP cpu What CPUs did.",
        "# TYPE cpu counter",
        'cpu{pod="web",container=""} 3',
        'cpu{pod="web",container="a\\"\\\\\\n"} 1',
    ]


def test_no_pods() -> None:
    assert list(exposition([], [])) == []

"""`podwright metrics`: resource usage of pods and containers as cAdvisor's metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import click

from podwright.cli import optional_calls, options, table
from podwright.cli.connection import connected, run_async
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.output import as_data, print_data
from podwright.cri.v1 import api_pb2 as api

COLUMNS = ("NAME", "LABELS", "HELP")
TYPES: dict[int, str] = {api.COUNTER: "counter", api.GAUGE: "gauge"}
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@click.command("metrics")
@click.option("--descriptors", is_flag=True, help="Show the descriptions of the metrics instead of values.")
@options.output_option()
@pass_invocation
def command(invocation: Invocation, descriptors: bool, output: str | None) -> None:
    """Show the metrics of pods and containers, by default in Prometheus' text format."""
    described, measured = run_async(_ask(invocation))
    if output is not None:
        print_data(as_data(described if descriptors else measured), output)
    elif descriptors:
        rows = [(each.name, ", ".join(each.label_keys), each.help) for each in described.descriptors]
        click.echo(table.render(COLUMNS, rows), nl=False)
    else:
        click.echo("".join(f"{line}\n" for line in exposition(described.descriptors, measured.pod_metrics)), nl=False)


async def _ask(invocation: Invocation) -> tuple[api.ListMetricDescriptorsResponse, api.ListPodSandboxMetricsResponse]:
    async with connected(invocation) as cri:
        descriptors = api.ListMetricDescriptorsRequest()
        metrics = api.ListPodSandboxMetricsRequest()
        return await asyncio.gather(
            optional_calls.call(cri, cri.runtime.ListMetricDescriptors, descriptors, "describe metrics"),
            optional_calls.call(cri, cri.runtime.ListPodSandboxMetrics, metrics, "measure pods"),
        )


def exposition(descriptors: Sequence[api.MetricDescriptor], pods: Sequence[api.PodSandboxMetrics]) -> Iterator[str]:
    """Lines of Prometheus' text format: each metric once, with help, type and all values."""
    values: dict[str, list[api.Metric]] = {}
    for pod in pods:
        own = [*pod.metrics, *(metric for container in pod.container_metrics for metric in container.metrics)]
        for metric in own:
            values.setdefault(metric.name, []).append(metric)
    known = {each.name: each for each in descriptors}
    for name, metrics in sorted(values.items()):
        descriptor = known.get(name, api.MetricDescriptor())
        yield f"# HELP {name} {descriptor.help}"
        yield f"# TYPE {name} {TYPES.get(metrics[0].metric_type, 'untyped')}"
        for metric in metrics:
            yield f"{name}{_labels(descriptor.label_keys, metric.label_values)} {metric.value.value}"


def _labels(keys: Sequence[str], values: Sequence[str]) -> str:
    pairs = ",".join(f'{key}="{value.translate(_ESCAPES)}"' for key, value in zip(keys, values, strict=False))
    return f"{{{pairs}}}" if pairs else ""

"""`/metrics/resource`, which metrics-server scrapes. Pure. Names and labels: pkg/kubelet/metrics/collectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from podwright.agent.metrics.prometheus import Family, Sample
from podwright.agent.stats.records import (
    Moment,
    NodeStats,
    PodStats,
    SummaryContainer,
    SummaryCpu,
    SummaryMemory,
    Swap,
)

NS_PER_S = 1_000_000_000
_HELPS = {
    "node_cpu_usage_seconds_total": "[STABLE] Cumulative cpu time consumed by the node in core-seconds",
    "node_memory_working_set_bytes": "[STABLE] Current working set of the node in bytes",
    "node_swap_usage_bytes": "[ALPHA] Current swap usage of the node in bytes. Reported only on non-windows systems",
    "container_start_time_seconds": "[STABLE] Start time of the container since unix epoch in seconds",
    "container_cpu_usage_seconds_total": "[STABLE] Cumulative cpu time consumed by the container in core-seconds",
    "container_memory_working_set_bytes": "[STABLE] Current working set of the container in bytes",
    "container_swap_usage_bytes": "[ALPHA] Current amount of the container swap usage in bytes. "
    "Reported only on non-windows systems",
    "container_swap_limit_bytes": "[ALPHA] Current amount of the container swap limit in bytes. "
    "Reported only on non-windows systems",
    "pod_cpu_usage_seconds_total": "[STABLE] Cumulative cpu time consumed by the pod in core-seconds",
    "pod_memory_working_set_bytes": "[STABLE] Current working set of the pod in bytes",
    "pod_swap_usage_bytes": "[ALPHA] Current amount of the pod swap usage in bytes. "
    "Reported only on non-windows systems",
    "resource_scrape_error": "[STABLE] 1 if there was an error while getting container metrics, 0 otherwise",
}
Named = tuple[str, Sample]


def families(node: NodeStats | None, pods: Iterable[PodStats]) -> list[Family]:
    """All families. Without `node` only the one that reports a failure."""
    samples: dict[str, list[Sample]] = {name: [] for name in _HELPS}
    samples["resource_scrape_error"].append(Sample(value=int(node is None)))
    found = [*_usage("node", node.cpu, node.memory, node.swap, {})] if node is not None else []
    for pod in pods if node is not None else ():
        found += _of_pod(pod)
    for name, sample in found:
        samples[name].append(sample)
    return [
        Family(
            name=name, kind="counter" if name.endswith("_total") else "gauge", help=text, samples=tuple(samples[name])
        )
        for name, text in _HELPS.items()
    ]


def _of_pod(pod: PodStats) -> Iterator[Named]:
    labels = {"namespace": pod.pod_ref.namespace, "pod": pod.pod_ref.name}
    for container in pod.containers:
        yield from _of_container(container, {"container": container.name, **labels})
    yield from _usage("pod", pod.cpu, pod.memory, pod.swap, labels)


def _of_container(container: SummaryContainer, labels: dict[str, str]) -> Iterator[Named]:
    if container.start_time.timestamp() > 0:
        yield "container_start_time_seconds", Sample(value=container.start_time.timestamp(), labels=labels)
    yield from _usage("container", container.cpu, container.memory, container.swap, labels)
    swap = container.swap
    if swap is not None and swap.swap_available_bytes is not None:
        limit = swap.swap_available_bytes + (swap.swap_usage_bytes or 0)
        yield "container_swap_limit_bytes", Sample(value=limit, labels=labels, timestamp_ms=_ms(swap.time))


def _usage(
    what: str, cpu: SummaryCpu | None, memory: SummaryMemory | None, swap: Swap | None, labels: dict[str, str]
) -> Iterator[Named]:
    if cpu is not None and cpu.usage_core_nano_seconds is not None:
        seconds = cpu.usage_core_nano_seconds / NS_PER_S
        yield (
            f"{what}_cpu_usage_seconds_total",
            Sample(value=seconds, labels=labels, timestamp_ms=_ms(cpu.time)),
        )
    if memory is not None and memory.working_set_bytes is not None:
        yield (
            f"{what}_memory_working_set_bytes",
            Sample(value=memory.working_set_bytes, labels=labels, timestamp_ms=_ms(memory.time)),
        )
    if swap is not None and swap.swap_usage_bytes is not None:
        yield (
            f"{what}_swap_usage_bytes",
            Sample(value=swap.swap_usage_bytes, labels=labels, timestamp_ms=_ms(swap.time)),
        )


def _ms(time: Moment) -> int:
    return round(time.timestamp() * 1000)

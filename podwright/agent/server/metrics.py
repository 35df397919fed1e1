"""`/metrics`: what the agent has counted and timed, what the node has now, and what this process takes."""

from __future__ import annotations

import os
import resource
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from podwright.agent.metrics.instruments import gauge
from podwright.agent.metrics.kubelet import KubeletMetrics
from podwright.agent.pods.identity import is_static
from podwright.agent.runtime.records import ObservedPod
from podwright.k8s.objects import Pod

Samples = list[tuple[Mapping[str, str], float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """The node now: what the runtime shows, and the pods that are wanted; `active` are those that run, or will."""

    name: str
    observed: Sequence[ObservedPod]
    wanted: Sequence[Pod]
    active: Sequence[Pod]
    mirrors: Sequence[Pod]


def exposition(metrics: KubeletMetrics, node: NodeView) -> bytes:
    """The text."""
    return ("\n".join((*metrics.lines(), *_node(node), *_process())) + "\n").encode()


def _node(node: NodeView) -> Iterator[str]:
    yield from gauge("kubelet_node_name", "The node's name. The count is always 1.", [({"node": node.name}, 1)])
    yield from gauge("kubelet_desired_pods", "The number of pods that the sources want", _by_source(node.wanted))
    yield from gauge("kubelet_active_pods", "The number of pods that run, or will", _by_source(node.active))
    yield from gauge("kubelet_mirror_pods", "The number of mirror pods", [({}, len(node.mirrors))])
    ready = sum(bool(pod.ready_sandboxes()) for pod in node.observed)
    yield from gauge("kubelet_running_pods", "Number of pods that have a running pod sandbox", [({}, ready)])
    states = Counter(status.state.value for pod in node.observed for status in pod.containers)
    samples: Samples = [({"container_state": state}, count) for state, count in sorted(states.items())]
    yield from gauge("kubelet_running_containers", "Number of containers by state", samples)


def _by_source(pods: Iterable[Pod]) -> Samples:
    counts = Counter(is_static(pod) for pod in pods)
    return [({"static": text}, counts[static]) for static, text in ((False, ""), (True, "true"))]


def _process() -> Iterator[str]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    yield "# HELP process_cpu_seconds_total CPU time of this process"
    yield "# TYPE process_cpu_seconds_total counter"
    yield f"process_cpu_seconds_total {usage.ru_utime + usage.ru_stime:g}"
    yield from gauge("process_resident_memory_bytes", "Resident memory", [({}, _resident_bytes())])


def _resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

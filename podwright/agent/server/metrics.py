"""`/metrics`: what the node has now under the kubelet's names, and what this process takes."""

from __future__ import annotations

import os
import resource
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from podwright import __version__
from podwright.agent.config.settings import KUBERNETES_VERSION
from podwright.agent.metrics.prometheus import Family, Sample, gauge
from podwright.agent.pods.identity import is_static
from podwright.agent.runtime.records import ObservedPod
from podwright.agent.server.health import Health
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


def node_families(node: NodeView) -> Iterator[Family]:
    """Pods and containers."""
    yield gauge("kubelet_node_name", "The node's name. The count is always 1.", [({"node": node.name}, 1)])
    yield gauge("kubelet_desired_pods", "The number of pods that the sources want", _by_source(node.wanted))
    yield gauge("kubelet_active_pods", "The number of pods that run, or will", _by_source(node.active))
    yield gauge("kubelet_mirror_pods", "The number of mirror pods", [({}, len(node.mirrors))])
    ready = sum(bool(pod.ready_sandboxes()) for pod in node.observed)
    yield gauge("kubelet_running_pods", "Number of pods that have a running pod sandbox", [({}, ready)])
    states = Counter(status.state.value for pod in node.observed for status in pod.containers)
    samples: Samples = [({"container_state": state}, count) for state, count in sorted(states.items())]
    yield gauge("kubelet_running_containers", "Number of containers by state", samples)


def _by_source(pods: Iterable[Pod]) -> Samples:
    counts = Counter(is_static(pod) for pod in pods)
    return [({"static": text}, counts[static]) for static, text in ((False, ""), (True, "true"))]


def process_families(started_s: float) -> list[Family]:
    """This process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    resident, virtual = _memory_bytes()
    used = round(usage.ru_utime + usage.ru_stime, 3)
    cpu = Family(
        name="process_cpu_seconds_total",
        kind="counter",
        help="CPU time of this process",
        samples=(Sample(value=used),),
    )
    about = {"git_version": KUBERNETES_VERSION, "podwright_version": __version__}
    return [
        cpu,
        gauge("process_resident_memory_bytes", "Resident memory", [({}, resident)]),
        gauge("process_virtual_memory_bytes", "Virtual memory", [({}, virtual)]),
        gauge("process_open_fds", "Open file descriptors", [({}, len(os.listdir("/proc/self/fd")) - 1)]),
        gauge("process_start_time_seconds", "Start of this process, since the epoch", [({}, started_s)]),
        gauge("kubernetes_build_info", "The release that this agent follows, and its own", [(about, 1)]),
    ]


def health_families(health: Health) -> list[Family]:
    """`/metrics/slis`: each check of /healthz, 1 for well."""
    samples = [({"name": name, "type": "healthz"}, int(not health.problem(name))) for name in health.names()]
    text = "[STABLE] This metric records the result of a single healthcheck."
    return [gauge("kubernetes_healthcheck", text, samples)]


def _memory_bytes() -> tuple[int, int]:
    """(resident, virtual)."""
    with open("/proc/self/statm", encoding="ascii") as file:
        virtual, resident, *_ = file.read().split()
    page = os.sysconf("SC_PAGE_SIZE")
    return int(resident) * page, int(virtual) * page

"""`/metrics`: the state of the node under the kubelet's names, and the resources of this process."""

from __future__ import annotations

import os
import resource
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from podwright import __version__
from podwright.agent.config.gates import GATES
from podwright.agent.config.settings import KUBERNETES_VERSION
from podwright.agent.configs.memory_qos import MemoryQos
from podwright.agent.metrics.prometheus import Family, Sample, gauge
from podwright.agent.pods.identity import is_static
from podwright.agent.resources.limits import LimitRules, limits_of_classes
from podwright.agent.runtime.records import ObservedPod
from podwright.agent.server.health import Health
from podwright.agent.status.conditions import RESIZE_IN_PROGRESS, RESIZE_PENDING, RESIZES
from podwright.agent.workers.pool import KnownPod
from podwright.agent.workers.record import WorkState
from podwright.k8s.objects import Pod, PodStatus

CGROUP_V2 = 2
Samples = list[tuple[Mapping[str, str], float]]


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the node: what the runtime shows, and the wanted pods. `active` has those that run or will run."""

    name: str
    observed: Sequence[ObservedPod]
    wanted: Sequence[Pod]
    active: Sequence[Pod]
    mirrors: Sequence[Pod]
    known: Collection[KnownPod]  # the pods that have a worker
    statuses: Sequence[PodStatus]
    volumes: tuple[Mapping[str, int], Mapping[str, int]]  # by plug-in: wanted, and mounted
    gates: Mapping[str, bool]
    memory_qos: MemoryQos | None  # None: the gate is off
    cgroup_version: int
    seen_at_s: float  # the last look at the runtime, since the epoch


def node_families(node: NodeView) -> Iterator[Family]:
    """The metrics of pods and containers."""
    yield gauge("kubelet_node_name", "The node's name. The count is always 1.", [({"node": node.name}, 1)])
    yield gauge("kubelet_desired_pods", "The number of pods that the sources want", _by_source(node.wanted))
    yield gauge("kubelet_active_pods", "The number of pods that run, or will", _by_source(node.active))
    yield gauge("kubelet_mirror_pods", "The number of mirror pods", [({}, len(node.mirrors))])
    ready = sum(bool(pod.ready_sandboxes()) for pod in node.observed)
    yield gauge("kubelet_running_pods", "Number of pods that have a running pod sandbox", [({}, ready)])
    states = Counter(status.state.value for pod in node.observed for status in pod.containers)
    samples: Samples = [({"container_state": state}, count) for state, count in sorted(states.items())]
    yield gauge("kubelet_running_containers", "Number of containers by state", samples)
    ephemeral = sum(len(pod.spec.ephemeral_containers) for pod in node.wanted)
    text = "Number of ephemeral containers in the pods that the sources want"
    yield gauge("kubelet_managed_ephemeral_containers", text, [({}, ephemeral)])
    yield gauge("kubelet_working_pods", "Number of pods that have a worker", _by_state(node.known))
    yield from _resize_families(node.statuses)
    text = "When the runtime was looked at last, in seconds since the epoch"
    yield gauge("kubelet_pleg_last_seen_seconds", text, [({}, node.seen_at_s)])
    yield from _volume_families(*node.volumes)
    yield from _kept_memory_families(node)
    yield gauge("kubelet_cgroup_version", "cgroup version on the hosts.", [({}, node.cgroup_version)])
    text = "This metric records the data about the stage and enablement of a k8s feature."
    yield gauge("kubernetes_feature_enabled", text, _features(node.gates))


def _by_state(known: Collection[KnownPod]) -> Samples:
    """Pods by the state of the worker, by whether a source has the pod, and by whether the pod is static."""
    counts = Counter((_configuration(pod), pod.state.value, _source(pod)) for pod in known)
    kinds = [(config, static) for config in ("desired", "orphan") for static in ("", "true")]
    kinds.append(("runtime_only", "unknown"))
    return [
        ({"config": config, "lifecycle": state.value, "static": static}, counts[config, state.value, static])
        for config, static in kinds
        for state in WorkState
    ]


def _configuration(pod: KnownPod) -> str:
    if not pod.has_config:
        return "runtime_only"
    return "orphan" if pod.orphan else "desired"


def _source(pod: KnownPod) -> str:
    if not pod.has_config:
        return "unknown"
    return "true" if pod.static else ""


def _resize_families(statuses: Iterable[PodStatus]) -> Iterator[Family]:
    found = [each for status in statuses for each in status.conditions if each.type in RESIZES]
    under_way = sum(each.type == RESIZE_IN_PROGRESS for each in found)
    yield gauge("kubelet_pod_in_progress_resizes", "Number of in-progress resizes for pods.", [({}, under_way)])
    pending = Counter(each.reason.lower() for each in found if each.type == RESIZE_PENDING)
    if pending:
        samples: Samples = [({"reason": reason}, count) for reason, count in sorted(pending.items())]
        yield gauge("kubelet_pod_pending_resizes", "Number of pending resizes for pods.", samples)


def _volume_families(wanted: Mapping[str, int], there: Mapping[str, int]) -> Iterator[Family]:
    states = {"actual_state_of_world": there, "desired_state_of_world": wanted}
    samples: Samples = [
        ({"plugin_name": plugin, "state": state}, count)
        for state, counts in states.items()
        for plugin, count in sorted(counts.items())
    ]
    if samples:
        yield gauge("volume_manager_total_volumes", "Number of volumes in Volume Manager", samples)


def _kept_memory_families(node: NodeView) -> Iterator[Family]:
    """The memory that the kernel protects for pods, with cgroup v2 only."""
    if node.memory_qos is None:
        return
    pods = node.active if node.cgroup_version == CGROUP_V2 else ()
    limits = limits_of_classes(pods, LimitRules(memory_qos=node.memory_qos))
    low = limits["Burstable"].memory_low_bytes or 0
    # That of guaranteed pods is set on the cgroup above both classes.
    sure = (limits["Guaranteed"].memory_min_bytes or 0) - low
    text = "Total cgroup v2 memory.min in bytes for Guaranteed pods. The kernel never reclaims it."
    yield gauge("kubelet_memory_qos_node_memory_min_bytes", text, [({}, sure)])
    text = "Total cgroup v2 memory.low in bytes for Burstable pods. The kernel reclaims it last."
    yield gauge("kubelet_memory_qos_node_memory_low_bytes", text, [({}, low)])


def _features(gates: Mapping[str, bool]) -> Samples:
    """The gates by name and stage. The stage is empty for gates that are generally available."""
    stages = {"GA": "", "Deprecated": "DEPRECATED", "Alpha": "ALPHA", "Beta": "BETA"}
    return [({"name": name, "stage": stages[GATES[name].stage]}, int(gates[name])) for name in sorted(gates)]


def _by_source(pods: Iterable[Pod]) -> Samples:
    counts = Counter(is_static(pod) for pod in pods)
    return [({"static": text}, counts[static]) for static, text in ((False, ""), (True, "true"))]


def process_families(started_s: float) -> list[Family]:
    """The metrics of this process."""
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
        gauge("process_max_fds", "Limit of open file descriptors", [({}, _limit(resource.RLIMIT_NOFILE))]),
        gauge("process_virtual_memory_max_bytes", "Limit of memory", [({}, _limit(resource.RLIMIT_AS))]),
        gauge("process_start_time_seconds", "Start of this process, since the epoch", [({}, started_s)]),
        gauge("kubernetes_build_info", "The release that this agent follows, and its own", [(about, 1)]),
    ]


def health_families(health: Health) -> list[Family]:
    """`/metrics/slis`: each check of /healthz, 1 if it passes."""
    samples = [({"name": name, "type": "healthz"}, int(not health.problem(name))) for name in health.names()]
    text = "[STABLE] This metric records the result of a single healthcheck."
    return [gauge("kubernetes_healthcheck", text, samples)]


def _limit(kind: int) -> float:
    limit, _ = resource.getrlimit(kind)
    return float(2**64) if limit == resource.RLIM_INFINITY else limit


def _memory_bytes() -> tuple[int, int]:
    """(resident, virtual)."""
    with open("/proc/self/statm", encoding="ascii") as file:
        virtual, resident, *_ = file.read().split()
    page = os.sysconf("SC_PAGE_SIZE")
    return int(resident) * page, int(virtual) * page

"""`/metrics`: counts of pods and containers under the kubelet's names, and what this process takes."""

from __future__ import annotations

import os
import resource
from collections import Counter
from collections.abc import Iterable, Mapping

from podwright import __version__
from podwright.agent.config.settings import KUBERNETES_VERSION
from podwright.agent.prometheus import Family, Sample
from podwright.agent.runtime.records import ObservedPod
from podwright.agent.server.health import Health
from podwright.k8s.objects import Pod


def pod_families(observed: Iterable[ObservedPod], wanted: Iterable[Pod]) -> list[Family]:
    """Pods and containers."""
    pods = list(observed)
    states = Counter(status.state.value for pod in pods for status in pod.containers)
    return [
        _gauge("kubelet_desired_pods", "Pods that the sources want", {"": len(list(wanted))}),
        _gauge(
            "kubelet_running_pods",
            "Pods with a ready sandbox",
            {"": sum(bool(each.ready_sandboxes()) for each in pods)},
        ),
        _gauge("kubelet_running_containers", "Containers by state", dict(sorted(states.items())), "container_state"),
    ]


def process_families(node_name: str, started_s: float) -> list[Family]:
    """This process, and which node it is."""
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
        _gauge("process_resident_memory_bytes", "Resident memory", {"": resident}),
        _gauge("process_virtual_memory_bytes", "Virtual memory", {"": virtual}),
        _gauge("process_open_fds", "Open file descriptors", {"": len(os.listdir("/proc/self/fd")) - 1}),
        _gauge("process_start_time_seconds", "Start of this process, since the epoch", {"": started_s}),
        _gauge("kubelet_node_name", "The node's name. The count is always 1.", {node_name: 1}, "node"),
        Family(
            name="kubernetes_build_info",
            kind="gauge",
            help="The release that this agent follows, and its own",
            samples=(Sample(value=1, labels=about),),
        ),
    ]


def health_families(health: Health) -> list[Family]:
    """`/metrics/slis`: each check of /healthz, 1 for well."""
    samples = tuple(
        Sample(value=int(not health.problem(name)), labels={"name": name, "type": "healthz"})
        for name in health.names()
    )
    text = "[STABLE] This metric records the result of a single healthcheck."
    return [Family(name="kubernetes_healthcheck", kind="gauge", help=text, samples=samples)]


def _gauge(name: str, text: str, values: Mapping[str, float], label: str = "") -> Family:
    """One sample, or one for each value of a label."""
    samples = tuple(Sample(value=value, labels={label: key} if label else {}) for key, value in values.items())
    return Family(name=name, kind="gauge", help=text, samples=samples)


def _memory_bytes() -> tuple[int, int]:
    """(resident, virtual)."""
    with open("/proc/self/statm", encoding="ascii") as file:
        virtual, resident, *_ = file.read().split()
    page = os.sysconf("SC_PAGE_SIZE")
    return int(resident) * page, int(virtual) * page

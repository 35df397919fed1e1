"""The quality-of-service class of a pod, on which its cgroup and its protection from OOM kills depend. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from podwright.k8s.objects import Pod, PodSpec, ResourceRequirements
from podwright.k8s.quantity import parse_nano

QosClass = Literal["Guaranteed", "Burstable", "BestEffort"]

GUARANTEED: QosClass = "Guaranteed"
BURSTABLE: QosClass = "Burstable"
BEST_EFFORT: QosClass = "BestEffort"
_CLASSES: dict[str, QosClass] = {name: name for name in (GUARANTEED, BURSTABLE, BEST_EFFORT)}
_COMPUTE = ("cpu", "memory")


def qos_class(pod: Pod) -> QosClass:
    """The class in the pod's status, or else the computed one."""
    return _CLASSES.get(pod.status.qos_class) or compute_qos_class(pod.spec)


def compute_qos_class(spec: PodSpec) -> QosClass:
    """The class by CPU and memory (ComputePodQOS of pkg/apis/core/v1/helper/qos).

    If the pod has pod-level resources, only they count. Ephemeral containers have none.
    """
    parts = _parts(spec)
    requests, limits = _sums(part.requests for part in parts), _sums(part.limits for part in parts)
    if not requests and not limits:
        return BEST_EFFORT
    is_limited = all(_nano(part.limits, name) > 0 for part in parts for name in _COMPUTE)
    return GUARANTEED if is_limited and requests == limits else BURSTABLE


def _parts(spec: PodSpec) -> list[ResourceRequirements]:
    if spec.resources is not None:
        return [spec.resources]
    return [container.resources for container in (*spec.containers, *spec.init_containers)]


def _sums(lists: Iterable[dict[str, str]]) -> dict[str, int]:
    """The sums in billionths by resource, without zeros."""
    sums = dict.fromkeys(_COMPUTE, 0)
    for quantities in lists:
        for name in _COMPUTE:
            sums[name] += max(0, _nano(quantities, name))
    return {name: nano for name, nano in sums.items() if nano}


def _nano(quantities: dict[str, str], name: str) -> int:
    return parse_nano(quantities.get(name, "0"))

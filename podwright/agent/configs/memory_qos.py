"""Memory that the kernel protects for containers, and limits above which it throttles them (the gate MemoryQoS). Pure.

Only cgroup v2 supports it. The arithmetic is the kubelet's (KEP-2570 and
pkg/kubelet/kuberuntime/kuberuntime_container_linux.go of Kubernetes 1.36).
"""

from __future__ import annotations

import math
import os

import msgspec

from podwright.agent.pods.containers import AnyContainer
from podwright.agent.pods.qos import GUARANTEED, qos_class
from podwright.k8s.objects import Pod
from podwright.k8s.quantity import whole

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MIN, LOW, HIGH = "memory.min", "memory.low", "memory.high"


class MemoryQos(msgspec.Struct, frozen=True, kw_only=True):
    """`is_tiered`: requests are protected, strictly for guaranteed pods, else if possible (TieredReservation).

    A container is throttled when it uses more than its request plus `throttling` times the rest up to its limit.
    """

    is_tiered: bool = False
    throttling: float = 0.9


def memory_files(pod: Pod, container: AnyContainer, rules: MemoryQos, allocatable_bytes: int) -> dict[str, str]:
    """The content for files of the container's cgroup."""
    request = whole(container.resources.requests.get("memory", "0"))
    limit = whole(container.resources.limits.get("memory", "0"))
    files = {MIN: "0", LOW: "0"}
    if request and rules.is_tiered:
        files = {MIN if qos_class(pod) == GUARANTEED else LOW: str(request)}
    if request != limit and (high := _high(request, limit or allocatable_bytes, rules.throttling)) > request:
        files[HIGH] = str(high)
    return files


def _high(request: int, most: int, throttling: float) -> int:
    return math.floor((request + (most - request) * throttling) / PAGE_BYTES) * PAGE_BYTES if most > 0 else 0

"""Requests and limits to cgroup numbers, by the kubelet's arithmetic. Pure."""

from __future__ import annotations

from typing import Literal

from podwright.agent.seed.manifest.container import Container
from podwright.agent.seed.manifest.pod import Pod
from podwright.cri.v1 import api_pb2 as api
from podwright.k8s.quantity import milli, whole

QosClass = Literal["Guaranteed", "Burstable", "BestEffort"]

SHARES_MIN = 2
SHARES_MAX = 262144
QUOTA_PERIOD_US = 100_000
QUOTA_MIN_US = 1000
OOM_GUARANTEED = -997
OOM_BEST_EFFORT = 1000
OOM_BURSTABLE_MIN = 1000 + OOM_GUARANTEED  # 3: never as safe as a guaranteed pod
HUGE_PAGES = "hugepages-"
_COMPUTE = ("cpu", "memory")


def qos_class(pod: Pod) -> QosClass:
    """From CPU and memory of all containers, as the API server computes it."""
    containers = [container for _, container in pod.all_containers()]
    amounts = [
        (_nonzero(container.resources.requests, name), _nonzero(container.resources.limits, name))
        for container in containers
        for name in _COMPUTE
    ]
    if not any(request or limit for request, limit in amounts):
        return "BestEffort"
    return "Guaranteed" if all(limit and request == limit for request, limit in amounts) else "Burstable"


def _nonzero(quantities: dict[str, str | int | float], name: str) -> int:
    if name not in quantities:
        return 0
    return milli(quantities[name])


def cpu_shares(milli_cpu: int) -> int:
    """cgroup v1 shares of a CPU request in thousandths."""
    return max(SHARES_MIN, min(SHARES_MAX, milli_cpu * 1024 // 1000))


def cpu_quota_us(milli_cpu: int) -> int:
    """Microseconds of CPU per period for a limit in thousandths; 0 is no limit."""
    return max(QUOTA_MIN_US, milli_cpu * QUOTA_PERIOD_US // 1000) if milli_cpu else 0


def oom_score_adj(pod: Pod, container: Container, host_memory_bytes: int) -> int:
    """How readily the kernel kills the container's processes when the machine is out of memory."""
    qos = qos_class(pod)
    if qos == "Guaranteed":
        return OOM_GUARANTEED
    if qos == "BestEffort":
        return OOM_BEST_EFFORT
    request = _memory_request(container)
    if pod.is_sidecar(container):
        # A sidecar must not die before those it serves.
        request = max(request, min(_memory_request(regular) for regular in pod.spec.containers))
    score = 1000 - 1000 * request // max(host_memory_bytes, 1)
    return min(max(score, OOM_BURSTABLE_MIN), OOM_BEST_EFFORT - 1)


def _memory_request(container: Container) -> int:
    return whole(container.resources.requests.get("memory", 0))


def container_resources(pod: Pod, container: Container, host_memory_bytes: int) -> api.LinuxContainerResources:
    """What CRI is told about one container."""
    limits, requests = container.resources.limits, container.resources.requests
    return api.LinuxContainerResources(
        cpu_shares=cpu_shares(milli(requests.get("cpu", limits.get("cpu", 0)))),
        cpu_quota=cpu_quota_us(milli(limits.get("cpu", 0))),
        cpu_period=QUOTA_PERIOD_US,
        memory_limit_in_bytes=whole(limits.get("memory", 0)),
        oom_score_adj=oom_score_adj(pod, container, host_memory_bytes),
        hugepage_limits=[
            api.HugepageLimit(page_size=_page_size(name), limit=whole(quantity))
            for name, quantity in sorted(limits.items())
            if name.startswith(HUGE_PAGES)
        ],
    )


def _page_size(name: str) -> str:
    """`hugepages-2Mi` as the runtimes spell it: 2MB."""
    size = name.removeprefix(HUGE_PAGES)
    return size[:-1] + "B" if size.endswith(("Ki", "Mi", "Gi")) else size

"""The actual resources of containers and pods (KEP 1287). Pure.

A value that equals the allocated one keeps the spec's text. Requests below the kernel's smallest amounts (2 shares, 1
ms of quota) get these amounts, so values at or below them are shown as requested.
"""

from __future__ import annotations

from podwright.agent.pods.allocation import PodAllocation, ResizeGates, with_allocation
from podwright.agent.pods.containers import AnyContainer
from podwright.agent.pods.resources import pod_limits, pod_requests, texts
from podwright.agent.runtime.records import CriContainerState, ResourcesStatus
from podwright.agent.runtime.records import CriContainerStatus as Instance
from podwright.k8s.objects import ContainerStatus, Pod, ResourceRequirements
from podwright.k8s.quantity import NANO, Amount, Format, parse

MIN_REQUEST_MILLI = 2
MIN_LIMIT_MILLI = 10
_MILLI = NANO // 1000


def container_resources(
    container: AnyContainer,
    instance: Instance,
    identifier: str,
    previous: ContainerStatus | None,
    actuated: PodAllocation | None = None,
) -> ResourceRequirements:
    """The resources of a running instance. For one that does not run, the allocated ones.

    The kernel has no memory requests, so they come from `actuated`, the resources that were last set.
    """
    allocated = container.resources
    if instance.state is not CriContainerState.RUNNING:
        return allocated
    shown = _shown(identifier, previous)
    found = instance.resources or ResourcesStatus()
    cpu_limit, cpu_request = _quota_milli(found), _shares_milli(found)
    return ResourceRequirements(
        claims=allocated.claims,
        limits=_with_memory(
            _with_cpu(allocated.limits, cpu_limit, MIN_LIMIT_MILLI, shown.limits), found.memory_limit_bytes, shown
        ),
        requests=_with_request(
            _with_cpu(allocated.requests, cpu_request, MIN_REQUEST_MILLI, shown.requests), container.name, actuated
        ),
    )


def _shown(identifier: str, previous: ContainerStatus | None) -> ResourceRequirements:
    """The published resources of this instance, for values that the runtime does not report."""
    is_same = previous is not None and previous.container_id == identifier and previous.state.running is not None
    shown = previous.resources if previous is not None and is_same else None
    return shown if shown is not None else ResourceRequirements()


def _quota_milli(found: ResourcesStatus) -> int | None:
    quota_us, period_us = found.cpu_quota_us or 0, found.cpu_period_us or 0
    return quota_us * 1000 // period_us if quota_us > 0 and period_us > 0 else None


def _shares_milli(found: ResourcesStatus) -> int | None:
    return -(-found.cpu_shares * 1000 // 1024) if found.cpu_shares else None


def _with_cpu(allocated: dict[str, str], milli: int | None, least: int, shown: dict[str, str]) -> dict[str, str]:
    if not allocated:
        return allocated
    if milli is None:
        return {**allocated, **{name: text for name, text in shown.items() if name == "cpu"}}
    wanted = parse(allocated.get("cpu", "0"))
    if milli == wanted.milli or (milli <= least and wanted.milli <= least):
        return allocated
    return {**allocated, "cpu": str(Amount(milli * _MILLI))}


def _with_memory(limits: dict[str, str], found_bytes: int | None, shown: ResourceRequirements) -> dict[str, str]:
    if not limits:
        return limits
    if found_bytes is None:
        return {**limits, **{name: text for name, text in shown.limits.items() if name == "memory"}}
    if found_bytes == parse(limits.get("memory", "0")).whole:
        return limits
    return {**limits, "memory": str(Amount(found_bytes * NANO, Format.BINARY))}


def _with_request(requests: dict[str, str], name: str, actuated: PodAllocation | None) -> dict[str, str]:
    known = actuated.containers.get(name) if actuated is not None else None
    given = known.requests.get("memory", "0") if known is not None else "0"
    if not requests or not parse(given).nano or parse(given) == parse(requests.get("memory", "0")):
        return requests
    return {**requests, "memory": given}


def pod_resources(pod: Pod, actuated: PodAllocation | None = None) -> ResourceRequirements:
    """PodStatus.resources: the resources of the pod as a whole.

    During a resize they differ from the allocated ones.
    """
    pod = with_allocation(pod, actuated, ResizeGates(pod_level=actuated is not None and actuated.pod is not None))
    claims = pod.spec.resources.claims if pod.spec.resources is not None else ()
    return ResourceRequirements(
        claims=claims, requests=texts(pod_requests(pod.spec)), limits=texts(pod_limits(pod.spec))
    )

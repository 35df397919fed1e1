"""Messages and annotations about an eviction. Pure. The texts are the kubelet's, including the space at the end.

Programs search for the annotations (pkg/kubelet/eviction/helpers.go of Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from podwright.agent.config.thresholds import Threshold
from podwright.agent.eviction.pressure import shortage
from podwright.agent.eviction.signals import MEMORY, STORAGE, Readings
from podwright.agent.eviction.usage import memory_bytes
from podwright.agent.node.conditions import Pressure
from podwright.agent.stats.records import PodStats, SummaryContainer
from podwright.k8s.objects import Pod
from podwright.k8s.quantity import NANO, Amount, Format, parse

EVICTED = "Evicted"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A message, and the annotations of its event."""

    message: str
    annotations: dict[str, str]


class Excess(msgspec.Struct, frozen=True, kw_only=True):
    """A pod or container that uses more than it requests."""

    name: str
    used: Amount
    request: Amount


def refused(pressures: Iterable[Pressure]) -> str:
    """Why a pod is not admitted."""
    found = set(pressures)
    return f"The node had condition: [{' '.join(each.value for each in Pressure if each in found)}]. "


def low_on(resource: str, pod: Pod, stats: PodStats | None, urgent: Iterable[Threshold], readings: Readings) -> Notice:
    """Why a pod is evicted when the node is short of a resource."""
    message, annotations = f"The node was low on resource: {resource}. ", dict[str, str]()
    if (short := shortage(resource, urgent, readings)) is not None:
        message += f"Threshold quantity: {short[0]}, available: {short[1]}. "
    if stats is None:
        return Notice(message=message, annotations=annotations)
    if (whole := _pod_excess(resource, pod, stats)) is not None:
        message += f"Pod {_text(whole, resource)}"
        annotations |= {"offending_pod": whole.name, "offending_pod_usage": str(whole.used)}
    exceeding = list(_excesses(resource, pod, stats))
    message += "".join(f"Container {_text(each, resource)}" for each in exceeding)
    annotations |= {
        "offending_containers": ",".join(each.name for each in exceeding),
        "offending_containers_usage": ",".join(str(each.used) for each in exceeding),
        "starved_resource": resource,
    }
    return Notice(message=message, annotations=annotations)


def _text(each: Excess, resource: str) -> str:
    return f"{each.name} was using {each.used}, request is {each.request}, has larger consumption of {resource}. "


def _pod_excess(resource: str, pod: Pod, stats: PodStats) -> Excess | None:
    """The pod as a whole, if it has its own request for memory. Like the kubelet, named however little it uses."""
    own = pod.spec.resources
    if resource != MEMORY or own is None or MEMORY not in own.requests or stats.memory is None:
        return None
    return Excess(name=pod.metadata.name, used=_bytes(memory_bytes(stats)), request=parse(own.requests[MEMORY]))


def _excesses(resource: str, pod: Pod, stats: PodStats) -> Iterator[Excess]:
    containers = {each.name: each for each in (*pod.spec.init_containers, *pod.spec.containers)}
    for each in stats.containers:
        container, used = containers.get(each.name), _used(resource, each)
        if container is None or used is None:
            continue
        request = parse(container.resources.requests.get(resource, "0"))
        if used > request:
            yield Excess(name=each.name, used=used, request=request)


def _used(resource: str, stats: SummaryContainer) -> Amount | None:
    if resource == MEMORY and stats.memory is not None and stats.memory.working_set_bytes is not None:
        return _bytes(stats.memory.working_set_bytes)
    if resource == STORAGE and stats.rootfs is not None and stats.logs is not None:
        parts = (stats.rootfs.used_bytes, stats.logs.used_bytes)
        known = [part for part in parts if part is not None]
        return _bytes(sum(known)) if len(known) == len(parts) else None
    return None


def _bytes(count: int) -> Amount:
    return Amount(count * NANO, Format.BINARY)

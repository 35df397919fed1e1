"""The order in which pods are evicted. Pure.

First pods without statistics, then those that use more than they request, then by priority, then by how much more they
use (pkg/kubelet/eviction/helpers.go of Kubernetes 1.36). Process ids cannot be requested, so priority decides, then
the count.

A kubelet has no statistics of a pod that is just starting, and evicts it first, even a guaranteed one. Here a pod
without running containers counts as using nothing, because its end would free nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from podwright.agent.config.thresholds import EvictionSignal
from podwright.agent.eviction.layout import DiskLayout
from podwright.agent.eviction.signals import INODES, MEMORY, PIDS, RESOURCES, STORAGE
from podwright.agent.eviction.usage import disk_bytes, disk_inodes, memory_bytes, process_count
from podwright.agent.pods.resources import requested
from podwright.agent.stats.records import PodStats
from podwright.k8s.objects import Pod

StatsOf = Mapping[str, PodStats]  # by UID
Use = Callable[[Pod, PodStats], int]

UNKNOWN, EXCEEDING, MODEST = 0, 1, 2


def ranked(
    pods: Sequence[Pod],
    stats: StatsOf,
    signal: EvictionSignal,
    layout: DiskLayout,
    *,
    idle: Collection[str] = (),
) -> list[Pod]:
    """The pods in the order of their eviction. `idle` has the UIDs of pods without running containers."""
    resource = RESOURCES[signal]
    if resource == PIDS:
        return sorted(pods, key=lambda pod: (_priority(pod), *_by_count(pod, stats, idle)))
    use = _use_of(signal, layout)
    # Inodes cannot be requested, so they are compared with the request of space, as in the kubelet.
    over = STORAGE if resource == INODES else resource

    def key(pod: Pod) -> tuple[int, int, int, int]:
        found = stats.get(pod.metadata.uid)
        if found is None and pod.metadata.uid not in idle:
            return UNKNOWN, _priority(pod), UNKNOWN, 0
        used = 0 if found is None else use(pod, found)
        exceeds = used > requested(pod.spec, resource).whole
        return (
            EXCEEDING if exceeds else MODEST,
            _priority(pod),
            EXCEEDING,
            requested(pod.spec, over).whole - used,
        )

    return sorted(pods, key=key)


def _use_of(signal: EvictionSignal, layout: DiskLayout) -> Use:
    resource = RESOURCES[signal]
    if resource == MEMORY:
        return lambda _, stats: memory_bytes(stats)
    parts = layout.parts(signal)
    if resource == INODES:
        return lambda pod, stats: disk_inodes(pod, stats, parts)
    return lambda pod, stats: disk_bytes(pod, stats, parts)


def _by_count(pod: Pod, stats: StatsOf, idle: Collection[str]) -> tuple[int, int]:
    found = stats.get(pod.metadata.uid)
    if found is None:
        return (MODEST, 0) if pod.metadata.uid in idle else (UNKNOWN, 0)
    return EXCEEDING, -process_count(found)


def _priority(pod: Pod) -> int:
    return pod.spec.priority or 0

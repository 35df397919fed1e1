"""In which order pods have to go. Pure.

First those of which nothing is known, then those that use more than they request, then by priority, then by how much
more they use (pkg/kubelet/eviction/helpers.go of Kubernetes 1.36). For process ids there are no requests: priority
alone decides before the count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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


def ranked(pods: Sequence[Pod], stats: StatsOf, signal: EvictionSignal, layout: DiskLayout) -> list[Pod]:
    """The pods in the order in which they have to go."""
    resource = RESOURCES[signal]
    if resource == PIDS:
        return sorted(pods, key=lambda pod: (_priority(pod), *_by_count(pod, stats.get(pod.metadata.uid))))
    use = _use_of(signal, layout)
    # Inodes cannot be requested, and are compared with the request of space: that is the kubelet's rule.
    over = STORAGE if resource == INODES else resource

    def key(pod: Pod) -> tuple[int, int, int, int]:
        found = stats.get(pod.metadata.uid)
        if found is None:
            return UNKNOWN, _priority(pod), UNKNOWN, 0
        used = use(pod, found)
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


def _by_count(_: Pod, stats: PodStats | None) -> tuple[int, int]:
    return (UNKNOWN, 0) if stats is None else (EXCEEDING, -process_count(stats))


def _priority(pod: Pod) -> int:
    return pod.spec.priority or 0

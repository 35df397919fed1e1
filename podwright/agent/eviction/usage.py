"""The usage of a pod, by the resources that eviction watches. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from podwright.agent.eviction.layout import DiskPart
from podwright.agent.stats.records import Fs, PodStats
from podwright.agent.stats.records import SummaryVolume as VolumeStats
from podwright.agent.stats.volumes import is_local_ephemeral
from podwright.k8s.objects import Pod


def memory_bytes(stats: PodStats) -> int:
    """The working set."""
    return (stats.memory.working_set_bytes or 0) if stats.memory is not None else 0


def process_count(stats: PodStats) -> int:
    """All processes of the pod."""
    return (stats.process_stats.process_count or 0) if stats.process_stats is not None else 0


def disk_bytes(pod: Pod, stats: PodStats, parts: Iterable[DiskPart]) -> int:
    """The space of these parts."""
    return sum(each.used_bytes or 0 for each in _filesystems(pod, stats, frozenset(parts)))


def disk_inodes(pod: Pod, stats: PodStats, parts: Iterable[DiskPart]) -> int:
    """The inodes of these parts."""
    return sum(each.inodes_used or 0 for each in _filesystems(pod, stats, frozenset(parts)))


def _filesystems(pod: Pod, stats: PodStats, parts: frozenset[DiskPart]) -> list[Fs | VolumeStats]:
    found: list[Fs | VolumeStats | None] = []
    if DiskPart.LAYERS in parts:
        found += [each.rootfs for each in stats.containers]
    if DiskPart.LOGS in parts:
        found += [each.logs for each in stats.containers]
    if DiskPart.VOLUMES in parts:
        local = {each.name for each in pod.spec.volumes if each.host_path is not None or is_local_ephemeral(each)}
        found += [each for each in stats.volume_stats if each.name in local]
    return [each for each in found if each is not None]

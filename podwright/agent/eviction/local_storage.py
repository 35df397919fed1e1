"""Finds pods that exceed their own limits of local storage: emptyDir volumes, the whole pod, containers. Pure.

The rules are those of localStorageEviction (pkg/kubelet/eviction/eviction_manager.go of Kubernetes 1.36).
"""

from __future__ import annotations

import msgspec

from podwright.agent.eviction.signals import STORAGE
from podwright.agent.pods.resources import pod_limits
from podwright.agent.stats.records import PodStats, SummaryContainer
from podwright.k8s.objects import Pod
from podwright.k8s.quantity import NANO, Amount, Format, parse


class Overuse(msgspec.Struct, frozen=True, kw_only=True):
    """A limit that is exceeded: its name in metrics, and the message of the eviction."""

    signal: str
    message: str


def has_limits(pod: Pod) -> bool:
    """Whether the pod has any limit of local storage. Other pods need not be measured."""
    return any(each.empty_dir is not None and each.empty_dir.size_limit for each in pod.spec.volumes) or any(
        STORAGE in each.resources.limits for each in (*pod.spec.containers, *pod.spec.init_containers)
    )


def overuse(pod: Pod, stats: PodStats, *, images_apart: bool) -> Overuse | None:
    """The first limit that the pod exceeds. `images_apart`: containers' layers are not on the node's filesystem."""
    return _volumes(pod, stats) or _whole(pod, stats) or _containers(pod, stats, images_apart)


def _volumes(pod: Pod, stats: PodStats) -> Overuse | None:
    used = {each.name: each.used_bytes for each in stats.volume_stats}
    for volume in pod.spec.volumes:
        limit = volume.empty_dir.size_limit if volume.empty_dir is not None else None
        amount = parse(limit) if limit else Amount(0)
        if amount.nano > 0 and _bytes(used.get(volume.name)) > amount:
            text = f'Usage of EmptyDir volume "{volume.name}" exceeds the limit "{amount}". '
            return Overuse(signal="emptydirfs.limit", message=text)
    return None


def _whole(pod: Pod, stats: PodStats) -> Overuse | None:
    limit = pod_limits(pod.spec).get(STORAGE)
    used = stats.ephemeral_storage.used_bytes if stats.ephemeral_storage is not None else None
    if limit is None or _bytes(used) <= limit:
        return None
    text = f"Pod ephemeral local storage usage exceeds the total limit of containers {limit}. "
    return Overuse(signal="ephemeralpodfs.limit", message=text)


def _containers(pod: Pod, stats: PodStats, images_apart: bool) -> Overuse | None:
    limits = {each.name: parse(each.resources.limits.get(STORAGE, "0")) for each in pod.spec.containers}
    for each in stats.containers:
        limit = limits.get(each.name, Amount(0))
        if limit.nano and _used(each, images_apart) > limit:
            text = f'Container {each.name} exceeded its local ephemeral storage limit "{limit}". '
            return Overuse(signal="ephemeralcontainerfs.limit", message=text)
    return None


def _used(stats: SummaryContainer, images_apart: bool) -> Amount:
    parts = (stats.logs,) if images_apart else (stats.logs, stats.rootfs)
    return _bytes(sum(part.used_bytes or 0 for part in parts if part is not None))


def _bytes(count: int | None) -> Amount:
    return Amount((count or 0) * NANO, Format.BINARY)

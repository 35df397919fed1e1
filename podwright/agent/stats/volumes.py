"""Measures pods' volumes, in a thread on request, and keeps the results for a while.

CSI volumes are measured by their drivers. A driver that does not answer delays only the results of its own volumes.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec
from msgspec import structs
from msgspec.structs import replace

from podwright.agent.clock import Clock
from podwright.agent.csi.values import Amounts
from podwright.agent.csi.values import VolumeStats as CsiStats
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.stats import disk
from podwright.agent.stats.records import Fs, Moment, PvcReference, VolumeHealth, moment
from podwright.agent.stats.records import SummaryVolume as VolumeStats
from podwright.agent.volumes.plans import MountedVolume
from podwright.errors import PodwrightError
from podwright.k8s.objects import Pod, Volume
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

PATIENCE_S = 2.0  # how long callers wait; volumes that are not measured by then are left out
Mounted = Callable[[str], Mapping[str, MountedVolume]]
Ask = Callable[[str, str, str], Awaitable[CsiStats | None]]
ABNORMAL = "VolumeConditionAbnormal"


class PodVolumeStats(msgspec.Struct, frozen=True, kw_only=True):
    """`ephemeral` volumes count against the pod's storage."""

    ephemeral: tuple[VolumeStats, ...] = ()
    persistent: tuple[VolumeStats, ...] = ()


class VolumeUsagePorts(msgspec.Struct, frozen=True, kw_only=True):
    """What measuring needs: `mounted` returns a pod's volumes, `ask` a driver's statistics of a volume at a path."""

    mounted: Mounted
    ask: Ask
    events: EventRecorder
    clock: Clock


class VolumeUsage:
    """Measures volumes and keeps the results."""

    def __init__(self, ports: VolumeUsagePorts, period_s: float, *, with_health: bool = False) -> None:
        """A result is valid for `period_s` (0 and less: nothing is measured).

        `with_health`: the gate CSIVolumeHealth.
        """
        self._ports = ports
        self._mounted = ports.mounted
        self._clock = ports.clock
        self._period_s = period_s
        self._with_health = with_health
        self._known: dict[str, tuple[float, PodVolumeStats]] = {}
        self._measuring: asyncio.Task[None] | None = None
        self._tasks = Tasks()

    async def of(self, pods: Iterable[Pod]) -> dict[str, PodVolumeStats]:
        """The results for these pods, by UID."""
        wanted = {pod.metadata.uid: pod for pod in pods}
        for uid in self._known.keys() - wanted.keys():
            del self._known[uid]
        if self._period_s <= 0:
            return {}
        now = self._clock.monotonic()
        old = [pod for uid, pod in wanted.items() if uid not in self._known or self._known[uid][0] <= now]
        if old and self._measuring is None:
            self._measuring = self._tasks.start(self._measure(old), name="measure volumes")
        if old and self._measuring is not None:
            await asyncio.wait({self._measuring}, timeout=PATIENCE_S)
        return {uid: known[1] for uid, known in self._known.items()}

    async def close(self) -> None:
        """Stop measuring."""
        await self._tasks.close()

    async def _measure(self, pods: list[Pod]) -> None:
        try:
            for pod in pods:
                uid = pod.metadata.uid
                at = moment(self._clock.now_ns())
                found = await asyncio.to_thread(measure, pod, dict(self._mounted(uid)), at)
                self._known[uid] = (self._clock.monotonic() + self._period_s, found)
            await asyncio.gather(*(self._ask_drivers(pod) for pod in pods))
        finally:
            self._measuring = None

    async def _ask_drivers(self, pod: Pod) -> None:
        """Add the drivers' results for the pod's volumes."""
        uid = pod.metadata.uid
        mounted = self._mounted(uid)
        named = [(each, mounted[each.name]) for each in pod.spec.volumes if each.name in mounted]
        answers = await asyncio.gather(*(self._ask(pod, volume, place) for volume, place in named if place.stored))
        found = tuple(answer for answer in answers if answer is not None)
        if found and uid in self._known:
            until, known = self._known[uid]
            self._known[uid] = (until, replace(known, persistent=(*known.persistent, *found)))

    async def _ask(self, pod: Pod, volume: Volume, place: MountedVolume) -> VolumeStats | None:
        stored, at = place.stored, moment(self._clock.now_ns())
        if stored is None:
            return None
        try:
            path = os.readlink(place.path) if place.is_block else place.path
            answer = await self._ports.ask(stored.driver, stored.handle, path)
        except (OSError, PodwrightError) as failure:
            log.info("a volume cannot be measured: pod=%s volume=%s error=%s", pod.metadata.uid, volume.name, failure)
            return None
        if answer is None:
            return None
        stats = _stats(volume, _filesystem_of(answer, at), pod)
        if not self._with_health or answer.problem is None:
            return stats
        if answer.problem:
            self._ports.events.pod(pod, "Warning", ABNORMAL, f"Volume {volume.name}: {answer.problem}")
        return structs.replace(stats, volume_health_stats=VolumeHealth(abnormal=bool(answer.problem)))


def measure(pod: Pod, mounted: Mapping[str, MountedVolume], at: Moment) -> PodVolumeStats:
    """Measure the pod's own volumes, except those that drivers measure. Blocks."""
    ephemeral: list[VolumeStats] = []
    persistent: list[VolumeStats] = []
    for volume in pod.spec.volumes:
        place = mounted.get(volume.name)
        if place is None or not place.path or not place.is_measured:
            continue
        try:
            found = _measured(volume, place.path, at)
        except (OSError, PodwrightError) as failure:
            log.info("a volume cannot be measured: pod=%s volume=%s error=%s", pod.metadata.uid, volume.name, failure)
            continue
        stats = _stats(volume, found, pod)
        (ephemeral if is_local_ephemeral(volume) else persistent).append(stats)
    return PodVolumeStats(ephemeral=tuple(ephemeral), persistent=tuple(persistent))


def _measured(volume: Volume, path: str, at: Moment) -> Fs:
    """Measure one volume. A claim has its own filesystem. Other volumes share one, so their files are counted."""
    whole = disk.filesystem(path, at)
    if volume.persistent_volume_claim is not None or volume.ephemeral is not None:
        return whole
    return disk.of(whole, disk.directory(path), at)


def _filesystem_of(answer: CsiStats, at: Moment) -> Fs:
    """A driver's answer as a filesystem. What it does not report is 0, as in a kubelet."""
    sizes, inodes = answer.bytes or _NOTHING, answer.inodes or _NOTHING
    return Fs(
        time=at,
        available_bytes=sizes.available,
        capacity_bytes=sizes.total,
        used_bytes=sizes.used,
        inodes_free=inodes.available,
        inodes=inodes.total,
        inodes_used=inodes.used,
    )


_NOTHING = Amounts(total=0, available=0, used=0)


def _stats(volume: Volume, found: Fs, pod: Pod) -> VolumeStats:
    claim = ""
    if volume.persistent_volume_claim is not None:
        claim = volume.persistent_volume_claim.claim_name
    elif volume.ephemeral is not None:
        claim = f"{pod.metadata.name}-{volume.name}"
    return VolumeStats(
        name=volume.name,
        pvc_ref=PvcReference(name=claim, namespace=pod.metadata.namespace) if claim else None,
        time=found.time,
        available_bytes=found.available_bytes,
        capacity_bytes=found.capacity_bytes,
        used_bytes=found.used_bytes,
        inodes_free=found.inodes_free,
        inodes=found.inodes,
        inodes_used=found.inodes_used,
    )


def is_local_ephemeral(volume: Volume) -> bool:
    """Whether it counts against the pod's ephemeral storage (pkg/volume/util.IsLocalEphemeralVolume)."""
    on_disk = volume.empty_dir is not None and volume.empty_dir.medium == ""
    return on_disk or volume.git_repo is not None or volume.config_map is not None

"""What the volumes of pods hold: measured in a thread, and again when that is old. Nothing is measured unasked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from podwright.agent.clock import Clock
from podwright.agent.stats import disk
from podwright.agent.stats.records import ClaimReference, Fs, Moment, moment
from podwright.agent.stats.records import Volume as VolumeStats
from podwright.agent.volumes.plans import MountedVolume
from podwright.errors import PodwrightError
from podwright.k8s.objects import Pod, Volume
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

PATIENCE_S = 2.0  # of whoever asks: volumes that are not measured by then are left out
Mounted = Callable[[str], Mapping[str, MountedVolume]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodVolumeStats:
    """`ephemeral` volumes count against the pod's storage."""

    ephemeral: tuple[VolumeStats, ...] = ()
    persistent: tuple[VolumeStats, ...] = ()


class VolumeUsage:
    """Measures and remembers."""

    def __init__(self, mounted: Mounted, clock: Clock, period_s: float) -> None:
        """`mounted` gives a pod's volumes; a measurement is good for `period_s` (0 and less: none is made)."""
        self._mounted = mounted
        self._clock = clock
        self._period_s = period_s
        self._known: dict[str, tuple[float, PodVolumeStats]] = {}
        self._measuring: asyncio.Task[None] | None = None
        self._tasks = Tasks()

    async def of(self, pods: Iterable[Pod]) -> dict[str, PodVolumeStats]:
        """What is known of the volumes of these pods, by UID."""
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
        """Measure no more."""
        await self._tasks.close()

    async def _measure(self, pods: list[Pod]) -> None:
        try:
            for pod in pods:
                uid = pod.metadata.uid
                at = moment(self._clock.now_ns())
                found = await asyncio.to_thread(measure, pod, dict(self._mounted(uid)), at)
                self._known[uid] = (self._clock.monotonic() + self._period_s, found)
        finally:
            self._measuring = None


def measure(pod: Pod, mounted: Mapping[str, MountedVolume], at: Moment) -> PodVolumeStats:
    """The pod's volumes. Those that cannot be measured are left out: hostPath and images. Blocks."""
    ephemeral: list[VolumeStats] = []
    persistent: list[VolumeStats] = []
    for volume in pod.spec.volumes:
        place = mounted.get(volume.name)
        if place is None or not place.path or volume.host_path is not None:
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
    """A claim's filesystem is its own; other volumes share one, so that their files are counted."""
    whole = disk.filesystem(path, at)
    if volume.persistent_volume_claim is not None or volume.ephemeral is not None:
        return whole
    return disk.of(whole, disk.directory(path), at)


def _stats(volume: Volume, found: Fs, pod: Pod) -> VolumeStats:
    claim = ""
    if volume.persistent_volume_claim is not None:
        claim = volume.persistent_volume_claim.claim_name
    elif volume.ephemeral is not None:
        claim = f"{pod.metadata.name}-{volume.name}"
    return VolumeStats(
        name=volume.name,
        pvc_ref=ClaimReference(name=claim, namespace=pod.metadata.namespace) if claim else None,
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

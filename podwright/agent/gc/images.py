"""Removes unused images, when the disk fills up, or when they were unused for the maximum age."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Iterable, Sequence

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.gc.unused_images import (
    Disk,
    ImageAge,
    ImagePolicy,
    Unused,
    ages_now,
    candidates,
    old_enough,
    size_text,
    too_old,
    used_names,
)
from podwright.agent.runtime.protocol import CriImages, CriRuntime
from podwright.agent.runtime.records import ContainerSummary, CriContainerStatus, ImageStatus, ObservedPod
from podwright.errors import FailedPrecondition, Internal, NotFound, PodwrightError, ResourceExhausted

log = logging.getLogger(__name__)

PERIOD_S = 300.0
LOOK_S = 30.0  # between looks that only note which images are used


def disk_at(path: str) -> Disk:
    """The filesystem of a path. Raises OSError."""
    status = os.statvfs(path)
    return Disk(capacity_bytes=status.f_blocks * status.f_frsize, available_bytes=status.f_bavail * status.f_frsize)


class ImageGcPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the collector needs of other rooms."""

    images: CriImages
    runtime: CriRuntime
    observed: Callable[[], Iterable[ObservedPod]]  # the newest look at every pod
    events: EventRecorder
    clock: Clock
    on_removed: Callable[[Iterable[str], int], None]  # called with remaining ids, and the list's time
    disk: Callable[[str], Disk] = disk_at


class ImageGc:
    """Runs the collection."""

    def __init__(self, ports: ImageGcPorts, policy: ImagePolicy) -> None:
        self._ports = ports
        self._policy = policy
        self._ages: dict[str, ImageAge] = {}
        self._began_at: float | None = None
        self._turn = asyncio.Lock()
        self._has_failed = False

    async def run(self) -> None:
        """Check every five minutes, also to note which images are used. Returns only if collection is off."""
        while not self._policy.is_off:
            try:
                await self.collect()
                self._has_failed = False
            except (PodwrightError, OSError) as failure:
                log.warning("images cannot be collected: error=%s", failure)
                if self._has_failed:  # a first failure is normal while the runtime starts
                    self._ports.events.node("Warning", "ImageGCFailed", str(failure))
                self._has_failed = True
            await self._pause()

    async def _pause(self) -> None:
        """Wait until the next collection. If age counts, look at the images in between.

        For a kubelet an image that was never used is too old at once. Here its age begins with the first look.
        """
        left_s = PERIOD_S
        while self._policy.max_age_s and left_s > LOOK_S:
            await asyncio.sleep(LOOK_S)
            left_s -= LOOK_S
            with contextlib.suppress(PodwrightError):  # the collection reports failures
                async with self._turn:
                    await self._unused(self._ports.clock.monotonic())
        await asyncio.sleep(left_s)

    async def collect(self) -> None:
        """Remove images that are too old, and images to free space. Raises PodwrightError and OSError."""
        async with self._turn:
            began_ns, now = self._ports.clock.now_ns(), self._ports.clock.monotonic()
            self._began_at = now if self._began_at is None else self._began_at
            images, unused = await self._unused(now)
            old = too_old(unused, self._policy, now, self._began_at)
            left = [each for each in unused if each not in old]
            await self._remove(images, old, began_ns, reason="age")
            disk = await self._disk()
            to_free = disk.bytes_to_free(self._policy)
            if to_free:
                await self._free(disk, to_free, images, old_enough(left, self._policy, now), began_ns)

    async def remove_all_unused(self) -> int:
        """Remove every unused image that is old enough, because the disk is full. Returns the freed bytes.

        Raises PodwrightError.
        """
        async with self._turn:
            began_ns, now = self._ports.clock.now_ns(), self._ports.clock.monotonic()
            images, unused = await self._unused(now)
            return await self._remove(images, old_enough(unused, self._policy, now), began_ns, reason="space")

    async def _unused(self, now: float) -> tuple[list[ImageStatus], list[Unused]]:
        """(all images, the unused ones in the order of their removal)."""
        images, containers = await asyncio.gather(self._ports.images.images(), self._ports.runtime.containers())
        names = used_names(containers, await self._details(containers))
        self._ages = ages_now(self._ages, images, names, now)
        return images, candidates(images, self._ages, names)

    async def _details(self, containers: Sequence[ContainerSummary]) -> list[CriContainerStatus]:
        """The containers' statuses, which name the images of their volumes. Fetches those that are not known."""
        known = {status.id: status for pod in self._ports.observed() for status in pod.containers}
        found = []
        for each in containers:
            try:
                found.append(known.get(each.id) or await self._ports.runtime.container_status(each.id))
            except NotFound:
                continue
        return found

    async def _disk(self) -> Disk:
        filesystems, _ = await self._ports.images.filesystems()
        if not filesystems:
            raise FailedPrecondition("the runtime does not say where its images are (ImageFsInfo)")
        disk = self._ports.disk(filesystems[0].mountpoint)
        if not disk.capacity_bytes:
            message = "invalid capacity 0 on image filesystem"
            self._ports.events.node("Warning", "InvalidDiskCapacity", message)
            raise FailedPrecondition(f"{message} {filesystems[0].mountpoint}")
        return disk

    async def _free(
        self, disk: Disk, to_free: int, images: list[ImageStatus], unused: Sequence[Unused], began_ns: int
    ) -> None:
        """Free space. Raises ResourceExhausted if there is not enough to remove."""
        log.info("the disk of images fills up: used=%d%% to_free=%s", disk.used_percent, size_text(to_free))
        freed = await self._remove(images, unused, began_ns, reason="space", enough=to_free)
        if freed < to_free:
            message = (
                f"Insufficient free disk space on the node's image filesystem ({disk.used_percent}% of "
                f"{size_text(disk.capacity_bytes)} used). Failed to free sufficient space by deleting unused images "
                f"(freed {freed} bytes). Investigate disk usage, as it could be used by active images, logs, volumes, "
                "or other data."
            )
            self._ports.events.node("Warning", "FreeDiskSpaceFailed", message)
            raise ResourceExhausted(message)

    async def _remove(
        self,
        images: list[ImageStatus],
        chosen: Sequence[Unused],
        began_ns: int,
        *,
        reason: str,
        enough: float = float("inf"),
    ) -> int:
        """Remove images, also from the list, until `enough` bytes are freed. Returns the freed bytes.

        Tries all, then raises Internal if one could not be removed.
        """
        failures, freed = [], 0
        for each in chosen:
            if freed >= enough:
                break
            log.info("an image is removed: id=%s size=%d reason=%s", each.image.id, each.image.size_bytes, reason)
            try:
                await self._ports.images.remove_image(each.image.id)
            except PodwrightError as failure:
                failures.append(f"{each.image.id}: {failure}")
                continue
            freed += each.image.size_bytes
            images.remove(each.image)
            self._ages.pop(each.image.id, None)
        if chosen:
            self._ports.on_removed([image.id for image in images], began_ns)
        if failures:
            raise Internal(f"images cannot be removed: {'; '.join(failures)}")
        return freed

"""Decides which images to remove, and in which order. Pure. The rules are the kubelet's (pkg/kubelet/images).

Times are seconds of `Clock.monotonic`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from podwright.agent.runtime.records import ContainerSummary, CriContainerStatus, ImageStatus


class ImagePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of the configuration. `max_age_s` 0: images are never too old."""

    high_percent: int = 85
    low_percent: int = 80
    min_age_s: float = 120.0
    max_age_s: float = 0.0

    @property
    def is_off(self) -> bool:
        """Whether images are never removed."""
        return self.high_percent >= 100 and not self.max_age_s


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """The filesystem that holds images."""

    capacity_bytes: int
    available_bytes: int

    @property
    def used_percent(self) -> int:
        """The used part in percent, rounded up."""
        return 100 - min(self.available_bytes, self.capacity_bytes) * 100 // self.capacity_bytes

    def bytes_to_free(self, policy: ImagePolicy) -> int:
        """The bytes to free: 0 below the high threshold, else down to the low one."""
        if self.used_percent < policy.high_percent:
            return 0
        return max(self.capacity_bytes * (100 - policy.low_percent) // 100 - self.available_bytes, 0)


class ImageAge(msgspec.Struct, frozen=True, kw_only=True):
    """When an image was first seen, and last used. None: never."""

    first_seen_at: float
    used_at: float | None = None


class Unused(msgspec.Struct, frozen=True, kw_only=True):
    """An image that no container uses."""

    image: ImageStatus
    age: ImageAge

    @property
    def idle_since(self) -> float:
        """When it was last used, or first seen."""
        return self.age.first_seen_at if self.age.used_at is None else self.age.used_at

    @property
    def rank(self) -> tuple[float, float]:
        """The order of removal: never used first, then used longest ago."""
        return (float("-inf") if self.age.used_at is None else self.age.used_at, self.age.first_seen_at)


def used_names(containers: Iterable[ContainerSummary], details: Iterable[CriContainerStatus]) -> set[str]:
    """All names by which containers, also dead ones, refer to their images and the images of their volumes."""
    names = {name for each in containers for name in (each.image, each.image_id)}
    for status in details:
        names |= {status.image, status.image_id, status.image_ref}
        names |= {mount.image for mount in status.mounts}
    return names - {""}


def is_used(image: ImageStatus, names: Collection[str]) -> bool:
    """Whether one of an image's names is among them. Runtimes report different ones."""
    return any(name in names for name in (image.id, *image.tags, *image.digests))


def ages_now(
    known: dict[str, ImageAge], images: Iterable[ImageStatus], names: Collection[str], now: float
) -> dict[str, ImageAge]:
    """The ages of the present images, by id."""
    ages = {}
    for image in images:
        age = known.get(image.id) or ImageAge(first_seen_at=now)
        ages[image.id] = ImageAge(first_seen_at=age.first_seen_at, used_at=now) if is_used(image, names) else age
    return ages


def candidates(images: Iterable[ImageStatus], ages: dict[str, ImageAge], names: Collection[str]) -> list[Unused]:
    """The unused images in the order of their removal. Pinned images stay."""
    unused = [image for image in images if not image.pinned and not is_used(image, names)]
    return sorted((Unused(image=image, age=ages[image.id]) for image in unused), key=lambda each: each.rank)


def too_old(unused: Iterable[Unused], policy: ImagePolicy, now: float, began_at: float) -> list[Unused]:
    """The images that were unused for the maximum age. None before the agent has run for that long."""
    if not policy.max_age_s or now - began_at <= policy.max_age_s:
        return []
    return [each for each in unused if now - each.idle_since > policy.max_age_s]


def old_enough(unused: Iterable[Unused], policy: ImagePolicy, now: float) -> list[Unused]:
    """The images that may be removed to free space. A younger one may be for a container that starts now."""
    return [each for each in unused if now - each.age.first_seen_at >= policy.min_age_s]


def size_text(size_bytes: float) -> str:
    """`1.5 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size_bytes < 1024:
            return f"{int(size_bytes)} B" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.1f} TiB"

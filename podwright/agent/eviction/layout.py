"""The filesystems of images and containers' layers, and what to measure and remove on each. Pure.

The rules are those of buildSignalToRankFunc and buildSignalToNodeReclaimFuncs (pkg/kubelet/eviction/helpers.go).
"""

from __future__ import annotations

import enum

import msgspec

from podwright.agent.config.thresholds import EvictionSignal
from podwright.agent.stats.protocol import Filesystems

_NODE_FS = (EvictionSignal.NODE_FS, EvictionSignal.NODE_FS_INODES)
_IMAGE_FS = (EvictionSignal.IMAGE_FS, EvictionSignal.IMAGE_FS_INODES)
_CONTAINER_FS = (EvictionSignal.CONTAINER_FS, EvictionSignal.CONTAINER_FS_INODES)


class DiskPart(enum.Enum):
    """A part of what a pod has on disk."""

    LAYERS = "layers"
    LOGS = "logs"
    VOLUMES = "volumes"


class Garbage(enum.Enum):
    """Something on disk that nobody needs."""

    CONTAINERS = "containers"
    IMAGES = "images"


class DiskLayout(msgspec.Struct, frozen=True, kw_only=True):
    """`images_apart`: images have a filesystem of their own. `layers_apart`: and containers' layers are not on it."""

    images_apart: bool = False
    layers_apart: bool = False

    @classmethod
    def of(cls, filesystems: Filesystems) -> DiskLayout:
        """The layout of a node."""
        return cls(
            images_apart=filesystems.dedicated_images,
            layers_apart=filesystems.dedicated_images and filesystems.dedicated_containers,
        )

    @property
    def layers_on_images(self) -> bool:
        """Whether layers are on the images' own filesystem."""
        return self.images_apart and not self.layers_apart

    def parts(self, signal: EvictionSignal) -> frozenset[DiskPart]:
        """The parts of pods that are on the filesystem of a signal."""
        if not self.images_apart:
            return frozenset(DiskPart)
        on_node = frozenset({DiskPart.LOGS, DiskPart.VOLUMES})
        if self.layers_apart:
            return frozenset() if signal in _IMAGE_FS else frozenset(DiskPart)
        return on_node if signal in _NODE_FS else frozenset({DiskPart.LAYERS})

    def garbage(self, signal: EvictionSignal) -> tuple[Garbage, ...]:
        """The garbage to remove before a pod is evicted, in this order. Empty for signals that are not about disks."""
        if signal not in (*_NODE_FS, *_IMAGE_FS, *_CONTAINER_FS):
            return ()
        both = (Garbage.CONTAINERS, Garbage.IMAGES)
        if not self.images_apart:
            return both
        if self.layers_apart:
            return (Garbage.IMAGES,) if signal in _IMAGE_FS else (Garbage.CONTAINERS,)
        return () if signal in _NODE_FS else both

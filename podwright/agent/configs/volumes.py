"""The interface of mounted volumes, for CRI's messages."""

from __future__ import annotations

from typing import Protocol


class VolumeContent(Protocol):
    """A mounted volume: `volumes.plans.MountedVolume`."""

    @property
    def path(self) -> str:
        """Its directory or file on this machine, empty for an image volume."""

    @property
    def read_only(self) -> bool:
        """Whether every mount of it must be read-only."""

    @property
    def selinux_relabel(self) -> bool:
        """Whether the runtime must give it the pod's SELinux label."""

    @property
    def image(self) -> str:
        """The reference of an image volume, empty for any other."""

    @property
    def is_block(self) -> bool:
        """Whether it is a device."""

    @property
    def gid(self) -> int | None:
        """The group that its users need."""

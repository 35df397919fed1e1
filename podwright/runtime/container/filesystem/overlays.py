"""Overlay mounts of an image's layers, for a container's root and for image volumes."""

from __future__ import annotations

import os
import stat

from podwright.linux import mount
from podwright.runtime.image.trees import ImageTree


def mount_writable(image: ImageTree, target: str, *, upper: str, work: str, label: str) -> None:
    """Mount the image on `target`. Writes go to `upper`. `label` is an SELinux label. Raises OSError."""
    _copy_root(image, upper)
    mount.mount_overlay(mount.Overlay(target=target, lower=image.layers, upper=upper, work=work, label=label))


def mount_readonly(image: ImageTree, target: str, *, top: str, label: str) -> None:
    """Mount the image on `target`. `top` is an empty directory that the mount uses. Raises OSError."""
    _copy_root(image, top)
    mount.mount_overlay(mount.Overlay(target=target, lower=(top, *image.layers), label=label))


def _copy_root(image: ImageTree, directory: str) -> None:
    """Give the overlay's top directory the mode and owner of the image's `/`, which the merged root shows."""
    found = os.stat(image.root)
    os.chown(directory, found.st_uid, found.st_gid)
    os.chmod(directory, stat.S_IMODE(found.st_mode))

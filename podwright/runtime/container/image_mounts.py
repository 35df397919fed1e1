"""Overlays over the layers of an image: a container's root, and image volumes."""

from __future__ import annotations

import os
import stat

from podwright.linux import mount
from podwright.runtime.image.trees import ImageTree


def mount_writable(image: ImageTree, target: str, *, upper: str, work: str, label: str) -> None:
    """Mount the image on `target`; what is written goes to `upper`. `label` is SELinux's. Raises OSError."""
    _copy_root(image, upper)
    mount.mount_overlay(mount.Overlay(target=target, lower=image.layers, upper=upper, work=work, label=label))


def mount_readonly(image: ImageTree, target: str, *, top: str, label: str) -> None:
    """Mount the image on `target`. `top` is an empty directory that stays in use. Raises OSError."""
    _copy_root(image, top)
    mount.mount_overlay(mount.Overlay(target=target, lower=(top, *image.layers), label=label))


def _copy_root(image: ImageTree, directory: str) -> None:
    """Give the overlay's topmost directory the mode and owner of the image's `/`: the merged root shows them."""
    found = os.stat(image.root)
    os.chown(directory, found.st_uid, found.st_gid)
    os.chmod(directory, stat.S_IMODE(found.st_mode))

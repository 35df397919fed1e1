"""The filesystem under a directory of the daemon."""

from __future__ import annotations

import os

from podwright.doctor.facts import StorageFacts
from podwright.linux.mount import enclosing_mount, read_mounts


def gather_storage(root: str) -> StorageFacts:
    """The filesystem of `root`, or of its nearest existing parent, which is then `Storage.root`."""
    folder = os.path.realpath(root)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    usage = os.statvfs(folder)
    mount = enclosing_mount(read_mounts(), folder)
    return StorageFacts(
        root=folder,
        filesystem=mount.filesystem if mount else "",
        free_bytes=usage.f_bavail * usage.f_frsize,
        total_bytes=usage.f_blocks * usage.f_frsize,
        free_inodes=usage.f_favail,
        total_inodes=usage.f_files,
        writable=os.access(folder, os.W_OK),
    )

"""Mounts and unmounts storage below the pods' directories. Blocking."""

from __future__ import annotations

import os

from podwright.linux import detached, libc, mount

DIRECTORY_MODE = 0o750


def is_mounted(path: str) -> bool:
    """Whether something is mounted exactly there. Does not touch the file system, which may not answer."""
    return any(point.target == path for point in mount.read_mounts(containing=os.path.basename(os.path.dirname(path))))


def targets_below(directory: str, ending: str) -> list[str]:
    """The mount points below a directory whose paths have that ending."""
    return [
        point.target
        for point in mount.read_mounts(containing=ending.rpartition("/")[2])
        if point.target.startswith(f"{directory}/") and point.target.endswith(ending)
    ]


def bind(source: str, target: str, flags: int) -> None:
    """Bind a directory, with flags of mount(2) such as MS_RDONLY. A failure leaves nothing. Raises OSError."""
    os.makedirs(target, mode=DIRECTORY_MODE, exist_ok=True)
    try:
        mount.bind(source, target)
        if flags:
            libc.mount("none", target, None, mount.MS_BIND | mount.MS_REMOUNT | flags, None)
    except OSError:
        detached.detach(target)
        os.rmdir(target)
        raise


def unmount_directory(path: str) -> None:
    """Unmount the directory and remove it. An absent one succeeds. Raises OSError."""
    if is_mounted(path):
        detached.detach(path)
    try:
        os.rmdir(path)
    except FileNotFoundError:
        return

"""Applies the pod's fsGroup to the files of a volume: the group, and modes that give it access.

The rules are the kubelet's (pkg/volume/volume_linux.go). No link is followed, because a container may replace files by
links meanwhile. Blocking: a volume may hold millions of files.
"""

from __future__ import annotations

import contextlib
import os
import stat

import msgspec

from podwright.agent.volumes import trees

READ_WRITE, READ_ONLY, PASS_THROUGH = 0o660, 0o440, 0o110
ON_ROOT_MISMATCH = "OnRootMismatch"


class GroupChange(msgspec.Struct, frozen=True, kw_only=True):
    """The group to give a volume to. `policy` is the pod's fsGroupChangePolicy, where empty means Always."""

    group: int
    read_only: bool = False
    policy: str = ""


class OwnershipProgress(msgspec.Struct):
    """How many files a change of group has visited. One thread writes, others only read."""

    files: int = 0


def wanted_mode(mode: int, *, is_directory: bool, read_only: bool) -> int:
    """The mode that gives the group access. A directory also gets setgid, so that new files get its group."""
    bits = READ_ONLY if read_only else READ_WRITE
    if is_directory:
        bits |= PASS_THROUGH | stat.S_ISGID
    return stat.S_IMODE(mode) | bits


def fits(root: os.stat_result, change: GroupChange) -> bool:
    """Whether the volume's root directory has the group and the modes already."""
    is_directory = stat.S_ISDIR(root.st_mode)
    wanted = wanted_mode(root.st_mode, is_directory=True, read_only=change.read_only)
    return is_directory and root.st_gid == change.group and wanted == stat.S_IMODE(root.st_mode)


def change_group(path: str, change: GroupChange, progress: OwnershipProgress) -> None:
    """Give the volume at `path` to the group, counting in `progress` what was looked at. Raises OSError.

    With the policy OnRootMismatch nothing is done if the root fits. The root is changed last, so it fits only if
    everything below does.
    """
    root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if change.policy == ON_ROOT_MISMATCH and fits(os.fstat(root), change):
            return
        for parent, name in trees.walk(root):
            _give(parent, name, change)
            progress.files += 1
        _give(root, ".", change)
        progress.files += 1
    finally:
        os.close(root)


def set_owner(parent: int, name: str, *, group: int | None, mode: int) -> None:
    """Set the group and exactly this mode of `name` in the directory `parent`. `name` is no link. Raises OSError."""
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        if group is not None:
            os.chown(_path_of(fd), -1, group)
        os.chmod(_path_of(fd), mode)
    finally:
        os.close(fd)


def _give(parent: int, name: str, change: GroupChange) -> None:
    try:
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except FileNotFoundError:  # it was removed meanwhile
        return
    try:
        found = os.fstat(fd)
        if stat.S_ISLNK(found.st_mode):
            with contextlib.suppress(FileNotFoundError):  # as above
                os.chown(name, -1, change.group, dir_fd=parent, follow_symlinks=False)
            return
        mode = wanted_mode(found.st_mode, is_directory=stat.S_ISDIR(found.st_mode), read_only=change.read_only)
        if found.st_gid != change.group:
            os.chown(_path_of(fd), -1, change.group)
        if mode != stat.S_IMODE(found.st_mode) or found.st_gid != change.group:  # chown clears bits
            os.chmod(_path_of(fd), mode)
    finally:
        os.close(fd)


def _path_of(fd: int) -> str:
    """A path to exactly the open file. There is no fchmod for O_PATH descriptors."""
    return f"/proc/self/fd/{fd}"

"""Sizes and usage of filesystems and directories. Blocking: call it in a thread."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from dataclasses import dataclass

from podwright.agent.stats.records import Fs, Moment
from podwright.errors import DeadlineExceeded
from podwright.linux.openat2 import open_inside, opened_root

BLOCK_BYTES = 512  # of st_blocks, whatever the filesystem's are
WALK_LIMIT_S = 60.0
PENDING_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskUsage:
    """What a directory takes."""

    used_bytes: int = 0
    inodes: int = 0

    def __add__(self, other: DiskUsage) -> DiskUsage:
        return DiskUsage(used_bytes=self.used_bytes + other.used_bytes, inodes=self.inodes + other.inodes)


def filesystem(path: str, at: Moment) -> Fs:
    """All of the filesystem at `path`. Raises OSError."""
    found = os.statvfs(path)
    return Fs(
        time=at,
        available_bytes=found.f_bavail * found.f_frsize,
        capacity_bytes=found.f_blocks * found.f_frsize,
        used_bytes=(found.f_blocks - found.f_bfree) * found.f_frsize,
        inodes_free=found.f_ffree,
        inodes=found.f_files,
        inodes_used=found.f_files - found.f_ffree,
    )


def of(whole: Fs, usage: DiskUsage, at: Moment) -> Fs:
    """The same filesystem with what one subject uses of it."""
    return Fs(
        time=at,
        available_bytes=whole.available_bytes,
        capacity_bytes=whole.capacity_bytes,
        used_bytes=usage.used_bytes,
        inodes_free=whole.inodes_free,
        inodes=whole.inodes,
        inodes_used=usage.inodes,
    )


def directory(path: str) -> DiskUsage:
    """A directory and what is below it on the same filesystem. Hard links count once.

    Pods go on writing meanwhile: what disappears is left out, and no link is followed. Raises OSError, and
    DeadlineExceeded after WALK_LIMIT_S.
    """
    deadline = time.monotonic() + WALK_LIMIT_S
    with opened_root(path) as root:
        tally = _DiskTally(os.fstat(root).st_dev)
        pending = ["."]
        while pending:
            pending += tally.count(root, pending.pop())
            if time.monotonic() > deadline or len(pending) > PENDING_LIMIT:
                raise DeadlineExceeded(f"{path} cannot be measured in {WALK_LIMIT_S:g} s", hint="it has many files")
    return DiskUsage(used_bytes=tally.blocks * BLOCK_BYTES, inodes=tally.inodes)


class _DiskTally:
    """Counts. `_shared` are the inodes with several links that were seen."""

    def __init__(self, device: int) -> None:
        self._device = device
        self._shared: set[int] = set()
        self.blocks = 0
        self.inodes = 0

    def count(self, root: int, folder: str) -> list[str]:
        """Add a folder and the files in it. The folders in it are returned."""
        folders: list[str] = []
        try:
            descriptor = open_inside(root, folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # gone, something else by now, or deeper than a path can be long
            return folders
        try:
            if not self._add(os.fstat(descriptor)):
                return folders
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(f"{folder}/{entry.name}")
                    else:
                        with contextlib.suppress(FileNotFoundError):
                            self._add(entry.stat(follow_symlinks=False))
        finally:
            os.close(descriptor)
        return folders

    def _add(self, found: os.stat_result) -> bool:
        """False for what is on another filesystem."""
        if found.st_dev != self._device:
            return False
        if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
            if found.st_ino in self._shared:
                return True
            self._shared.add(found.st_ino)
        self.blocks += found.st_blocks
        self.inodes += 1
        return True


def files(path: str) -> DiskUsage:
    """The files in a directory, without those in folders below it. Nothing when it is not there."""
    total = DiskUsage()
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                found = entry.stat(follow_symlinks=False)
                if not stat.S_ISDIR(found.st_mode):
                    total += DiskUsage(used_bytes=found.st_blocks * BLOCK_BYTES, inodes=1)
    return total


def file(path: str) -> DiskUsage | None:
    """One file. None when it is not there."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return DiskUsage(used_bytes=found.st_blocks * BLOCK_BYTES, inodes=1)

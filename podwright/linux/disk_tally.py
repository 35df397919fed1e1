"""Counting the disk space of a tree that others change meanwhile. Blocking."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable

from podwright.linux.openat2 import open_inside

BLOCK_BYTES = 512  # of st_blocks, whatever the filesystem's are


def _go_on() -> None:
    pass


class DiskTally:
    """Blocks and inodes of a tree. Hard links count once, and no link is followed.

    Files that disappear are left out, and those deeper than a path can be long. `device` leaves out other filesystems.
    """

    def __init__(self, device: int | None = None, step: Callable[[], None] = _go_on) -> None:
        """`step` is called before each file. What it raises ends the count."""
        self._device = device
        self._step = step
        self._linked: set[int] = set()  # the inodes with several links that were counted
        self._blocks = 0
        self.inodes = 0

    @property
    def used_bytes(self) -> int:
        """The space of what was counted."""
        return self._blocks * BLOCK_BYTES

    @property
    def remembered(self) -> int:
        """How many inodes are kept in memory, since they have several links."""
        return len(self._linked)

    def count(self, root: int, folder: str) -> list[str]:
        """Count a folder below the descriptor `root`, and its files. Returns its subfolders."""
        folders: list[str] = []
        try:
            descriptor = open_inside(root, folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # removed, replaced, or too deep
            return folders
        try:
            if not self._add(os.fstat(descriptor)):
                return folders
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    self._step()
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
        if self._device is not None and found.st_dev != self._device:
            return False
        if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
            if found.st_ino in self._linked:
                return True
            self._linked.add(found.st_ino)
        self._blocks += found.st_blocks
        self.inodes += 1
        return True

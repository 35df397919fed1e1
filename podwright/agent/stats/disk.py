"""Measures filesystems and directories. Blocking: call it in a thread."""

from __future__ import annotations

import contextlib
import os
import stat
import time

import msgspec

from podwright.agent.stats.records import Fs, Moment
from podwright.errors import DeadlineExceeded
from podwright.linux.disk_tally import BLOCK_BYTES, DiskTally
from podwright.linux.openat2 import opened_root

WALK_LIMIT_S = 60.0
PENDING_LIMIT = 1_000_000


class DiskUsage(msgspec.Struct, frozen=True, kw_only=True):
    """The usage of a directory."""

    used_bytes: int = 0
    inodes: int = 0

    def __add__(self, other: DiskUsage) -> DiskUsage:
        return DiskUsage(used_bytes=self.used_bytes + other.used_bytes, inodes=self.inodes + other.inodes)


def filesystem(path: str, at: Moment) -> Fs:
    """The whole filesystem at `path`. Raises OSError."""
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
    """The same filesystem with the usage of one subject."""
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

    Pods write meanwhile: files that disappear are left out, and no link is followed. Raises OSError, and
    DeadlineExceeded after WALK_LIMIT_S.
    """
    deadline = time.monotonic() + WALK_LIMIT_S
    with opened_root(path) as root:
        tally = DiskTally(os.fstat(root).st_dev)
        pending = ["."]
        while pending:
            pending += tally.count(root, pending.pop())
            if time.monotonic() > deadline or len(pending) > PENDING_LIMIT:
                raise DeadlineExceeded(f"{path} cannot be measured in {WALK_LIMIT_S:g} s", hint="it has many files")
    return DiskUsage(used_bytes=tally.used_bytes, inodes=tally.inodes)


def files(path: str) -> DiskUsage:
    """The files in a directory, without those in folders below it. Zero for an absent one."""
    total = DiskUsage()
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                found = entry.stat(follow_symlinks=False)
                if not stat.S_ISDIR(found.st_mode):
                    total += DiskUsage(used_bytes=found.st_blocks * BLOCK_BYTES, inodes=1)
    return total


def file(path: str) -> DiskUsage | None:
    """One file. None for an absent one."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return DiskUsage(used_bytes=found.st_blocks * BLOCK_BYTES, inodes=1)

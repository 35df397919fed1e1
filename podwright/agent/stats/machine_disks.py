"""The machine's disks: the usage of their filesystems, and the kernel's counters of their I/O.

As in cAdvisor, a disk is the device of a mounted filesystem: a whole disk would count the I/O of its partitions again.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable

import msgspec

from podwright.agent.stats import disk
from podwright.agent.stats.records import Fs, Moment
from podwright.linux.mount import MountPoint, read_mounts

SECTOR_BYTES = 512  # in /proc/diskstats, whatever the device has
Number = tuple[int, int]  # major and minor


class DiskCounters(msgspec.Struct, frozen=True, kw_only=True):
    """The first fields of a line of /proc/diskstats after the name, in their order (admin-guide/iostats.rst).

    All except `in_progress` only grow.
    """

    reads: int
    reads_merged: int
    sectors_read: int
    read_ms: int
    writes: int
    writes_merged: int
    sectors_written: int
    write_ms: int
    in_progress: int
    io_ms: int
    weighted_io_ms: int


class MachineDisk(msgspec.Struct, frozen=True, kw_only=True):
    """`device` is the mount's source. `io` is None for a device that the kernel does not count."""

    device: str
    space: Fs
    io: DiskCounters | None


NAMES = DiskCounters.__struct_fields__
COLUMNS = len(NAMES)


def parse_diskstats(text: str) -> dict[Number, DiskCounters]:
    """The counters by the device's number. Invalid lines are skipped."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        columns = words[3 : 3 + COLUMNS]
        if len(columns) < COLUMNS or not all(word.isascii() and word.isdigit() for word in (*words[:2], *columns)):
            continue
        found[int(words[0]), int(words[1])] = DiskCounters(**dict(zip(NAMES, map(int, columns), strict=True)))
    return found


def on_disks(mounts: Iterable[MountPoint]) -> dict[str, str]:
    """The first mount of each device, by its path. FUSE is left out, because its server may never answer."""
    found: dict[str, str] = {}
    for mount in mounts:
        if mount.source.startswith("/dev/") and not mount.filesystem.startswith("fuse"):
            found.setdefault(mount.source, mount.target)
    return found


def machine_disks(read: Callable[[str], str], at: Moment) -> tuple[MachineDisk, ...]:
    """All disks, without those that are just being unmounted. Blocking. Raises OSError without mountinfo."""
    counters = parse_diskstats(read("/proc/diskstats"))
    found = []
    for device, target in on_disks(read_mounts(containing=" /dev/")).items():
        with contextlib.suppress(OSError):
            space = disk.filesystem(target, at)
            found.append(MachineDisk(device=device, space=space, io=counters.get(_number(device, target))))
    return tuple(found)


def _number(device: str, target: str) -> Number:
    """The device's number. Without a device node (`/dev/root`) it is that of the filesystem. Raises OSError."""
    with contextlib.suppress(OSError):
        node = os.stat(device)
        if stat.S_ISBLK(node.st_mode):
            return os.major(node.st_rdev), os.minor(node.st_rdev)
    number = os.stat(target).st_dev
    return os.major(number), os.minor(number)

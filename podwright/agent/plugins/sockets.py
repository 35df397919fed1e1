"""Finds the sockets below a folder."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterator

import msgspec

DIRECTORIES_MAX = 1000  # a folder of plug-ins has only a few


class Stamp(msgspec.Struct, frozen=True):
    """Tells a socket from a later one at its path. A change of owner or mode does not change it."""

    device: int
    inode: int
    made_ns: int


def directories(root: str) -> Iterator[str]:
    """The folder and those below it, the upper ones first. Ignores links and hidden folders."""
    for path, names, _ in itertools.islice(os.walk(root), DIRECTORIES_MAX):
        names[:] = sorted(name for name in names if not name.startswith("."))
        yield path


def sockets_in(directory: str) -> dict[str, Stamp]:
    """The sockets of one folder by path. Ignores hidden ones, which plug-ins rename when they are ready."""
    found = {}
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and (stamp := _stamp(entry.path)) is not None:
                    found[entry.path] = stamp
    except OSError:  # it has gone
        return {}
    return found


def _stamp(path: str) -> Stamp | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    if not stat.S_ISSOCK(status.st_mode):
        return None
    return Stamp(status.st_dev, status.st_ino, status.st_mtime_ns)

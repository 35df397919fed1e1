"""Opens files below the node's log directory. No path and no link leads out of it."""

from __future__ import annotations

import asyncio
import errno
import os
import posixpath
import stat
from collections.abc import AsyncIterator

import msgspec

from podwright.linux.openat2 import open_inside, opened_root

LINKS_LIMIT = 8
CHUNK_BYTES = 64 * 1024
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """An open file or directory. The owner closes the descriptor."""

    descriptor: int
    is_directory: bool
    size_bytes: int
    changed_s: float


def open_below(root: str, path: str) -> Opened:
    """Open a regular file or a directory. Raises OSError: EXDEV for a path outside, EACCES for other kinds of files.

    Follows absolute links that lead back into the root, as all links in `containers/` do.
    """
    with opened_root(root) as root_fd:
        descriptor = open_inside(root_fd, _resolved(root, root_fd, path), _OPEN)
    try:
        found = os.fstat(descriptor)
        is_directory = stat.S_ISDIR(found.st_mode)
        if not is_directory and not stat.S_ISREG(found.st_mode):
            raise PermissionError(errno.EACCES, "it is not a regular file", path)
    except BaseException:
        os.close(descriptor)
        raise
    return Opened(descriptor=descriptor, is_directory=is_directory, size_bytes=found.st_size, changed_s=found.st_mtime)


def _resolved(root: str, root_fd: int, path: str) -> str:
    """The path without a link at its end. Raises OSError."""
    path = path.strip("/") or "."
    for _ in range(LINKS_LIMIT):
        descriptor = open_inside(root_fd, path, os.O_PATH | os.O_NOFOLLOW)
        try:
            if not stat.S_ISLNK(os.fstat(descriptor).st_mode):
                return path
            target = os.readlink("", dir_fd=descriptor)
        finally:
            os.close(descriptor)
        target = posixpath.normpath(posixpath.join(root, posixpath.dirname(path), target))
        if not f"{target}/".startswith(f"{posixpath.normpath(root)}/"):
            raise OSError(errno.EXDEV, "the link leads out of the log directory", path)
        path = posixpath.relpath(target, root)
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)


def list_names(descriptor: int) -> list[str]:
    """The names in a directory, sorted. Those of directories end with a slash. Raises OSError."""
    with os.scandir(descriptor) as entries:
        return sorted(f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name for entry in entries)


async def read_parts(descriptor: int, begin: int, count: int) -> AsyncIterator[bytes]:
    """Yield `count` bytes from `begin` on, or as many as there are. Closes the descriptor."""
    try:
        while count > 0:
            part = await asyncio.to_thread(os.pread, descriptor, min(CHUNK_BYTES, count), begin)
            if not part:
                return
            yield part
            begin, count = begin + len(part), count - len(part)
    finally:
        os.close(descriptor)

"""Walks and deletes trees that containers have filled: of any depth and size, with links and mounts in them.

No link is followed and no mount is entered (openat2's RESOLVE_NO_XDEV). The memory does not grow with the number of
files. Blocking.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from podwright.linux import openat2

# Each level of a walk holds two descriptors. The kernel's longest path has few more levels than this.
DEPTH_MAX = 256


def delete(parent: int, name: str) -> None:
    """Delete `name` in the directory `parent` (a descriptor), with all below it. An absent one succeeds.

    Raises OSError: EXDEV or EBUSY if something is mounted on it or below. A mount is never touched.
    """
    try:
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        _delete_directory(parent, name)


def _delete_directory(parent: int, name: str) -> None:
    """Delete a directory tree with one open directory at a time.

    It goes down by name and up by `..`, which must be the directory that it came from.
    """
    here = openat2.open_directory_here(parent, name)
    way: list[tuple[str, tuple[int, int]]] = []  # names on the way down, each with the identity of its parent
    try:
        while True:
            full = _empty(here)
            if full is not None:
                below = openat2.open_directory_here(here, full)
                way.append((full, _identity(here)))
                os.close(here)
                here = below
                continue
            if not way:
                break
            done, origin = way.pop()
            above = os.open("..", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=here)
            os.close(here)
            here = above
            if _identity(here) != origin:
                raise OSError(errno.ESTALE, "the directory was moved while it was being deleted", done)
            os.rmdir(done, dir_fd=here)
    finally:
        os.close(here)
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(name, dir_fd=parent)


def _empty(directory: int) -> str | None:
    """Delete the files and empty directories in it. Returns the name of the first directory that is not empty."""
    with os.scandir(directory) as entries:
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    os.rmdir(entry.name, dir_fd=directory)
                else:
                    os.unlink(entry.name, dir_fd=directory)
            except FileNotFoundError:
                continue
            except OSError as failure:
                if failure.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    return entry.name
                raise
    return None


def _identity(directory: int) -> tuple[int, int]:
    found = os.fstat(directory)
    return found.st_dev, found.st_ino


def walk(directory: int) -> Iterator[tuple[int, str]]:
    """Yield everything below a directory (a descriptor), children first: (descriptor of its directory, name).

    Skips mounts. Raises OSError: ELOOP for a tree with more than DEPTH_MAX levels.
    """
    levels: list[_Level] = []
    try:
        levels.append(_Level(os.dup(directory), ""))
        while levels:
            level = levels[-1]
            entry = level.next()
            if entry is None:
                levels.pop().close()
                if levels:
                    yield levels[-1].fd, level.name
            elif not entry.is_dir(follow_symlinks=False):
                yield level.fd, entry.name
            elif len(levels) < DEPTH_MAX:
                below = _open_own(level.fd, entry.name)
                if below is not None:
                    levels.append(_Level(below, entry.name))
            else:
                raise OSError(errno.ELOOP, f"the tree has more than {DEPTH_MAX} levels", entry.name)
    finally:
        for level in levels:
            level.close()


class _Level:
    """An open directory of a walk. Takes over `fd`, and closes it even if the directory cannot be read."""

    def __init__(self, fd: int, name: str) -> None:
        self.fd = fd
        self.name = name
        try:
            self._entries = os.scandir(fd)
        except OSError:
            os.close(fd)
            raise

    def next(self) -> os.DirEntry[str] | None:
        return next(self._entries, None)

    def close(self) -> None:
        self._entries.close()
        os.close(self.fd)


def _open_own(parent: int, name: str) -> int | None:
    """Open a directory of the same mount. None for a mount, for a link in its place, and for an absent one."""
    try:
        return openat2.open_directory_here(parent, name)
    except OSError as failure:
        if failure.errno in (errno.EXDEV, errno.ELOOP, errno.ENOENT, errno.ENOTDIR):
            return None
        raise

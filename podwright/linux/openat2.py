"""openat2(2): opens paths from images and requests, confined to a root directory."""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from collections.abc import Iterator

from podwright.linux import libc

SYS_OPENAT2 = 437
RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10
CONFINED = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
INSIDE = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS
SAME_TREE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV
LINKS_LIMIT = 40  # the kernel's limit for one path (path_resolution(7))
DEPTH_LIMIT = 256  # for directories that are made for a path


def open_in_root(root_fd: int, path: str, flags: int, mode: int = 0) -> int:
    """A descriptor for `path` as a process chrooted to `root_fd` sees it. Raises OSError.

    Symbolic links, including absolute ones and `..`, stay inside the root. Magic links fail.
    """
    return _open(root_fd, path, flags, mode, CONFINED)


def open_inside(root_fd: int, path: str, flags: int) -> int:
    """A descriptor for `path` below `root_fd`. Raises OSError: EXDEV if a link or `..` leads out of the root."""
    return _open(root_fd, path, flags, 0, INSIDE)


def open_directory_here(parent_fd: int, name: str) -> int:
    """A descriptor of the directory `name` in `parent_fd`, for reading.

    Raises OSError: ELOOP for a symbolic link, EXDEV for a mount point.
    """
    return _open(parent_fd, name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, 0, SAME_TREE)


def _open(root_fd: int, path: str, flags: int, mode: int, resolve: int) -> int:
    how = struct.pack("QQQ", flags | os.O_CLOEXEC, mode, resolve)
    return libc.check(libc.syscall(SYS_OPENAT2, root_fd, os.fsencode(path), how, len(how)), path)


@contextlib.contextmanager
def opened_root(root: str) -> Iterator[int]:
    """An O_PATH descriptor of a trusted directory."""
    fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def read_in_root(root: str, path: str, limit_bytes: int) -> bytes | None:
    """At most `limit_bytes` of a regular file inside `root`, or None if there is none. Raises OSError."""
    with opened_root(root) as root_fd:
        try:
            fd = open_in_root(root_fd, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except (FileNotFoundError, NotADirectoryError):
            return None
    with os.fdopen(fd, "rb") as file:
        return file.read(limit_bytes)


def path_in_root(root: str, path: str) -> str:
    """The host path of `path` inside `root`, with links resolved. Raises OSError."""
    with opened_root(root) as root_fd:
        fd = open_in_root(root_fd, path, os.O_PATH)
        try:
            return os.readlink(f"/proc/self/fd/{fd}")
        finally:
            os.close(fd)


def make_directories_in_root(root_fd: int, path: str, owner: tuple[int, int], *, links: int = LINKS_LIMIT) -> None:
    """Make the directory `path` and its parents inside the root. Missing ones belong to `owner` (uid, gid).

    Up to `links` dangling links are followed: the directory is made at the target. Raises FileExistsError and
    NotADirectoryError for another file at its place, and other OSErrors.
    """
    names = path.split("/")
    if len(names) > DEPTH_LIMIT:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), path)
    above = ""
    for name in names:
        here = f"{above}/{name}"
        if name not in ("", ".", "..") and not _is_there(root_fd, here, os.O_DIRECTORY):
            folder = open_in_root(root_fd, above or "/", os.O_PATH | os.O_DIRECTORY)
            try:
                target = _make_or_read_link(folder, name, owner)
            finally:
                os.close(folder)
            if target is not None:
                if not links:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                make_directories_in_root(root_fd, os.path.join(above, target), owner, links=links - 1)
        above = here


def has_dangling_link(root_fd: int, path: str) -> bool:
    """Whether `path`, or a directory on its way, is a dangling link. Raises OSError."""
    here = ""
    for name in path.split("/"):
        here = f"{here}/{name}"
        if not _is_there(root_fd, here):
            return _is_there(root_fd, here, os.O_NOFOLLOW)
    return False


def _make_or_read_link(folder: int, name: str, owner: tuple[int, int]) -> str | None:
    """Make a directory. If there is a link, return its target. Raises FileExistsError and OSError."""
    try:
        os.mkdir(name, 0o755, dir_fd=folder)
    except FileExistsError as taken:
        try:
            return os.readlink(name, dir_fd=folder)
        except OSError:
            raise taken from None
    os.chown(name, *owner, dir_fd=folder, follow_symlinks=False)
    return None


def _is_there(root_fd: int, path: str, flags: int = 0) -> bool:
    """Whether a path exists. Raises OSError."""
    try:
        os.close(open_in_root(root_fd, path, os.O_PATH | flags))
    except FileNotFoundError:
        return False
    return True

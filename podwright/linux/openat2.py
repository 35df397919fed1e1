"""openat2(2): opening paths that come from images and requests, confined to a root directory."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator

from podwright.linux import libc

SYS_OPENAT2 = 437
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_IN_ROOT = 0x10
CONFINED = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS


def open_in_root(root_fd: int, path: str, flags: int, mode: int = 0) -> int:
    """A descriptor for `path` as a process chrooted to `root_fd` would see it. Raises OSError.

    Symbolic links, absolute ones and `..` included, stay inside the root; magic links are refused.
    """
    how = struct.pack("QQQ", flags | os.O_CLOEXEC, mode, CONFINED)
    return libc.check(libc.syscall(SYS_OPENAT2, root_fd, os.fsencode(path), how, len(how)), path)


@contextlib.contextmanager
def opened_root(root: str) -> Iterator[int]:
    """An O_PATH descriptor of a directory that we trust."""
    fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def read_in_root(root: str, path: str, limit_bytes: int) -> bytes | None:
    """At most `limit_bytes` of a regular file inside `root`; None when there is no such file. Raises OSError."""
    with opened_root(root) as root_fd:
        try:
            fd = open_in_root(root_fd, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except (FileNotFoundError, NotADirectoryError):
            return None
    with os.fdopen(fd, "rb") as file:
        return file.read(limit_bytes)


def path_in_root(root: str, path: str) -> str:
    """The host path that `path` means inside `root`, links resolved. Raises OSError."""
    with opened_root(root) as root_fd:
        fd = open_in_root(root_fd, path, os.O_PATH)
        try:
            return os.readlink(f"/proc/self/fd/{fd}")
        finally:
            os.close(fd)

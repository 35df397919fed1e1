"""Attributes for directories that a layer uses without describing them.

As a layer of an overlay such a directory would hide the attributes that the layers below gave it (/tmp would lose its
1777), so they are copied up. Names come from images: they are only followed component by component, or inside the
tree by openat2.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Sequence

from podwright.linux.openat2 import open_in_root, opened_root

OPAQUE_XATTR = "trusted.overlay.opaque"
OVERLAY_PREFIX = "trusted.overlay."


def copy_up(tree: str, names: Iterable[str], lowers: Sequence[str]) -> None:
    """Give each directory of `names` in `tree` the attributes that it has in `lowers` (trees, top first).

    Directories that no lower has keep theirs. Raises OSError.
    """
    with opened_root(tree) as root_fd:
        for name in sorted(names, reverse=True):  # inside before outside: setting times is the last change
            source = find(name.encode("latin-1"), lowers)
            if source is not None:
                _copy_attributes(source, root_fd, os.fsdecode(name.encode("latin-1")))


def find(name: bytes, lowers: Sequence[str]) -> bytes | None:
    """The path of the directory `name` as an overlay of `lowers` shows it; None when it shows no directory there."""
    for lower in lowers:
        path, covered = os.fsencode(lower), False
        for part in name.split(b"/"):
            path = path + b"/" + part
            try:
                kind = os.lstat(path).st_mode
            except FileNotFoundError:
                break
            if not stat.S_ISDIR(kind):  # another kind of file, or a whiteout: nothing below it shows
                return None
            covered = covered or _is_opaque(path)
        else:
            return path
        if covered:
            return None
    return None


def _is_opaque(path: bytes) -> bool:
    try:
        return os.getxattr(path, OPAQUE_XATTR, follow_symlinks=False) == b"y"
    except OSError as failure:
        if failure.errno in (errno.ENODATA, errno.ENOTSUP):
            return False
        raise


def _copy_attributes(source: bytes, root_fd: int, name: str) -> None:
    found = os.lstat(source)
    fd = open_in_root(root_fd, name, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fchown(fd, found.st_uid, found.st_gid)
        os.fchmod(fd, stat.S_IMODE(found.st_mode))
        for attribute in os.listxattr(source, follow_symlinks=False):
            if not attribute.startswith(OVERLAY_PREFIX):
                with contextlib.suppress(FileNotFoundError):
                    os.setxattr(fd, attribute, os.getxattr(source, attribute, follow_symlinks=False))
        os.utime(fd, ns=(found.st_mtime_ns, found.st_mtime_ns))
    finally:
        os.close(fd)

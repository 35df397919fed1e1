"""Attributes of directories that a layer uses without describing them.

In an overlay such a directory would hide the attributes from the layers below (/tmp would lose its mode 1777), so
they are copied. Names come from images, so they are resolved component by component, or inside the tree by openat2.
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
    """Give each directory of `names` in `tree` its attributes in `lowers` (trees, top first).

    Directories that no lower tree has stay as they are. Raises OSError.
    """
    with opened_root(tree) as root_fd:
        for name in sorted(
            names, reverse=True
        ):  # children first, because changing them would change the parent's times
            source = find(name.encode("latin-1"), lowers)
            if source is not None:
                _copy_attributes(source, root_fd, os.fsdecode(name.encode("latin-1")))


def find(name: bytes, lowers: Sequence[str]) -> bytes | None:
    """The path of directory `name` as an overlay of `lowers` shows it, or None."""
    for lower in lowers:
        path, covered = os.fsencode(lower), False
        for part in name.split(b"/"):
            path = path + b"/" + part
            try:
                kind = os.lstat(path).st_mode
            except FileNotFoundError:
                break
            if not stat.S_ISDIR(kind):  # another kind of file, or a whiteout, which hides the lower trees
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

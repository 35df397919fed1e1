"""Mount trees that are cloned, changed while detached, and then attached (kernel 5.12).

That makes possible what mount(2) cannot do: a recursively read-only tree, or a filesystem whose owners are mapped by
a user namespace (mount_setattr(2)). Paths are the host's and trusted.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from collections.abc import Iterator

from podwright.linux import libc, mount

SYS_OPEN_TREE = 428
SYS_MOUNT_SETATTR = 442

OPEN_TREE_CLONE = 1
AT_SYMLINK_NOFOLLOW = 0x100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
MOUNT_ATTR_RDONLY = 0x00000001
MOUNT_ATTR_IDMAP = 0x00100000


@contextlib.contextmanager
def cloned(path: str, *, recursive: bool) -> Iterator[int]:
    """A descriptor of a copy of the mount at `path`, optionally with the mounts below it. Raises OSError.

    The copy disappears afterwards unless it was attached.
    """
    flags = OPEN_TREE_CLONE | os.O_CLOEXEC | AT_SYMLINK_NOFOLLOW | (AT_RECURSIVE if recursive else 0)
    tree = libc.check(libc.syscall(SYS_OPEN_TREE, mount.AT_FDCWD, os.fsencode(path), flags), path)
    try:
        yield tree
    finally:
        os.close(tree)


def make_read_only(tree: int) -> None:
    """Make all mounts of the tree read-only. Raises OSError."""
    _set(tree, AT_RECURSIVE, flags=MOUNT_ATTR_RDONLY)


def map_ids(tree: int, user_namespace: int) -> None:
    """Map the top mount's owners by the namespace (a descriptor). Raises OSError.

    EINVAL means that the filesystem does not support it. Mounts below stay unmapped (OCI runtime-spec, `idmap`).
    """
    _set(tree, 0, flags=MOUNT_ATTR_IDMAP, user_namespace=user_namespace)


def set_propagation(tree: int, propagation: int) -> None:
    """`propagation` (mount.MS_PRIVATE, MS_SLAVE, MS_SHARED) for the whole tree. Raises OSError."""
    _set(tree, AT_RECURSIVE, propagation=propagation)


def attach(tree: int, target: str) -> None:
    """Attach the tree to `target`: a directory, or for the tree of a file, a file. Raises OSError."""
    moved = libc.syscall(
        mount.SYS_MOVE_MOUNT, tree, b"", mount.AT_FDCWD, os.fsencode(target), mount.MOVE_MOUNT_F_EMPTY_PATH
    )
    libc.check(moved, target)


def detach(target: str) -> None:
    """Unmount what was attached to `target`. An absent mount succeeds. Raises OSError.

    The tree is first made private, because unmounting a copy of a shared tree also unmounts the original's lower
    mounts.
    """
    try:
        libc.mount("none", target, None, mount.MS_REC | mount.MS_PRIVATE, None)
    except OSError as failure:
        if failure.errno in (errno.EINVAL, errno.ENOENT):  # not mounted, or absent
            return
        raise
    mount.unmount(target)


def is_supported() -> bool:
    """Whether the kernel has mount_setattr."""
    try:
        _set(-1, 0)
    except OSError as failure:
        return failure.errno == errno.EBADF
    return True


def _set(tree: int, at_flags: int, *, flags: int = 0, propagation: int = 0, user_namespace: int = 0) -> None:
    attributes = struct.pack("=QQQQ", flags, 0, propagation, user_namespace)
    where = AT_EMPTY_PATH | at_flags
    libc.check(libc.syscall(SYS_MOUNT_SETATTR, tree, b"", where, attributes, len(attributes)))

"""The agent's root directory as a shared mount, so that mounts pass between this machine and containers."""

from __future__ import annotations

import os

from podwright.linux import detached, libc, mount


def make_shared(root: str) -> bool:
    """Make the directory `root` a shared mount. Returns False if it is on one already. Raises OSError. Blocking.

    As the kubelet does at its start: if its mount is private, `root` is bound to itself.
    """
    path = os.path.realpath(root)
    around = mount.enclosing_mount(mount.read_mounts(), path)
    if around is not None and "shared" in around.propagation:
        return False
    if around is None or around.target != path:
        mount.bind(path, path, recursive=True)
    libc.mount("none", path, None, mount.MS_REC | mount.MS_SHARED, None)
    return True


def undo_shared(root: str) -> None:
    """Undo `make_shared`, for an agent that leaves nothing behind. Raises OSError. Blocking.

    Everything below must be unmounted first, because it becomes invisible.
    """
    path = os.path.realpath(root)
    around = mount.enclosing_mount(mount.read_mounts(), path)
    if around is not None and around.target == path:
        detached.detach(path)

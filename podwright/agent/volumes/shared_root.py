"""The agent's root directory as a shared mount, so that mounts pass between this machine and containers."""

from __future__ import annotations

import os

from podwright.linux import detached, libc, mount


def make_shared(root: str) -> bool:
    """Make `root`, a directory, a shared mount. False when it lies on one already. Raises OSError. Blocking.

    As the kubelet does at its start: bound to itself where its own mount is private.
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
    """Unmount `root` from itself, for an agent that leaves nothing behind. Raises OSError. Blocking.

    What is mounted below would become invisible, and must be gone.
    """
    path = os.path.realpath(root)
    around = mount.enclosing_mount(mount.read_mounts(), path)
    if around is not None and around.target == path:
        detached.detach(path)

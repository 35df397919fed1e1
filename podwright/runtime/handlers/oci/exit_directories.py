"""The directories in which monitors record the ends of containers: a small tmpfs below the state directory.

A monitor writes the exit code when its container ends, possibly while no daemon runs. On a full disk the code would
be lost. This filesystem is for exit codes alone, so nothing else can fill it.

It outlives the daemon, as containers do, and is unmounted when the daemon stops and no container is left. Called by
the container service and by `place`. Blocks.
"""

from __future__ import annotations

import os

from podwright.errors import FailedPrecondition
from podwright.linux import mount

SIZE_BYTES = 64 * 1024 * 1024  # 16384 ends, of a page each; memory that is not used is not taken


def open_place(state: str) -> None:
    """Mount the filesystem, unless an earlier daemon has. Raises OSError, or FailedPrecondition if it must not."""
    place = _place(state)
    os.makedirs(place, mode=0o700, exist_ok=True)
    try:
        if not os.path.ismount(place):
            mount.mount_tmpfs(place, size_bytes=SIZE_BYTES, mode=0o700)
    except PermissionError as failure:
        raise FailedPrecondition(
            f"cannot mount a tmpfs at {place}: {failure.strerror}",
            hint="run podwright as root, with CAP_SYS_ADMIN; podwright doctor shows what this machine lacks",
        ) from failure


def close_place(state: str) -> None:
    """Unmount it when there is nothing in it. Raises OSError."""
    place = _place(state)
    if os.path.ismount(place) and not os.listdir(place):
        mount.unmount(place)


def names(state: str) -> list[str]:
    """The ids that have a directory there. Raises OSError."""
    return os.listdir(_place(state))


def path(state: str, container_id: str) -> str:
    """The directory of one container."""
    return f"{_place(state)}/{container_id}"


def _place(state: str) -> str:
    return f"{state}/exits"

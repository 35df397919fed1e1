"""The VOLUMEs of an image's config: directories that a container may write to, even when its root is read-only.

They are directories of the container's own root, with what the image has there, and go with it. One that the image
lacks is made; below a read-only root each is bound over itself, writable. A mount of the request takes its place.

Called by `creation`, with a root that nothing runs in yet. Paths come from the image: they are followed inside the
root alone.
"""

from __future__ import annotations

import os
import posixpath

from podwright.errors import InvalidArgument
from podwright.linux import openat2
from podwright.runtime.model.container import Mount

LIMIT = 1000
KERNELS = ("/proc", "/sys", "/dev")  # what is mounted there in every container is not an image's to replace


def wanted(volumes: tuple[str, ...], mounts: tuple[Mount, ...]) -> tuple[str, ...]:
    """Where to have such directories, as absolute paths. Pure. Raises InvalidArgument."""
    if len(volumes) > LIMIT:
        raise InvalidArgument(f"the image has {len(volumes)} volumes, more than {LIMIT}")
    taken = {posixpath.normpath(mount.container_path) for mount in mounts}
    paths = {posixpath.normpath(f"/{path.lstrip('/')}") for path in volumes}
    return tuple(sorted(path for path in paths - taken - {"/"} if not _is_kernels(path)))


def _is_kernels(path: str) -> bool:
    return any(f"{path}/".startswith(f"{place}/") for place in KERNELS)


def make(rootfs: str, paths: tuple[str, ...], owner: tuple[int, int]) -> tuple[Mount, ...]:
    """The directories, made where they are missing for `owner` (uid, gid), as mounts over themselves. Blocks.

    Raises InvalidArgument when the image has something else in the place of one.
    """
    mounts = []
    with openat2.opened_root(rootfs) as root:
        for path in paths:
            try:
                _make(root, path, owner)
                mounts.append(Mount(container_path=path, host_path=openat2.path_in_root(rootfs, path)))
            except (FileExistsError, NotADirectoryError) as failure:
                raise InvalidArgument(f"the image's volume {path[:200]} is no directory in it") from failure
    return tuple(mounts)


def _make(root: int, path: str, owner: tuple[int, int]) -> None:
    """One directory with those above it. Raises OSError."""
    flags = os.O_PATH | os.O_DIRECTORY
    try:
        os.close(openat2.open_in_root(root, path, flags))
    except FileNotFoundError:
        above, name = posixpath.split(path)
        _make(root, above, owner)
        folder = openat2.open_in_root(root, above, flags)
        try:
            os.mkdir(name, 0o755, dir_fd=folder)
            os.chown(name, *owner, dir_fd=folder, follow_symlinks=False)
        finally:
            os.close(folder)

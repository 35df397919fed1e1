"""Directories that are made in a container's root before anything runs there.

Most are the VOLUMEs of the image's config. A container may write to them even if its root is read-only. They are part
of the container's own root, with the image's content, and are deleted with it. A missing one is created. Below a
read-only root, each is bind-mounted over itself, writable. A mount of the request replaces it.

Called by `root` on a root where nothing runs yet. Paths come from the image, so links are resolved inside the
root only.
"""

from __future__ import annotations

import errno
import os
import posixpath

from podwright.errors import InvalidArgument
from podwright.linux import openat2
from podwright.runtime.model.container import Mount

LIMIT = 1000
# For a path with a component that is not a directory, a loop of links, and links that make it too long.
NO_DIRECTORY = frozenset({errno.EEXIST, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})
KERNELS = ("/proc", "/sys", "/dev")  # every container has mounts there, which an image must not replace


def wanted(volumes: tuple[str, ...], mounts: tuple[Mount, ...]) -> tuple[str, ...]:
    """The absolute paths of the directories to make. Pure. Raises InvalidArgument."""
    if len(volumes) > LIMIT:
        raise InvalidArgument(f"the image has {len(volumes)} volumes, the limit is {LIMIT}")
    taken = {posixpath.normpath(mount.container_path) for mount in mounts}
    paths = {posixpath.normpath(f"/{path.lstrip('/')}") for path in volumes}
    return tuple(sorted(path for path in paths - taken - {"/"} if not _is_kernels(path)))


def _is_kernels(path: str) -> bool:
    return any(f"{path}/".startswith(f"{place}/") for place in KERNELS)


def make(rootfs: str, paths: tuple[str, ...], owner: tuple[int, int]) -> tuple[Mount, ...]:
    """Make missing directories for `owner` (uid, gid) and return mounts of each over itself. Blocks.

    Raises InvalidArgument if the image has something else at the path.
    """
    mounts = []
    with openat2.opened_root(rootfs) as root:
        for path in paths:
            try:
                openat2.make_directories_in_root(root, path, owner)
                mounts.append(Mount(container_path=path, host_path=openat2.path_in_root(rootfs, path)))
            except OSError as failure:
                if failure.errno not in NO_DIRECTORY:
                    raise
                raise InvalidArgument(f"the image's volume {path[:200]} is not a directory in the image") from failure
    return tuple(mounts)


def make_mount_points(rootfs: str, mounts: tuple[Mount, ...], owner: tuple[int, int]) -> None:
    """Make the directories that mounts need where a link of the image is dangling. Blocks.

    crun 1.8 follows such a link to make a file, but not to make a directory. The OCI runtime makes all other mount
    points, because some lie on other mounts. Raises InvalidArgument if the link's target cannot be a directory.
    """
    places = [posixpath.normpath(mount.container_path) for mount in mounts]
    with openat2.opened_root(rootfs) as root:
        for mount, place in zip(mounts, places, strict=True):
            if _is_kernels(place) or any(place.startswith(f"{other}/") for other in places):
                continue
            directory = place if os.path.isdir(mount.host_path) else posixpath.dirname(place)
            if not _is_dangling(root, directory):
                continue
            try:
                openat2.make_directories_in_root(root, directory, owner)
            except OSError as failure:
                if failure.errno not in NO_DIRECTORY:
                    raise
                raise InvalidArgument(
                    f"mount {place[:200]}: cannot make a directory at the target of the dangling link of the image"
                ) from failure


def _is_dangling(root: int, path: str) -> bool:
    """Whether `path` is a dangling link. False for other files, which the OCI runtime reports."""
    try:
        return openat2.has_dangling_link(root, path)
    except OSError as failure:
        if failure.errno not in NO_DIRECTORY:
            raise
        return False

"""Directories that are made in a container's root before anything runs there.

Most are the VOLUMEs of the image's config: a container may write to them even when its root is read-only. They are
directories of the container's own root, with what the image has there, and go with it. One that the image
lacks is made; below a read-only root each is bound over itself, writable. A mount of the request takes its place.

Called by `creation`, with a root that nothing runs in yet. Paths come from the image: they are followed inside the
root alone.
"""

from __future__ import annotations

import errno
import os
import posixpath

from podwright.errors import InvalidArgument
from podwright.linux import openat2
from podwright.runtime.model.container import Mount

LIMIT = 1000
# Of a path through something else, through links in a circle, and through links that make it too long.
NO_DIRECTORY = frozenset({errno.EEXIST, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})
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
                openat2.make_directories_in_root(root, path, owner)
                mounts.append(Mount(container_path=path, host_path=openat2.path_in_root(rootfs, path)))
            except OSError as failure:
                if failure.errno not in NO_DIRECTORY:
                    raise
                raise InvalidArgument(f"the image's volume {path[:200]} is no directory in it") from failure
    return tuple(mounts)


def make_mount_points(rootfs: str, mounts: tuple[Mount, ...], owner: tuple[int, int]) -> None:
    """Make the directories that mounts need at the ends of links of the image to nothing. Blocks.

    crun follows such a link to make a file, but no directory (1.8). All other mount points are the runtime's to make:
    some of them lie on other mounts. Raises InvalidArgument when a link's end cannot be a directory.
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
                    f"mount {place[:200]}: the image has a link there, and no directory can be made at its end"
                ) from failure


def _is_dangling(root: int, path: str) -> bool:
    """No for what is no directory either: the runtime says so."""
    try:
        return openat2.has_dangling_link(root, path)
    except OSError as failure:
        if failure.errno not in NO_DIRECTORY:
            raise
        return False

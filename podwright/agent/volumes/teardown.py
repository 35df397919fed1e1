"""Removes the volumes of a pod: unmounts everything, then deletes what was the pod's own. Blocking.

Nothing is deleted while something is mounted below, and no deletion enters a mount, which may be a path of this
machine. Only directories whose content belongs to the pod are emptied. Other mount points must be empty after the
unmount.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from podwright.agent.volumes import places, trees
from podwright.errors import FailedPrecondition, Internal
from podwright.linux import detached, openat2
from podwright.linux.mount import read_mounts

OWN_PLUGINS = frozenset(
    places.escaped(plugin)
    for plugin in (places.EMPTY_DIR, places.CONFIG_MAP, places.SECRET, places.DOWNWARD_API, places.PROJECTED)
)
# In this order: a volume is unmounted after the subPaths that are bound from it.
PARTS = (places.SUBPATHS, places.VOLUMES, places.DEVICES, places.PLUGINS)
ROUNDS = 3  # new mounts may appear meanwhile


def remove_volumes(directory: str) -> None:
    """Remove the volumes in a pod's directory. The directory and its other files stay. An absent one succeeds.

    Raises Internal if something stays mounted, FailedPrecondition for a volume that is not empty and that the agent
    must not empty, and OSError.
    """
    with _opened(directory) as pod:
        if pod is None:
            return
        _unmount_below(directory, os.path.basename(directory))
        _remove_parts(pod, directory)


def unmount_subpaths(directory: str) -> None:
    """Unmount the subPaths of the pod, so that its volumes are free. Raises Internal and OSError."""
    _unmount_below(f"{directory}/{places.SUBPATHS}", os.path.basename(directory))


def remove_pod(directory: str) -> None:
    """Remove a pod's directory with all that is in it. Raises as `remove_volumes`."""
    with _opened(directory) as pod:
        if pod is None:
            return
        _unmount_below(directory, os.path.basename(directory))
        _remove_parts(pod, directory)
    with openat2.opened_root(os.path.dirname(directory)) as parent:
        trees.delete(parent, os.path.basename(directory))


def has_volumes(directory: str) -> bool:
    """Whether the pod's directory has a volume, or a part of one."""
    for part in (places.SUBPATHS, places.VOLUMES, places.DEVICES):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(f"{directory}/{part}") as entries:
            if any(_has_entries(entry.path) for entry in entries):
                return True
    return False


def _has_entries(path: str) -> bool:
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is not None
    except NotADirectoryError:
        return True


@contextlib.contextmanager
def _opened(directory: str) -> Iterator[int | None]:
    """A descriptor of the pod's directory. None if it does not exist. Refuses a link in its place."""
    try:
        fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)


def _unmount_below(directory: str, uid: str) -> None:
    for _ in range(ROUNDS):
        points = mounts_below(directory, uid)
        if not points:
            return
        for point in sorted(points, key=len):
            # From the top, and made private before the unmount: a tree of this machine that a pod sees may share its
            # lower mounts, and the machine would lose them.
            detached.detach(point)
    left = mounts_below(directory, uid)
    if left:
        raise Internal(f"{left[0]} is still mounted, so {directory} is kept", hint="unmount it; it is tried again")


def mounts_below(directory: str, uid: str = "") -> list[str]:
    """The mount points below a pod's directory, or a directory in it, in mount order. `uid` is the pod's."""
    uid = uid or os.path.basename(directory)
    prefix = os.path.join(os.path.realpath(os.path.dirname(directory)), os.path.basename(directory)) + "/"
    plain = uid.isascii() and uid.replace("-", "").isalnum()  # mountinfo escapes some other characters
    points = read_mounts(containing=uid if plain else "")
    return [point.target for point in points if point.target.startswith(prefix)]


def _remove_parts(pod: int, directory: str) -> None:
    for part in PARTS:
        if part == places.VOLUMES:
            _remove_volumes_directory(pod, directory)
        else:
            trees.delete(pod, part)


def _remove_volumes_directory(pod: int, directory: str) -> None:
    try:
        volumes = openat2.open_directory_here(pod, places.VOLUMES)
    except FileNotFoundError:
        return
    try:
        for plugin in os.listdir(volumes):
            if plugin in OWN_PLUGINS:
                trees.delete(volumes, plugin)
            else:
                _remove_mount_points(volumes, plugin, directory)
    finally:
        os.close(volumes)
    os.rmdir(places.VOLUMES, dir_fd=pod)


def _remove_mount_points(volumes: int, plugin: str, directory: str) -> None:
    """Remove the mount points of a plug-in whose data is elsewhere. A file in one is somebody's data, and stays."""
    here = openat2.open_directory_here(volumes, plugin)
    try:
        for name in os.listdir(here):
            try:
                os.rmdir(name, dir_fd=here)
            except OSError as failure:
                if failure.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    raise
                path = f"{directory}/{places.VOLUMES}/{plugin}/{name}"
                raise FailedPrecondition(
                    f"{path} is not mounted and not empty, so it is kept", hint="save what is in it, then remove it"
                ) from failure
    finally:
        os.close(here)
    os.rmdir(plugin, dir_fd=volumes)

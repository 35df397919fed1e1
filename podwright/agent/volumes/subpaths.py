"""subPath: binds a directory or file inside a volume for a container. No link in the volume can lead out of it.

A container that shares the volume can replace a directory by a link at any time. So the path is opened inside the
volume once, and that descriptor, not the name, is bind-mounted below the pod's directory. `teardown` unmounts it with
the volumes. Blocking.
"""

from __future__ import annotations

import contextlib
import os
import stat

from podwright.errors import InvalidArgument
from podwright.linux import detached, mount, openat2

DIRECTORY_MODE, FILE_MODE = 0o750, 0o640


def checked_subpath(path: str) -> str:
    """The subPath, if it is allowed. Raises InvalidArgument for an absolute one, and for one with `..`."""
    if path.startswith("/"):
        raise InvalidArgument(f"error SubPath `{path}` must not be an absolute path")
    if ".." in path.split("/"):
        raise InvalidArgument(f"unable to provision SubPath `{path}`: must not contain '..'")
    return path


def bind_subpath(volume: str, subpath: str, target: str) -> None:
    """Bind `subpath` of the directory `volume` to `target`. Missing parts are made as directories.

    They get the volume's mode, so that the pod's fsGroup can use them. An existing bind stays. Raises InvalidArgument,
    and OSError: EXDEV when a link in the volume leads out of it.
    """
    checked_subpath(subpath)
    with openat2.opened_root(volume) as root:
        fd = _open_or_make(root, subpath, stat.S_IMODE(os.fstat(root).st_mode))
        try:
            if not _is_bound(fd, target):
                detached.detach(target)
                _make_target(target, is_directory=stat.S_ISDIR(os.fstat(fd).st_mode))
                mount.bind(f"/proc/self/fd/{fd}", target)
        finally:
            os.close(fd)


def _open_or_make(root: int, subpath: str, mode: int) -> int:
    """An O_PATH descriptor of the path inside the root, whose missing parts are made."""
    try:
        return openat2.open_inside(root, subpath, os.O_PATH)
    except FileNotFoundError:
        pass
    done = ""
    for part in (part for part in subpath.split("/") if part not in ("", ".")):
        parent = openat2.open_inside(root, done or ".", os.O_PATH | os.O_DIRECTORY)
        try:
            _make_directory(parent, part, mode)
        finally:
            os.close(parent)
        done = f"{done}/{part}" if done else part
    return openat2.open_inside(root, done or ".", os.O_PATH)


def _make_directory(parent: int, name: str, mode: int) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, mode, dir_fd=parent)
        made = openat2.open_directory_here(parent, name)
        try:
            os.fchmod(made, mode)  # the umask has changed mkdir's mode
        finally:
            os.close(made)


def _is_bound(fd: int, target: str) -> bool:
    """Whether exactly this file is already mounted on the target, as for a restarted container."""
    try:
        found = os.lstat(target)
    except FileNotFoundError:
        return False
    wanted = os.fstat(fd)
    return (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino)


def _make_target(target: str, *, is_directory: bool) -> None:
    """Make an empty directory or file to mount on. Replaces what an earlier subPath of another type left behind."""
    os.makedirs(os.path.dirname(target), mode=DIRECTORY_MODE, exist_ok=True)
    try:
        if stat.S_ISDIR(os.lstat(target).st_mode) == is_directory:
            return
        (os.unlink if is_directory else os.rmdir)(target)
    except FileNotFoundError:
        pass
    if is_directory:
        os.mkdir(target, DIRECTORY_MODE)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, FILE_MODE))

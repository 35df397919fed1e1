"""subPath: a directory or file inside a volume, bound so that no link in the volume can lead out of it.

A container that shares the volume can swap a directory for a link at any time. So the path is opened inside the
volume once, and that descriptor, not the name, is bind-mounted below the pod's directory. Blocking.
"""

from __future__ import annotations

import os
import stat

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.linux import mount, openat2


def bind_subpath(volume: str, subpath: str, target: str) -> None:
    """Bind `subpath` of the directory `volume` to `target`; a missing path becomes a directory.

    Raises InvalidArgument when the path is not a directory's inside, FailedPrecondition when it cannot be bound.
    """
    try:
        _bind(volume, subpath, target)
    except NotADirectoryError as failure:
        raise InvalidArgument(f"subPath {subpath!r}: a part of it is not a directory") from failure
    except OSError as failure:
        raise FailedPrecondition(f"subPath {subpath!r} cannot be used: {failure}") from failure


def _bind(volume: str, subpath: str, target: str) -> None:
    with openat2.opened_root(volume) as root:
        mode = stat.S_IMODE(os.fstat(root).st_mode)
        descriptor = _open_or_make(root, subpath, mode)
        try:
            _make_target(target, is_directory=stat.S_ISDIR(os.fstat(descriptor).st_mode))
            mount.unmount(target)
            mount.bind(f"/proc/self/fd/{descriptor}", target, recursive=True)
        finally:
            os.close(descriptor)


def _open_or_make(root: int, subpath: str, mode: int) -> int:
    """An O_PATH descriptor of the path inside the root; missing directories get the volume's mode."""
    try:
        return openat2.open_in_root(root, subpath, os.O_PATH)
    except FileNotFoundError:
        pass
    done = ""
    for part in subpath.strip("/").split("/"):
        parent = openat2.open_in_root(root, done or ".", os.O_PATH | os.O_DIRECTORY)
        try:
            os.mkdir(part, mode, dir_fd=parent)
            _set_mode(part, mode, parent)  # mkdir's mode went through our umask
        except FileExistsError:
            pass
        finally:
            os.close(parent)
        done = f"{done}/{part}" if done else part
    return openat2.open_in_root(root, subpath, os.O_PATH)


def _set_mode(name: str, mode: int, parent: int) -> None:
    made = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        os.fchmod(made, mode)
    finally:
        os.close(made)


def _make_target(target: str, *, is_directory: bool) -> None:
    os.makedirs(target if is_directory else os.path.dirname(target), mode=0o750, exist_ok=True)
    if not is_directory and not os.path.exists(target):
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o640))

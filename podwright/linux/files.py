"""Small files that are written once, room for them, and trees that are deleted."""

from __future__ import annotations

import errno
import itertools
import os
import secrets

LITTLE_BYTES = 64 * 1024
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def check_space(folder: str) -> None:
    """Raise OSError (ENOSPC, with the folder's name) when next to nothing can be written there any more.

    For telling why a program failed that had to write there, without reading its words.
    """
    try:
        facts = os.statvfs(folder)
    except OSError:
        return
    if facts.f_bfree * facts.f_frsize < LITTLE_BYTES or (facts.f_files and not facts.f_ffree):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), folder)


def make_private(path: str, *, group: int) -> None:
    """A new directory for root alone; a `group` other than root's may pass through it, but not list it.

    That is for the root of a pod with users of its own, as which OCI runtimes look for things. Raises OSError.
    """
    os.mkdir(path, 0o700)
    if group:
        os.chown(path, -1, group)
        os.chmod(path, 0o710)


def write_new(path: str, data: bytes, *, mode: int) -> None:
    """Create a file with exactly that mode, whatever the umask, or none. Raises OSError, which names the file."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, mode)
            file.write(data)
    except OSError as failure:
        os.unlink(path)
        failure.filename = path  # a failed write does not know it, and a full disk must be named
        raise


def remove_tree(path: str) -> None:
    """Delete a directory with all that is in it. Raises OSError.

    It may be of any depth, which a container chooses: neither the stack nor the length of a path nor the number of
    descriptors sets a limit. Directories are moved up to the top until they have none in them. A mounted one is busy.
    """
    root = os.open(path, DIRECTORY)
    moved = (f".{secrets.token_hex(8)}-{number}" for number in itertools.count())
    try:
        while folders := _delete_files(root):
            for name in folders:
                folder = os.open(name, DIRECTORY, dir_fd=root)
                try:
                    for inner in _delete_files(folder):
                        os.rename(inner, next(moved), src_dir_fd=folder, dst_dir_fd=root)
                finally:
                    os.close(folder)
                os.rmdir(name, dir_fd=root)
    finally:
        os.close(root)
    os.rmdir(path)


def _delete_files(folder: int) -> list[str]:
    """Delete all in a directory but its directories, whose names are returned. Raises OSError."""
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in found:
        if not is_directory:
            os.unlink(name, dir_fd=folder)
    return [name for name, is_directory in found if is_directory]

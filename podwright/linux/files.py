"""Small files that are written once, free space, and deletion of trees."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import secrets

LITTLE_BYTES = 64 * 1024
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def check_space(folder: str) -> None:
    """Raises OSError (ENOSPC, with the folder's name) if the filesystem is almost full.

    Used to explain the failure of a program that writes there, without parsing its output.
    """
    try:
        facts = os.statvfs(folder)
    except OSError:
        return
    if facts.f_bfree * facts.f_frsize < LITTLE_BYTES or (facts.f_files and not facts.f_ffree):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), folder)


def make_private(path: str, *, group: int) -> None:
    """Make a directory for root alone. A `group` other than root's may traverse it, but not list it.

    That is for the root of a pod with a user namespace, as which OCI runtimes access files. Raises OSError.
    """
    os.mkdir(path, 0o700)
    if group:
        os.chown(path, -1, group)
        os.chmod(path, 0o710)


def write_new(path: str, data: bytes, *, mode: int, sync: bool = False) -> None:
    """Create a file with exactly that mode, regardless of the umask. Leaves none on failure.

    With `sync`, the content is on disk when this returns.

    Raises OSError with its name.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, mode)
            file.write(data)
            if sync:
                file.flush()
                os.fsync(fd)
    except OSError as failure:
        os.unlink(path)
        failure.filename = path  # errors of write lack the name, and users need it for a full disk
        raise


def replace_file(path: str, data: bytes, *, mode: int, sync: bool = False) -> None:
    """Create or replace a file at once: readers, and the next process after a kill, find the old or the new content.

    With `sync`, that also holds after a power cut. For one writer at a time. Leaves no temporary file on failure.
    Raises OSError with the file's name.
    """
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.new")
    try:
        remove_file(temporary)  # of a process that was killed
        write_new(temporary, data, mode=mode, sync=sync)
        os.rename(temporary, path)
    except OSError as failure:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        failure.filename = path
        raise


def remove_file(path: str) -> None:
    """Remove a file. Does nothing if it is absent. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def remove_tree(path: str) -> None:
    """Delete a directory and its content. Raises OSError.

    It may have any depth, because a container chooses it: neither the stack, nor path length, nor the number of
    descriptors limits it. Subdirectories move to the top until none contains others. A mounted one is busy.
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
    """Delete a directory's files and return the names of its subdirectories. Raises OSError."""
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in found:
        if not is_directory:
            os.unlink(name, dir_fd=folder)
    return [name for name, is_directory in found if is_directory]

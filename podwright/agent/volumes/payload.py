"""Writes the files of a volume so that a reader sees the old files or the new ones, never a mixture.

The layout is the kubelet's (volume/util/atomic_writer.go): the files are in a directory of their own, a generation.
The link `..data` leads to the current generation. A link for each top-level name leads through it:

    ..2026_01_31_12_00_00.1234567890/key
    ..data -> ..2026_01_31_12_00_00.1234567890
    key -> ..data/key

A new generation is written beside the old one, then `..data` is replaced by rename(2), which is atomic. The next call
removes what a killed agent left behind. Blocking. One caller at a time for each volume.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
import secrets
import stat
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from podwright.agent.volumes import ownership, trees
from podwright.agent.volumes.payload_paths import by_clean_path, top_names
from podwright.agent.volumes.plans import PayloadFile
from podwright.linux import openat2

DATA, NEW_DATA = "..data", "..data_tmp"
GENERATION = re.compile(r"\.\.\d{4}(_\d\d){5}\.\d+", re.ASCII)
DIRECTORY_MODE = 0o755


def write_payload(volume: str, files: Sequence[PayloadFile], *, group: int | None, now_ns: int) -> bool:
    """Write the files of the volume, an existing directory. Returns False if they were already there.

    `group` is the fsGroup. `now_ns`, in nanoseconds since the epoch, names the generation. Raises InvalidArgument for
    an invalid path, and OSError. The files are then unchanged.
    """
    payload = by_clean_path(files)
    with openat2.opened_root(volume) as root:
        current = _current(root)
        is_new = current is None or not _holds(root, current, payload)
        if is_new:
            current = _write_generation(root, payload, group, now_ns)
            _publish(root, current)
        _link(root, top_names(payload))
        _remove_leftovers(root, current, top_names(payload))
    return is_new


def _current(root: int) -> str | None:
    """The generation that `..data` leads to. None if there is none."""
    try:
        name = os.readlink(DATA, dir_fd=root)
    except FileNotFoundError:
        return None
    return name if GENERATION.fullmatch(name) else None


def _holds(root: int, generation: str, payload: Mapping[str, PayloadFile]) -> bool:
    """Whether the generation has exactly these files with these contents."""
    try:
        top = openat2.open_directory_here(root, generation)
    except FileNotFoundError:
        return False
    try:
        return set(_files_below(top)) == set(payload) and all(
            _has_content(top, path, file.data) for path, file in payload.items()
        )
    finally:
        os.close(top)


def _files_below(top: int) -> Iterator[str]:
    """The paths of all entries except directories. The agent makes generations, so they are not deep."""
    folders = [""]
    while folders:
        folder = folders.pop()
        fd = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=top)
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    path = posixpath.join(folder, entry.name)
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(path)
                    else:
                        yield path
        finally:
            os.close(fd)


def _has_content(top: int, path: str, data: bytes) -> bool:
    """Whether the file has this content. False if it cannot be read, so that it is written again."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=top)
        with os.fdopen(fd, "rb") as file:
            status = os.fstat(fd)
            is_fit = stat.S_ISREG(status.st_mode) and status.st_size == len(data)
            return is_fit and file.read(len(data) + 1) == data
    except OSError:
        return False


def _write_generation(root: int, payload: Mapping[str, PayloadFile], group: int | None, now_ns: int) -> str:
    """Write a new generation, and return its name. A failure leaves nothing of it."""
    stamp = datetime.fromtimestamp(now_ns / 1e9, UTC).strftime("%Y_%m_%d_%H_%M_%S")
    name = f"..{stamp}.{secrets.randbelow(10**10)}"
    try:
        _make_directory(root, name, group)
        top = openat2.open_directory_here(root, name)
        try:
            for path, file in payload.items():
                _write_file(top, path, file, group)
        finally:
            os.close(top)
    except BaseException:
        trees.delete(root, name)
        raise
    return name


def _make_directory(parent: int, path: str, group: int | None) -> None:
    """Make a directory with the right mode whatever the umask. An existing one is kept."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, DIRECTORY_MODE, dir_fd=parent)
        mode = DIRECTORY_MODE
        if group is not None:
            mode = ownership.wanted_mode(mode, is_directory=True, read_only=True)
        ownership.set_owner(parent, path, group=group, mode=mode)


def _write_file(top: int, path: str, file: PayloadFile, group: int | None) -> None:
    folders = path.split("/")[:-1]
    for end in range(1, len(folders) + 1):
        _make_directory(top, "/".join(folders[:end]), group)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=top)
    with os.fdopen(fd, "wb") as target:
        try:
            target.write(file.data)
            target.flush()
        except OSError as failure:
            failure.filename = path  # a failed write has none, and the message must name the full disk
            raise
        if file.user is not None or group is not None:
            os.fchown(fd, -1 if file.user is None else file.user, -1 if group is None else group)
        mode = file.mode if group is None else ownership.wanted_mode(file.mode, is_directory=False, read_only=True)
        os.fchmod(fd, mode)  # last, since chown clears bits


def _publish(root: int, generation: str) -> None:
    """Make it the current generation."""
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(NEW_DATA, dir_fd=root)
        os.symlink(generation, NEW_DATA, dir_fd=root)
        os.rename(NEW_DATA, DATA, src_dir_fd=root, dst_dir_fd=root)
    except OSError:
        trees.delete(root, NEW_DATA)
        trees.delete(root, generation)
        raise


def _link(root: int, names: set[str]) -> None:
    for name in names:
        with contextlib.suppress(FileExistsError):
            os.symlink(f"{DATA}/{name}", name, dir_fd=root)


def _remove_leftovers(root: int, current: str | None, names: set[str]) -> None:
    """Remove links that lead nowhere, older generations, and what a killed agent left behind."""
    for name, is_link in _entries(root):
        if name == DATA:
            continue
        if is_link and (
            name == NEW_DATA or (name not in names and os.readlink(name, dir_fd=root) == f"{DATA}/{name}")
        ):
            os.unlink(name, dir_fd=root)
        elif GENERATION.fullmatch(name) and name != current:
            trees.delete(root, name)


def _entries(root: int) -> list[tuple[str, bool]]:
    """The names in a directory, and whether they are links."""
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)  # `root` cannot be read
    try:
        with os.scandir(fd) as entries:
            return [(entry.name, entry.is_symlink()) for entry in entries]
    finally:
        os.close(fd)

"""The archive of one container's checkpoint: an uncompressed tar in the format of containerd and CRI-O.

    spec.dump, config.dump, status.dump, status    the container's configuration and state, as JSON
    container.log                                  its log
    dump.log, stats-dump                           CRIU's log and statistics
    rootfs-diff.tar                                its writable layer, as an OCI layer
    checkpoint/                                    CRIU's images

Called by `service`, in threads because writing blocks. The container may have written what it reads, so it is
untrusted.
"""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Callable, Mapping
from typing import IO

from podwright.errors import DeadlineExceeded

CRIU_FOLDER = "checkpoint"
POD = "pod.dump"  # next to the archives of a pod's containers
DIFF = "rootfs-diff.tar"
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
OVERLAY_XATTRS = ("trusted.overlay.", "user.overlay.")
GoOn = Callable[[], bool]


def write(path: str, documents: Mapping[str, bytes], files: Mapping[str, str], folder: str, go_on: GoOn) -> None:
    """Write the new archive at `path`: `documents` by name, `files` by name, and CRIU's `folder`.

    Absent files are left out. Raises OSError, and DeadlineExceeded once `go_on` returns False.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file, tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in documents.items():
            _add_bytes(archive, name, data)
        present = {name: source for name, source in files.items() if os.path.isfile(source)}
        images = {f"{CRIU_FOLDER}/{name}": f"{folder}/{name}" for name in sorted(os.listdir(folder))}
        _add_folder(archive, CRIU_FOLDER)
        for name, source in {**present, **images}.items():
            _add_file(archive, name, source, go_on)


def write_diff(path: str, upper: str, go_on: GoOn) -> None:
    """Write the container's writable layer, from its overlay's upper directory, as an OCI layer. Raises as `write`."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file, tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as layer:
        for folder, folders, names in os.walk(upper):
            inside = os.path.relpath(folder, upper)
            folders.sort()
            if inside != "." and _is_opaque(folder):
                _add_bytes(layer, f"{inside}/{OPAQUE}", b"")
            for name in sorted([*folders, *names]):
                check(go_on)
                _add_changed(layer, os.path.normpath(f"{inside}/{name}"), f"{folder}/{name}")


def _add_changed(layer: tarfile.TarFile, name: str, source: str) -> None:
    status = os.lstat(source)
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:  # overlayfs's mark of a deleted file
        folder, _, base = name.rpartition("/")
        _add_bytes(layer, f"{folder}/{WHITEOUT}{base}".lstrip("/"), b"")
        return
    if stat.S_ISSOCK(status.st_mode):  # a socket is useless without its process
        return
    info = layer.gettarinfo(source, arcname=name)
    info.uname = info.gname = ""
    info.pax_headers = {f"SCHILY.xattr.{key}": value for key, value in _xattrs(source).items()}
    if info.isreg():
        with open(os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            layer.addfile(info, file)
    else:
        layer.addfile(info)


def _xattrs(source: str) -> dict[str, str]:
    found = {}
    for key in os.listxattr(source, follow_symlinks=False):
        if not key.startswith(OVERLAY_XATTRS):
            found[key] = os.getxattr(source, key, follow_symlinks=False).decode("utf-8", "surrogateescape")
    return found


def _is_opaque(folder: str) -> bool:
    for prefix in OVERLAY_XATTRS:
        try:
            if os.getxattr(folder, f"{prefix}opaque") == b"y":
                return True
        except OSError:
            continue
    return False


def _add_folder(archive: tarfile.TarFile, name: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o700
    archive.addfile(info)


def _add_bytes(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o600
    archive.addfile(info, io.BytesIO(data))


def _add_file(archive: tarfile.TarFile, name: str, source: str, go_on: GoOn) -> None:
    check(go_on)
    fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        return
    with os.fdopen(fd, "rb") as file:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = status.st_size, 0o600, int(status.st_mtime)
        archive.addfile(info, _Checked(file, go_on))


class _Checked(io.RawIOBase):
    """A file whose reading stops when no caller waits for it. If it shrinks, it is padded with zeros."""

    def __init__(self, file: IO[bytes], go_on: GoOn) -> None:
        super().__init__()
        self._file = file
        self._go_on = go_on

    def read(self, size: int = -1) -> bytes:
        check(self._go_on)
        return self._file.read(size).ljust(max(size, 0), b"\0")


def check(go_on: GoOn) -> None:
    """Raises DeadlineExceeded if no caller waits any longer."""
    if not go_on():
        raise DeadlineExceeded("the checkpoint was not done in time")

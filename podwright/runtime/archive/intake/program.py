"""The program's flow: decompress, read the tar, write each file under a number, report one JSON object.

Exit code 0 means that there is a report, of success or failure. Any other code is a bug, with details on stderr.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

from podwright.runtime.archive import decompress
from podwright.runtime.archive.stream import StreamSource
from podwright.runtime.storage.unpack import decode
from podwright.runtime.storage.unpack.archive import REGULAR, Archive, ArchiveEntry
from podwright.runtime.storage.unpack.failure import UnpackError, shown
from podwright.runtime.storage.unpack.names import relative

ARCHIVE_FD = 0
MEMBERS_LIMIT = 20_000
RATIO_LIMIT = 200  # beyond RATIO_FREE_BYTES, no genuine archive unpacks to more than this multiple of its size
RATIO_FREE_BYTES = 1 << 30
SPACE_ERRNOS = (errno.ENOSPC, errno.EDQUOT)
LINKS = {b"1": "hardlink", b"2": "symlink"}


def main(arguments: Sequence[str]) -> int:
    """Run with FOLDER PREFIX MAX_BYTES. FOLDER becomes this process's root."""
    folder, prefix, limit = arguments
    os.umask(0o077)
    source = StreamSource(ARCHIVE_FD)
    try:
        reader = decompress.opened(source)
        os.chroot(folder)
        os.chdir("/")
        report: dict[str, Any] = {"members": take_in(reader, source, prefix, int(limit))}
    except UnpackError as failure:
        report = {"kind": failure.kind, "message": str(failure)}
    except OSError as failure:
        kind = "space" if failure.errno in SPACE_ERRNOS else "io"
        report = {"kind": kind, "message": os.strerror(failure.errno or errno.EIO)}
    os.write(1, json.dumps(report).encode())
    return 0


def take_in(reader: decode.Readable, source: StreamSource, prefix: str, max_bytes: int) -> list[dict[str, Any]]:
    """Write the files of the archive to the working directory. Raises UnpackError, OSError."""
    archive = Archive(_bounded(reader, source, max_bytes))
    members: list[dict[str, Any]] = []
    for entry in archive:
        if entry.kind == b"5":
            continue
        if len(members) == MEMBERS_LIMIT:
            raise UnpackError("limit", f"the archive has more than {MEMBERS_LIMIT} files")
        members.append(_taken(entry, archive, f"{prefix}-{len(members)}"))
    return members


def _bounded(reader: decode.Readable, source: StreamSource, max_bytes: int) -> Iterator[bytes]:
    """The tar's bytes, up to the size that a genuine archive may have."""
    total = 0
    while chunk := reader.read():
        total += len(chunk)
        if total > max_bytes:
            raise UnpackError("limit", f"the archive unpacks to more than {max_bytes} bytes")
        if total > max(RATIO_FREE_BYTES, source.read_bytes * RATIO_LIMIT):
            raise UnpackError("limit", f"the archive unpacks to more than {RATIO_LIMIT} times its size")
        yield chunk


def _taken(entry: ArchiveEntry, archive: Archive, file: str) -> dict[str, Any]:
    name = relative(entry.name).decode("utf-8", "backslashreplace")
    if entry.kind in LINKS:
        target = entry.linkname.decode("utf-8", "backslashreplace")
        return {"name": name, "link": LINKS[entry.kind], "target": target}
    if entry.kind != REGULAR or entry.pieces is not None:
        raise UnpackError("bad", f"{shown(entry.name)} is neither a file nor a link")
    return {"name": name, "file": file, "size": entry.size, "digest": _written(entry, archive, file)}


def _written(entry: ArchiveEntry, archive: Archive, file: str) -> str:
    digest = hashlib.sha256()
    fd = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:

        def consume(piece: bytes) -> None:
            digest.update(piece)
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(fd, rest) :]

        entry.consumed = True
        archive.data.pass_on(entry.stored, consume)
    finally:
        os.close(fd)
    return "sha256:" + digest.hexdigest()

"""Reads an OCI image layout directory (image-spec, image-layout.md) as an oci-archive. Blocks."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Generator, Iterator
from typing import BinaryIO

from podwright.errors import InvalidArgument

CHUNK_BYTES = 1 << 20
INDEX, MARKER, BLOBS = "index.json", "oci-layout", "blobs"


def check(directory: str) -> None:
    """Raises InvalidArgument unless it is an OCI layout."""
    for name in (MARKER, INDEX):
        if not os.path.isfile(os.path.join(directory, name)):
            raise InvalidArgument(
                f"{directory} is not an OCI layout: it has no {name}",
                hint="use an archive, or a directory written by skopeo copy SOURCE oci:DIRECTORY",
            )


def archived(directory: str) -> Generator[bytes, None, None]:
    """The layout as a tar in pieces. Links are followed.

    Raises OSError, and InvalidArgument for files that shrink in the meantime.
    """
    for name in _files(directory):
        with open(os.path.join(directory, name), "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            yield _header(name, size)
            yield from _content(file, name, size)
            yield bytes(-size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _files(directory: str) -> Iterator[str]:
    yield MARKER
    yield INDEX
    for folder in sorted(os.listdir(os.path.join(directory, BLOBS))):
        for name in sorted(os.listdir(os.path.join(directory, BLOBS, folder))):
            path = f"{BLOBS}/{folder}/{name}"
            if stat.S_ISREG(os.stat(os.path.join(directory, path)).st_mode):
                yield path


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info.tobuf(tarfile.GNU_FORMAT)


def _content(file: BinaryIO, name: str, size: int) -> Iterator[bytes]:
    while size:
        data = file.read(min(size, CHUNK_BYTES))
        if not data:
            raise InvalidArgument(f"{name} shrank while it was read")
        size -= len(data)
        yield data

"""Reads the checkpoint of a pod. It is untrusted, so names are checked and bytes counted.

Called by `restoring`, in threads. The confined unpack program handles the layer in an archive.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import IO

import msgspec

from podwright.errors import InvalidArgument
from podwright.runtime.checkpoint.archive import CRIU_FOLDER, DIFF, POD, GoOn, check
from podwright.runtime.storage.unpack.archive import REGULAR, Archive, ArchiveEntry
from podwright.runtime.storage.unpack.failure import UnpackError

CHUNK_BYTES = 1 << 20
DOCUMENT_LIMIT_BYTES = 4 * 1024 * 1024
ENTRIES_LIMIT = 100_000
IMAGES, LAYER = "images", "layer.tar"


class _ArchivedPod(msgspec.Struct, frozen=True):
    containers: dict[str, str]


class _PodStatus(msgspec.Struct, frozen=True):
    image_id: str = ""


class Extracted(msgspec.Struct, frozen=True, kw_only=True):
    """An archive's parts in a directory of ours: CRIU's `images`, and the writable `layer`, or ""."""

    images: str
    layer: str
    image_id: str  # the container's image; empty if the archive does not name it


def archives(folder: str) -> dict[str, str]:
    """Paths of the archives in a pod's checkpoint, by the containers' names. Raises InvalidArgument and OSError."""
    try:
        pod = msgspec.json.decode(_read(f"{folder}/{POD}"), type=_ArchivedPod)
    except msgspec.DecodeError as failure:
        raise InvalidArgument(f"checkpoint_path {folder[:200]!r} is not a checkpoint of a pod: {failure}") from failure
    for name in pod.containers.values():
        if name in {"", ".", ".."} or "/" in name or "\0" in name:
            raise InvalidArgument(f"checkpoint_path {folder[:200]!r}: {name[:200]!r} is not an archive name")
    return {container: f"{folder}/{name}" for container, name in pod.containers.items()}


def extract(path: str, folder: str, go_on: GoOn) -> Extracted:
    """Write the parts of the archive at `path` to the new directory `folder`.

    Raises InvalidArgument for an invalid checkpoint, DeadlineExceeded once `go_on` returns False, and OSError.
    """
    images, layer = f"{folder}/{IMAGES}", f"{folder}/{LAYER}"
    os.makedirs(images, mode=0o700)
    image_id = ""
    try:
        with open(_opened(path), "rb") as file:
            archive = Archive(_chunks(file, go_on))
            for count, entry in enumerate(archive):
                name = os.fsdecode(entry.name)
                if entry.kind != REGULAR or entry.pieces is not None:
                    continue
                if name == "status.dump":
                    image_id = _image_id(archive, entry)
                elif (target := _target(name, images, layer)) is not None:
                    _copy(archive, entry, target)
                if count > ENTRIES_LIMIT:
                    raise InvalidArgument(f"archive {path[:200]!r} has more than {ENTRIES_LIMIT} entries")
    except (UnpackError, msgspec.DecodeError, FileExistsError) as failure:
        raise InvalidArgument(f"archive {path[:200]!r} is not a checkpoint: {failure}") from failure
    if not os.listdir(images):
        raise InvalidArgument(f"archive {path[:200]!r} has no CRIU images")
    return Extracted(images=images, layer=layer if os.path.exists(layer) else "", image_id=image_id)


def _chunks(file: IO[bytes], go_on: GoOn) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        check(go_on)
        yield chunk


def _target(name: str, images: str, layer: str) -> str | None:
    """The path for a member, or None if a restore does not need it. Raises InvalidArgument."""
    if name == DIFF:
        return layer
    place, _, plain = name.rpartition("/")
    if place != CRIU_FOLDER:
        return None
    if plain in {"", ".", ".."} or "\0" in plain:
        raise InvalidArgument(f"{name!r} is not a file name")
    return f"{images}/{plain}"


def _copy(archive: Archive, entry: ArchiveEntry, target: str) -> None:
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        archive.data.pass_on(entry.stored, file.write)
    entry.consumed = True


def _image_id(archive: Archive, entry: ArchiveEntry) -> str:
    if entry.stored > DOCUMENT_LIMIT_BYTES:
        raise UnpackError("bad", "status.dump is too long")
    document = archive.data.take(entry.stored)
    entry.consumed = True
    return msgspec.json.decode(document, type=_PodStatus).image_id


def _read(path: str) -> bytes:
    with open(_opened(path), "rb") as file:
        return file.read(DOCUMENT_LIMIT_BYTES)


def _opened(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as failure:
        raise InvalidArgument(f"{path[:300]!r} is not readable: {failure.strerror}") from failure

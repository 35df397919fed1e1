"""Reads the checkpoint of a pod. Whoever wrote it is not trusted: names are looked at, and bytes counted.

Called by `restoring`, in threads. The layer in an archive is left to the confined unpack program.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """An archive's parts in a directory of ours: CRIU's `images`, and the `layer` that was written ("" for none)."""

    images: str
    layer: str
    image_id: str  # the image that it ran on; empty when the archive does not tell


def archives(folder: str) -> dict[str, str]:
    """Paths of the archives in a pod's checkpoint, by their containers' names. Raises InvalidArgument and OSError."""
    try:
        pod = msgspec.json.decode(_read(f"{folder}/{POD}"), type=_ArchivedPod)
    except msgspec.DecodeError as failure:
        raise InvalidArgument(f"checkpoint_path {folder[:200]!r} holds no checkpoint of a pod: {failure}") from failure
    for name in pod.containers.values():
        if name in {"", ".", ".."} or "/" in name or "\0" in name:
            raise InvalidArgument(f"checkpoint_path {folder[:200]!r}: {name[:200]!r} is no name of an archive")
    return {container: f"{folder}/{name}" for container, name in pod.containers.items()}


def extract(path: str, folder: str, go_on: GoOn) -> Extracted:
    """Put the parts of the archive at `path` into the new directory `folder`.

    Raises InvalidArgument for what is no checkpoint of a container, DeadlineExceeded once `go_on` says no, OSError.
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
        raise InvalidArgument(f"archive {path[:200]!r} is no checkpoint: {failure}") from failure
    if not os.listdir(images):
        raise InvalidArgument(f"archive {path[:200]!r} holds no images of CRIU")
    return Extracted(images=images, layer=layer if os.path.exists(layer) else "", image_id=image_id)


def _chunks(file: IO[bytes], go_on: GoOn) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        check(go_on)
        yield chunk


def _target(name: str, images: str, layer: str) -> str | None:
    """Where a member belongs; None for what a restore does not need. Raises InvalidArgument."""
    if name == DIFF:
        return layer
    place, _, plain = name.rpartition("/")
    if place != CRIU_FOLDER:
        return None
    if plain in {"", ".", ".."} or "\0" in plain:
        raise InvalidArgument(f"{name!r} is no name of a file")
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
        raise InvalidArgument(f"{path[:300]!r} cannot be read: {failure.strerror}") from failure

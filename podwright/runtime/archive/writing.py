"""Writes archives: their members (pure), and the tar as a stream of bytes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tarfile
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import msgspec

from podwright.errors import FailedPrecondition, Internal
from podwright.runtime.archive.contents import NAME
from podwright.runtime.archive.stream import StreamSource
from podwright.runtime.model.image import hex_of
from podwright.runtime.storage import layout
from podwright.runtime.storage.completion import to_completion
from podwright.runtime.storage.unpack import decode
from podwright.runtime.storage.unpack.failure import UnpackError

CHUNK_BYTES = 1 << 20


class ArchiveLayer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer's blob at `path` in the store, and the digest of its tar."""

    digest: str
    size_bytes: int
    diff_id: str
    path: str


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """One image for an archive, with an OCI manifest."""

    names: tuple[str, ...]
    manifest: bytes
    config: bytes
    layers: tuple[ArchiveLayer, ...]


class ArchivePart(msgspec.Struct, frozen=True, kw_only=True):
    """A member: its bytes, or the layer that holds them. With `plain`, the layer is decompressed."""

    name: str
    data: bytes = b""
    layer: ArchiveLayer | None = None
    plain: bool = False


def oci_parts(images: Sequence[Saved]) -> list[ArchivePart]:
    """The members of an oci-archive."""
    parts = {"oci-layout": ArchivePart(name="oci-layout", data=layout.LAYOUT_FILE)}
    entries: list[dict[str, Any]] = []
    for image in images:
        descriptor = {
            "mediaType": layout.OCI_MANIFEST,
            "digest": layout.digest_of(image.manifest),
            "size": len(image.manifest),
        }
        named = [{**descriptor, "annotations": {layout.REF_NAME: name, NAME: name}} for name in image.names]
        entries += named or [descriptor]
        for data in (image.manifest, image.config):
            name = _blob_name(layout.digest_of(data))
            parts[name] = ArchivePart(name=name, data=data)
        for layer in image.layers:
            parts[_blob_name(layer.digest)] = ArchivePart(name=_blob_name(layer.digest), layer=layer)
    index = {"schemaVersion": 2, "mediaType": layout.OCI_INDEX, "manifests": entries}
    parts["index.json"] = ArchivePart(name="index.json", data=msgspec.json.encode(index))
    return list(parts.values())


def docker_parts(images: Sequence[Saved]) -> list[ArchivePart]:
    """The members of a docker-archive, whose layers are uncompressed tars."""
    parts: dict[str, ArchivePart] = {}
    entries: list[dict[str, Any]] = []
    for image in images:
        config = f"{hex_of(layout.digest_of(image.config))}.json"
        layers = [f"{hex_of(layer.diff_id)}.tar" for layer in image.layers]
        entries.append({"Config": config, "RepoTags": list(image.names), "Layers": layers})
        parts[config] = ArchivePart(name=config, data=image.config)
        for name, layer in zip(layers, image.layers, strict=True):
            parts[name] = ArchivePart(name=name, layer=layer, plain=True)
    parts["manifest.json"] = ArchivePart(name="manifest.json", data=msgspec.json.encode(entries))
    return list(parts.values())


def _blob_name(digest: str) -> str:
    return f"blobs/sha256/{hex_of(digest)}"


async def tar_of(parts: Sequence[ArchivePart]) -> AsyncIterator[bytes]:
    """The archive in pieces. Raises FailedPrecondition for a damaged blob, Internal for a missing one."""
    for part in parts:
        if part.layer is None:
            yield _header(part.name, len(part.data)) + part.data + _padding(len(part.data))
            continue
        size = await asyncio.to_thread(_plain_size, part.layer) if part.plain else part.layer.size_bytes
        yield _header(part.name, size)
        with _reader(part.layer, plain=part.plain) as chunks:
            while chunk := await to_completion(asyncio.to_thread(next, chunks, b"")):
                yield chunk
        yield _padding(size)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _header(name: str, size_bytes: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size_bytes, 0o644
    return info.tobuf(tarfile.GNU_FORMAT)


def _padding(size_bytes: int) -> bytes:
    return bytes(-size_bytes % tarfile.BLOCKSIZE)


def _plain_size(layer: ArchiveLayer) -> int:
    """The size of the uncompressed layer. A tar's header comes before the data, so the layer is decompressed twice."""
    size, digest = 0, hashlib.sha256()
    with _reader(layer, plain=True) as chunks:
        for chunk in chunks:
            size += len(chunk)
            digest.update(chunk)
    if f"sha256:{digest.hexdigest()}" != layer.diff_id:
        raise _damaged(layer, f"it unpacks to sha256:{digest.hexdigest()}, not to {layer.diff_id}")
    return size


@contextlib.contextmanager
def _reader(layer: ArchiveLayer, *, plain: bool) -> Iterator[Iterator[bytes]]:
    try:
        fd = os.open(layer.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as failure:
        raise Internal(f"cannot read {layer.digest}: {failure.strerror}") from failure
    try:
        yield _plain_chunks(layer, fd) if plain else _chunks(layer, fd)
    finally:
        os.close(fd)


def _chunks(layer: ArchiveLayer, fd: int) -> Iterator[bytes]:
    left, digest = layer.size_bytes, hashlib.sha256()
    while left:
        data = os.read(fd, min(left, CHUNK_BYTES))
        if not data:
            raise _damaged(layer, f"{left} bytes are missing")
        left -= len(data)
        digest.update(data)
        yield data
    if f"sha256:{digest.hexdigest()}" != layer.digest:
        raise _damaged(layer, f"its digest is sha256:{digest.hexdigest()}")


def _plain_chunks(layer: ArchiveLayer, fd: int) -> Iterator[bytes]:
    try:
        reader = decode.opened(StreamSource(fd))
        while chunk := reader.read():
            yield chunk
    except UnpackError as failure:
        raise _damaged(layer, str(failure)) from failure


def _damaged(layer: ArchiveLayer, why: str) -> FailedPrecondition:
    return FailedPrecondition(f"blob {layer.digest} is damaged: {why}", hint="podwright images verify --repair")

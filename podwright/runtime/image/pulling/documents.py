"""The documents of an image: the indexes, the manifest for this machine, and its config.

They come from the content store, or from a registry through the store.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from podwright.errors import FailedPrecondition
from podwright.runtime.image.pulling import describe
from podwright.runtime.registry import manifest, platforms
from podwright.runtime.registry.client import DOCUMENT_LIMIT_BYTES, Client
from podwright.runtime.registry.manifest import Descriptor, ImageDocument, Manifest, NoPlatform, RootFs
from podwright.runtime.registry.reference import ImageReference
from podwright.runtime.storage.blobs import BlobStore

NESTED_LIMIT = 3  # depth of indexes below the first
TRIES_LIMIT = 8  # indexes that are read at each level


class Documents(msgspec.Struct, frozen=True, kw_only=True):
    """The parsed manifest and config of one image.

    `path` lists the digests of the indexes and of the manifest, starting with the one that the image's name refers
    to. An artifact's config has no meaning and is left empty.
    """

    name: str
    path: tuple[str, ...]
    manifest: Manifest
    manifest_data: bytes
    document: ImageDocument

    @property
    def digest(self) -> str:
        """The digest that the image's name refers to, of an index or a manifest."""
        return self.path[0]

    @property
    def manifest_digest(self) -> str:
        """The digest of the manifest."""
        return self.path[-1]


class DocumentSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where the documents of `reference` come from. Without a client they must be in the store.

    Digests are added to `used` before the documents are used, so that nothing deletes them.
    """

    client: Client | None
    reference: ImageReference
    used: set[str]

    def name(self, digest: str) -> str:
        """The name of a document in messages."""
        tag = f":{self.reference.tag}" if self.reference.tag else ""
        return f"{self.reference.name}{tag}@{digest}"


class _Found(msgspec.Struct, frozen=True):
    path: tuple[str, ...]
    manifest: Manifest
    data: bytes


class DocumentReader:
    """Reads, chooses and checks documents.

    Raises FailedPrecondition for an unusable image, and what the client raises.
    """

    def __init__(self, blobs: BlobStore, max_layers: int) -> None:
        self._blobs = blobs
        self._max_layers = max_layers
        self._platforms = platforms.host_platforms()

    async def read(self, source: DocumentSource, digest: str, media_type: str = "") -> Documents:
        """The documents of `digest`. `media_type` is what the registry says."""
        data, served_type = await self._stored(source, digest) or await self._fetched(source, digest)
        found = await self._choose(source, digest, data, served_type or media_type, NESTED_LIMIT)
        name = source.name(found.path[-1])
        describe.check_count(len(found.manifest.layers), self._max_layers, name)
        config = await self._config(source, found.manifest.config, name)
        document = ImageDocument(rootfs=RootFs())
        if not found.manifest.artifact:
            document = manifest.parse_config(config, name)
            describe.check(found.manifest, document, name)
        return Documents(
            name=name, path=found.path, manifest=found.manifest, manifest_data=found.data, document=document
        )

    async def _choose(self, source: DocumentSource, digest: str, data: bytes, media_type: str, depth: int) -> _Found:
        name = source.name(digest)
        top = manifest.parse(data, media_type, name)
        if isinstance(top, Manifest):
            return _Found((digest,), top, data)
        if not depth:
            raise FailedPrecondition(f"{name}: indexes nest deeper than {NESTED_LIMIT}")
        below = await self._best_of(source, name, manifest.ranked(top.manifests, self._platforms, name), depth)
        return _Found((digest, *below.path), below.manifest, below.data)

    async def _best_of(
        self, source: DocumentSource, name: str, candidates: Iterable[Descriptor], depth: int
    ) -> _Found:
        """The first candidate of index `name` that fits. Indexes without a fitting entry are skipped."""
        misses: list[NoPlatform] = []
        for entry in candidates:
            manifest.check(entry, name)
            data, media_type = await self._stored(source, entry.digest) or await self._fetched(source, entry.digest)
            _check_size(entry, data, source.name(entry.digest))
            try:
                return await self._choose(source, entry.digest, data, media_type or entry.media_type, depth - 1)
            except NoPlatform as miss:
                misses.append(miss)
                if len(misses) == TRIES_LIMIT:
                    break
        raise misses[0]

    async def _stored(self, source: DocumentSource, digest: str) -> tuple[bytes, str] | None:
        source.used.add(digest)
        if (self._blobs.size(digest) or 0) > DOCUMENT_LIMIT_BYTES:
            raise FailedPrecondition(f"{source.name(digest)} is too large for a manifest")
        data = self._blobs.read(digest)
        return None if data is None else (data, "")

    async def _fetched(self, source: DocumentSource, digest: str) -> tuple[bytes, str]:
        if source.client is None:
            raise FailedPrecondition(f"{digest} is not in the store")
        data, media_type = await source.client.manifest(digest)
        await self._blobs.put(data)
        return data, media_type

    async def _config(self, source: DocumentSource, descriptor: Descriptor, name: str) -> bytes:
        stored = await self._stored(source, descriptor.digest)
        data = stored[0] if stored is not None else b""
        if stored is None:
            if source.client is None:
                raise FailedPrecondition(f"{descriptor.digest} is not in the store")
            data = await source.client.config(descriptor)
        _check_size(descriptor, data, name)
        await self._blobs.put(data)
        return data


def _check_size(descriptor: Descriptor, data: bytes, name: str) -> None:
    if len(data) != descriptor.size:
        raise FailedPrecondition(
            f"{name}: {descriptor.digest} has {len(data)} bytes instead of the declared {descriptor.size}"
        )

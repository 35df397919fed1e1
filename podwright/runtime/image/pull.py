"""One pull as a list of steps: resolve, manifests, config, layers. It stores, but records nothing: `service` does.

Everything that it needs is registered in a lease before it is used, so that nobody collects it meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from podwright.errors import FailedPrecondition
from podwright.process import ProcessRunner
from podwright.runtime import config
from podwright.runtime.image import describe
from podwright.runtime.image.catalog import Lease
from podwright.runtime.image.fetch import LayerFetcher, Wanted
from podwright.runtime.image.records import Target
from podwright.runtime.model.image import Image, RegistryAuth, hex_of
from podwright.runtime.registry import manifest, platforms
from podwright.runtime.registry.client import Client
from podwright.runtime.registry.logins import Logins
from podwright.runtime.registry.manifest import Descriptor, ImageDocument, Index, Manifest
from podwright.runtime.registry.reference import Reference
from podwright.runtime.storage import layout
from podwright.runtime.storage.blobs import BlobStore
from podwright.runtime.storage.layers import LayerStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """The parsed manifest and config of one image, and the digests of what they were read from."""

    digest: str
    manifest_digest: str
    manifest: Manifest
    manifest_data: bytes
    document: ImageDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """An image that is wholly in the stores."""

    image: Image
    target: Target


class Puller:
    """Runs pulls on the two stores."""

    def __init__(
        self,
        blobs: BlobStore,
        layers: LayerStore,
        registry: config.Registry,
        images: config.Images,
        runner: ProcessRunner,
    ) -> None:
        self._blobs = blobs
        self._layers = layers
        self._registry = registry
        self._images = images
        self._logins = Logins(registry, runner)
        self._fetcher = LayerFetcher(blobs, layers)
        self._platforms = platforms.host_platforms()

    async def pull(self, reference: Reference, auth: RegistryAuth | None, lease: Lease) -> Pulled:
        """Bring everything. Raises NotFound, PermissionDenied, FailedPrecondition, ResourceExhausted, Unknown ..."""
        client = Client(reference, auth, self._registry, self._logins)
        async with client:
            digest, media_type = reference.digest, ""
            if not digest:
                resolved = await client.resolve()
                digest, media_type = resolved.digest, resolved.media_type
                lease.blobs.add(digest)
                if resolved.data is not None:
                    await self._blobs.put(resolved.data)
            documents = await self._documents(client, reference, digest, media_type, lease)
            layers = await self._layers_of(client, str(reference), documents, lease)
        return await self._pulled(documents, layers, lease)

    async def restore(self, target: Target, reference: Reference, lease: Lease) -> Pulled:
        """Unpack again what is in the content store. Raises FailedPrecondition when that is not everything."""
        documents = await self._documents(None, reference, target.digest, "", lease)
        layers = await self._layers_of(None, str(reference), documents, lease)
        return await self._pulled(documents, layers, lease)

    async def _documents(
        self, client: Client | None, reference: Reference, digest: str, media_type: str, lease: Lease
    ) -> Documents:
        name = str(reference)
        data, media_type = await self._document(client, digest, media_type, lease)
        top = manifest.parse(data, media_type, name)
        manifest_digest = digest
        if isinstance(top, Index):
            chosen = manifest.choose(top.manifests, self._platforms, name)
            manifest_digest = chosen.digest
            data, media_type = await self._document(client, manifest_digest, chosen.media_type, lease)
            top = manifest.parse(data, media_type, name)
            if isinstance(top, Index):
                raise FailedPrecondition(f"{name}: an index inside an index is no image")
        document = manifest.parse_config(await self._config(client, top.config, lease), name)
        describe.check(top, document, self._images.max_layers, name)
        return Documents(
            digest=digest, manifest_digest=manifest_digest, manifest=top, manifest_data=data, document=document
        )

    async def _document(self, client: Client | None, digest: str, media_type: str, lease: Lease) -> tuple[bytes, str]:
        lease.blobs.add(digest)
        stored = self._blobs.read(digest)
        if stored is not None:
            return stored, media_type
        if client is None:
            raise FailedPrecondition(f"{digest} is not in the store")
        data, media_type = await client.manifest(digest)
        await self._blobs.put(data)
        return data, media_type

    async def _config(self, client: Client | None, descriptor: Descriptor, lease: Lease) -> bytes:
        lease.blobs.add(descriptor.digest)
        stored = self._blobs.read(descriptor.digest)
        if stored is not None:
            return stored
        if client is None:
            raise FailedPrecondition(f"{descriptor.digest} is not in the store")
        data = await client.config(descriptor)
        await self._blobs.put(data)
        return data

    async def _layers_of(self, client: Client | None, name: str, documents: Documents, lease: Lease) -> list[str]:
        """The ids of the layers from the base up; as many at once as the configuration allows."""
        diff_ids = documents.document.rootfs.diff_ids or ()
        chain = describe.chain_ids(diff_ids)
        lease.layers.update(hex_of(digest) for digest in (*diff_ids, *chain))
        lease.blobs.update(layer.digest for layer in documents.manifest.layers)
        slots = asyncio.Semaphore(self._registry.concurrent_downloads)
        jobs: list[asyncio.Task[str]] = []

        async def bring(wanted: Wanted) -> str:
            async with slots:
                return await self._fetcher.fetch(client, wanted)

        try:
            async with asyncio.TaskGroup() as group:
                for layer, diff_id, chain_id in zip(documents.manifest.layers, diff_ids, chain, strict=True):
                    below = _Below(tuple(jobs))
                    wanted = Wanted(image=name, descriptor=layer, diff_id=diff_id, chain_id=chain_id, below=below.ids)
                    jobs.append(group.create_task(bring(wanted)))
        except BaseExceptionGroup as group_failure:
            raise group_failure.exceptions[0] from None
        return [job.result() for job in jobs]

    async def _pulled(self, documents: Documents, layers: Sequence[str], lease: Lease) -> Pulled:
        listed = layout.oci_manifest(documents.manifest_data)
        listed_digest = layout.digest_of(listed)
        lease.blobs.add(listed_digest)
        await self._blobs.put(listed)
        top = documents.manifest
        blobs = [documents.digest, documents.manifest_digest, listed_digest, top.config.digest]
        target = Target(
            digest=documents.digest,
            manifest=documents.manifest_digest,
            listed=listed_digest,
            listed_bytes=len(listed),
            blobs=tuple(dict.fromkeys([*blobs, *(layer.digest for layer in top.layers)])),
            layers=tuple(dict.fromkeys(layer.digest for layer in top.layers)),
        )
        image = describe.image(top, len(documents.manifest_data), documents.document, layers)
        return Pulled(image=image, target=target)


@dataclass(frozen=True, slots=True)
class _Below:
    """The layers under one: those whose jobs were started before its own."""

    jobs: tuple[asyncio.Task[str], ...]

    async def ids(self) -> list[str]:
        return [await asyncio.shield(job) for job in self.jobs]

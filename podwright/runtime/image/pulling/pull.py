"""One pull as a list of steps: resolve, check signatures, manifests, config, layers. `service` records the result.

Everything that it needs is added to a lease before its use, so that nothing deletes it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence

import msgspec

from podwright.process import ProcessRunner
from podwright.runtime.config import ImageSettings, RegistrySettings, SignatureSettings
from podwright.runtime.image.catalog import ContentLease
from podwright.runtime.image.pulling import describe
from podwright.runtime.image.pulling.documents import DocumentReader, Documents, DocumentSource
from podwright.runtime.image.pulling.fetch import LayerFetcher, WantedLayer
from podwright.runtime.image.pulling.progress import PullProgress
from podwright.runtime.image.pulling.signatures import SignatureChecks
from podwright.runtime.image.records import ImageTarget
from podwright.runtime.model.image import Image, RegistryAuth, hex_of
from podwright.runtime.registry.client import Client, Resolved
from podwright.runtime.registry.logins import DaemonLogins
from podwright.runtime.registry.manifest import Descriptor
from podwright.runtime.registry.reference import ImageReference
from podwright.runtime.storage import artifacts, layout
from podwright.runtime.storage.artifacts import File
from podwright.runtime.storage.blobs import BlobStore
from podwright.runtime.storage.layers import LayerStore
from podwright.timeline import Step


class PulledImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image that is completely stored."""

    image: Image
    target: ImageTarget


class ImagePuller:
    """Runs pulls on the two stores."""

    def __init__(
        self,
        blobs: BlobStore,
        layers: LayerStore,
        registry: RegistrySettings,
        images: ImageSettings,
        signatures: SignatureSettings,
        runner: ProcessRunner,
    ) -> None:
        """Raises InvalidArgument for an invalid signature policy."""
        self._blobs = blobs
        self._layers = layers
        self._registry = registry
        self._logins = DaemonLogins(registry, runner)
        self._fetcher = LayerFetcher(blobs, layers, keep_blobs=images.keep_blobs)
        self._reader = DocumentReader(blobs, images.max_layers)
        self.signatures = SignatureChecks(signatures)

    async def pull(
        self, reference: ImageReference, auth: RegistryAuth | None, lease: ContentLease, progress: PullProgress
    ) -> PulledImage:
        """Fetch everything. Raises NotFound, PermissionDenied, FailedPrecondition, ResourceExhausted, Unknown ..."""
        self.signatures.check_wanted(reference)
        client = Client(reference, auth, self._registry, self._logins)
        async with client:
            with Step("resolve"):
                resolved = Resolved(digest=reference.digest) if reference.digest else await client.resolve()
            with Step("signatures"):
                await self.signatures.check(client, reference, resolved.digest)
            lease.blobs.add(resolved.digest)
            if resolved.data is not None:
                await self._blobs.put(resolved.data)
            source = DocumentSource(client=client, reference=reference, used=lease.blobs)
            with Step("manifests"):
                documents = await self._reader.read(source, resolved.digest, resolved.media_type)
            layers = await self._layers_of(client, documents, lease, progress)
        return await self._pulled(documents, layers, lease)

    async def unpack_again(self, target: ImageTarget, reference: ImageReference, lease: ContentLease) -> PulledImage:
        """Unpack again from the content store. Raises FailedPrecondition if something is missing."""
        pulled = await self.take(target.manifest, reference, lease)
        return msgspec.structs.replace(pulled, target=target)

    async def take(self, digest: str, reference: ImageReference, lease: ContentLease) -> PulledImage:
        """As `pull`, for a manifest or index whose blobs are all stored. Raises FailedPrecondition."""
        source = DocumentSource(client=None, reference=reference, used=lease.blobs)
        documents = await self._reader.read(source, digest)
        layers = await self._layers_of(None, documents, lease, PullProgress(str(reference)))
        return await self._pulled(documents, layers, lease)

    async def _layers_of(
        self, client: Client | None, documents: Documents, lease: ContentLease, progress: PullProgress
    ) -> list[str]:
        """The ids of the layers, the base first. The configuration limits the concurrency."""
        lease.blobs.update(layer.digest for layer in documents.manifest.layers)
        progress.expect({layer.digest: layer.size for layer in documents.manifest.layers})
        for layer in documents.manifest.layers:
            self._fetcher.look(layer, progress.counters[layer.digest])
        if documents.manifest.artifact:
            return [await self._artifact(client, documents, lease, progress)]
        diff_ids = documents.document.rootfs.diff_ids or ()
        chain = describe.chain_ids(diff_ids)
        lease.layers.update(hex_of(digest) for digest in (*diff_ids, *chain))
        slots = asyncio.Semaphore(self._registry.concurrent_downloads)
        jobs: list[asyncio.Task[str]] = []

        async def bring(wanted: WantedLayer) -> str:
            async with slots:
                with Step(f"layer {hex_of(wanted.descriptor.digest)[:12]}"):
                    return await self._fetcher.fetch(client, wanted)

        with _first_failure():
            async with asyncio.TaskGroup() as group:
                for layer, diff_id, chain_id in zip(documents.manifest.layers, diff_ids, chain, strict=True):
                    below = _Below(tuple(jobs))
                    wanted = WantedLayer(
                        image=progress.reference,
                        descriptor=layer,
                        diff_id=diff_id,
                        chain_id=chain_id,
                        below=below.ids,
                        progress=progress.counters[layer.digest],
                    )
                    jobs.append(group.create_task(bring(wanted), name=f"bring {layer.digest}"))
        return [job.result() for job in jobs]

    async def _artifact(
        self, client: Client | None, documents: Documents, lease: ContentLease, progress: PullProgress
    ) -> str:
        """The id of the tree with the artifact's files."""
        digest = documents.manifest_digest
        lease.layers.add(hex_of(digest))
        files = [File(describe.file_name(blob), blob.digest) for blob in documents.manifest.layers]
        slots = asyncio.Semaphore(self._registry.concurrent_downloads)

        async def bring(blob: Descriptor) -> None:
            async with slots:
                await self._fetcher.store(client, progress.reference, blob, progress.counters[blob.digest])

        artifacts.check_names(files, documents.name)
        with _first_failure():
            async with asyncio.TaskGroup() as group:
                for blob in documents.manifest.layers:
                    group.create_task(bring(blob), name=f"bring {blob.digest}")
        return await artifacts.keep(self._layers, self._blobs, digest, files)

    async def _pulled(self, documents: Documents, layers: Sequence[str], lease: ContentLease) -> PulledImage:
        listed = layout.oci_manifest(documents.manifest_data)
        listed_digest = layout.digest_of(listed)
        lease.blobs.add(listed_digest)
        await self._blobs.put(listed)
        top = documents.manifest
        blobs = [*documents.path, listed_digest, top.config.digest]
        target = ImageTarget(
            digest=documents.digest,
            manifest=documents.manifest_digest,
            listed=listed_digest,
            listed_bytes=len(listed),
            blobs=tuple(dict.fromkeys([*blobs, *(layer.digest for layer in top.layers)])),
            layers=() if top.artifact else tuple(dict.fromkeys(layer.digest for layer in top.layers)),
        )
        if top.artifact:
            image = describe.artifact(top, documents.manifest_digest, len(documents.manifest_data), *layers)
        else:
            image = describe.image(top, len(documents.manifest_data), documents.document, layers)
        return PulledImage(image=image, target=target)


class _Below(msgspec.Struct, frozen=True):
    """The ids of the layers under one, whose jobs were started before its own."""

    jobs: tuple[asyncio.Task[str], ...]

    async def ids(self) -> list[str]:
        return [await asyncio.shield(job) for job in self.jobs]


@contextlib.contextmanager
def _first_failure() -> Iterator[None]:
    """Raises the first failure of a group of tasks instead of the exception group."""
    try:
        yield
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None

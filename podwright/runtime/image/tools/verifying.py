"""Verification and repair: compares every blob with its digest, and every unpacked layer with its blob.

It finds missing, truncated or changed blobs, missing layers, and any file of a layer that is missing, extra, or
differs in kind, mode, owner, content, links, attributes or time. A layer whose blob was dropped ([images] keep_blobs)
is only checked for existence. Layers that a container has mounted are reported but not repaired.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence

import msgspec

from podwright.errors import PodwrightError
from podwright.runtime.image.catalog import ContentLease, ImageCatalog
from podwright.runtime.image.pulling import describe
from podwright.runtime.image.records import ImageRecord, ImageTarget
from podwright.runtime.image.tools.refetch import Refetcher
from podwright.runtime.image.tools.saving import found
from podwright.runtime.model.image_store import Damage, VerifySummary
from podwright.runtime.registry import manifest
from podwright.runtime.registry.manifest import Descriptor, Manifest
from podwright.runtime.storage import artifacts, layout
from podwright.runtime.storage.completion import to_completion

log = logging.getLogger(__name__)


class _Round(msgspec.Struct, kw_only=True):
    """One verification in progress. `broken` are blobs with wrong content."""

    repair: bool
    lease: ContentLease
    images: int = 0
    blobs: int = 0
    layers: int = 0
    damaged: int = 0
    repaired: int = 0
    unchecked_layers: int = 0
    seen: set[str] = msgspec.field(default_factory=set)
    broken: set[str] = msgspec.field(default_factory=set)

    def summary(self) -> VerifySummary:
        """The counts so far."""
        return VerifySummary(
            images=self.images,
            blobs=self.blobs,
            layers=self.layers,
            damaged=self.damaged,
            repaired=self.repaired,
            unchecked_layers=self.unchecked_layers,
        )


class _Layer(msgspec.Struct, frozen=True, kw_only=True):
    """One layer of an image: its id, its blob, and the layers below it."""

    id: str
    blob: Descriptor
    diff_id: str
    below: Sequence[str]


class Verifier:
    """Verifies and repairs images."""

    def __init__(self, catalog: ImageCatalog, refetcher: Refetcher, *, keep_blobs: bool) -> None:
        self._catalog = catalog
        self._refetcher = refetcher
        self._keep_blobs = keep_blobs

    async def verify(self, names: Sequence[str], *, repair: bool) -> AsyncGenerator[Damage | VerifySummary, None]:
        """Every damage as it is found, then the summary. `names` selects images, empty selects all.

        Raises NotFound and InvalidArgument for names. Damage that cannot be repaired has an `obstacle` and raises no
        error.
        """
        records = [found(self._catalog, name)[0] for name in names] or list(self._catalog.records.values())
        async with self._catalog.leased() as lease:
            state = _Round(repair=repair, lease=lease, images=len(records))
            for record in records:
                lease.layers.update(record.image.layers)
                lease.blobs.update(blob for target in record.targets.values() for blob in target.blobs)
            for record in records:
                if record.image.id not in self._catalog.records:  # removed in the meantime
                    continue
                for target in dict.fromkeys(record.targets.values()):  # names often share one
                    async for damage in self._target(record, target, state):
                        state.damaged += 1
                        state.repaired += damage.repaired
                        log.warning("image store is damaged: subject=%s problem=%s", damage.subject, damage.problem)
                        yield damage
            if state.repaired:
                await self._catalog.layers.sync()
            yield state.summary()

    async def _target(self, record: ImageRecord, target: ImageTarget, state: _Round) -> AsyncGenerator[Damage, None]:
        for digest in (target.digest, target.manifest):
            async for damage in self._blob(record, _document(digest), target, state):
                yield damage
        top = self._manifest(target, state)
        known = {each.digest: each for each in (top.config, *top.layers)} if top is not None else {}
        for digest in target.blobs:
            async for damage in self._blob(record, known.get(digest) or _document(digest), target, state):
                yield damage
        if top is None:
            return
        if top.config.digest in state.broken:
            state.unchecked_layers += len(top.layers)
        elif top.artifact:
            async for damage in self._artifact(record, target, top, state):
                yield damage
        else:
            for layer in self._layers(record, top):
                async for damage in self._layer(record, layer, state):
                    yield damage

    def _manifest(self, target: ImageTarget, state: _Round) -> Manifest | None:
        """The image's manifest, or None if it is damaged: then its layers are unknown."""
        data = self._catalog.blobs.read(target.manifest)
        if data is None or target.manifest in state.broken:
            return None
        top = manifest.parse(data, "", target.manifest)
        return top if isinstance(top, Manifest) else None

    # Blobs

    async def _blob(
        self, record: ImageRecord, descriptor: Descriptor, target: ImageTarget, state: _Round
    ) -> AsyncGenerator[Damage, None]:
        digest = descriptor.digest
        if digest in state.seen:
            return
        state.seen.add(digest)
        real = await self._catalog.blobs.computed(digest)
        if real is None and digest in target.layers and not self._keep_blobs:
            return
        state.blobs += 1
        if real == digest:
            return
        problem = "is missing" if real is None else f"has the digest {real}"
        obstacle = await self._repair_blob(record, descriptor, target, state) if state.repair else ""
        if not state.repair or obstacle:
            state.broken.add(digest)
        yield Damage(
            subject=digest,
            images=tuple(record.targets),
            problem=problem,
            repaired=state.repair and not obstacle,
            obstacle=obstacle,
        )

    async def _repair_blob(
        self, record: ImageRecord, descriptor: Descriptor, target: ImageTarget, state: _Round
    ) -> str:
        """Repair a blob. Returns why it cannot be repaired, or ""."""
        top = None if descriptor.digest in (target.digest, target.manifest) else self._manifest(target, state)
        try:
            if top is not None and descriptor.digest == target.listed:
                served = self._catalog.blobs.read(target.manifest) or b""
                await self._catalog.blobs.replace(
                    layout.oci_manifest(served)
                )  # it is derived from the served manifest
                return ""
            await self._refetcher.bring(list(record.targets), [descriptor])
        except PodwrightError as failure:
            return failure.message
        return ""

    # Layers

    def _layers(self, record: ImageRecord, top: Manifest) -> list[_Layer]:
        data = self._catalog.blobs.read(top.config.digest)
        document = manifest.parse_config(data or b"", record.image.id)
        diff_ids = document.rootfs.diff_ids or ()
        describe.check(top, document, record.image.id)
        return [
            _Layer(id=layer_id, blob=blob, diff_id=diff_id, below=record.image.layers[:index])
            for index, (layer_id, blob, diff_id) in enumerate(
                zip(record.image.layers, top.layers, diff_ids, strict=True)
            )
        ]

    async def _layer(self, record: ImageRecord, layer: _Layer, state: _Round) -> AsyncGenerator[Damage, None]:
        if layer.id in state.seen:
            return
        state.seen.add(layer.id)
        state.layers += 1
        if self._catalog.blobs.size(layer.blob.digest) is None or layer.blob.digest in state.broken:
            state.unchecked_layers += 1
            return
        store = self._catalog.layers
        path = self._catalog.blobs.path(layer.blob.digest)
        obstacle = ""
        try:
            async with store.rebuilt(layer.id, path, layer.blob.size, layer.diff_id, layer.below) as rebuilt:
                wrong = await store.differences(layer.id, rebuilt)
                if not wrong:
                    return
                if state.repair:
                    obstacle = self._in_use(layer.id)
                    if not obstacle:
                        await store.replace(layer.id, rebuilt)
        except PodwrightError as failure:
            wrong, obstacle = ["it cannot be compared"], failure.message
        yield _damaged_layer(layer.id, record, wrong, state, obstacle)

    async def _artifact(
        self, record: ImageRecord, target: ImageTarget, top: Manifest, state: _Round
    ) -> AsyncGenerator[Damage, None]:
        """Compare an artifact's tree, which has its blobs as files."""
        (layer_id,) = record.image.layers
        if layer_id in state.seen:
            return
        state.seen.add(layer_id)
        state.layers += 1
        store, blobs = self._catalog.layers, self._catalog.blobs
        files = [artifacts.File(describe.file_name(blob), blob.digest) for blob in top.layers]
        wrong = await to_completion(asyncio.to_thread(artifacts.wrong_files, store.path(layer_id), files))
        if not wrong:
            return
        obstacle = ""
        if state.repair:
            obstacle = self._in_use(layer_id) or "its blobs are damaged" * bool(
                state.broken & {f.digest for f in files}
            )
        if state.repair and not obstacle:
            await store.remove([layer_id])
            await artifacts.keep(store, blobs, target.manifest, files)
        yield _damaged_layer(layer_id, record, wrong, state, obstacle)

    def _in_use(self, layer_id: str) -> str:
        users = [holder for holder, hold in self._catalog.holds.items() if layer_id in hold.layers]
        shown = ", ".join(user[:12] for user in users)
        return f"containers have it mounted: remove {shown}, and repair again" if users else ""


def _document(digest: str) -> Descriptor:
    """A descriptor for a manifest or index of which only the digest is known."""
    return Descriptor(media_type="", digest=digest, size=0)


def _damaged_layer(layer_id: str, record: ImageRecord, wrong: Sequence[str], state: _Round, obstacle: str) -> Damage:
    """The damage of a layer's tree, and the obstacle to its repair, if any."""
    return Damage(
        subject=f"layer {layer_id}",
        images=tuple(record.targets),
        problem="; ".join(wrong),
        repaired=state.repair and not obstacle,
        obstacle=obstacle,
    )

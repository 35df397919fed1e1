"""Disk usage of images: their size, the part that they share, and what could be freed. Pure except for store sizes.

Everything counts once. Images share a blob or layer that several of them have, and removing an image frees only what
it has alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Mapping

import msgspec

from podwright.runtime.image.catalog import ImageCatalog
from podwright.runtime.image.records import Hold, ImageRecord
from podwright.runtime.model.image import Image
from podwright.runtime.model.image_store import Accounts, ImageAccount

log = logging.getLogger(__name__)


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes on disk: blobs by digest, layers by id."""

    blobs: Mapping[str, int]
    layers: Mapping[str, int]

    def parts(self, record: ImageRecord) -> dict[str, int]:
        """The sizes of the image's stored blobs and layers."""
        blobs = {blob for target in record.targets.values() for blob in target.blobs}
        found = {blob: self.blobs[blob] for blob in blobs if blob in self.blobs}
        return found | {layer: self.layers[layer] for layer in record.image.layers if layer in self.layers}


class Accountant:
    """Computes disk usage from the catalog, and prunes."""

    def __init__(self, catalog: ImageCatalog) -> None:
        self._catalog = catalog

    async def accounts(self) -> Accounts:
        """The current disk usage."""
        sizes = await self._sizes()
        return Accounts(
            images=tuple(account(self._catalog.records, self._catalog.holds, sizes)),
            blob_bytes=sum(sizes.blobs.values()),
            layer_bytes=sum(sizes.layers.values()),
            prunable_untagged_bytes=self._freed(self._prunable(everything=False), sizes),
            prunable_bytes=self._freed(self._prunable(everything=True), sizes),
        )

    async def prune(self, *, everything: bool, dry_run: bool) -> tuple[list[Image], int]:
        """Remove images that are unused and not pinned: those without a tag, or all with `everything`.

        Returns the images and the bytes that only they used. With `dry_run`, nothing is removed.
        """
        sizes = await self._sizes()
        doomed = self._prunable(everything=everything)
        freed_bytes = self._freed(doomed, sizes)
        records = [self._catalog.records[key] for key in sorted(doomed)]
        if records and not dry_run:
            for record in records:
                self._catalog.forget(record.image.id)
            log.info("images pruned: count=%d bytes=%d", len(records), freed_bytes)
            blobs = {blob for record in records for target in record.targets.values() for blob in target.blobs}
            await self._catalog.collect(blobs, {layer for record in records for layer in record.image.layers})
            self._catalog.publish()
        return [record.image for record in records], freed_bytes

    async def _sizes(self) -> Sizes:
        blobs = await asyncio.to_thread(self._catalog.blobs.disk_bytes)
        return Sizes(blobs=blobs, layers=self._catalog.layers.disk_bytes())

    def _prunable(self, *, everything: bool) -> set[str]:
        return prunable(self._catalog.records, self._catalog.holds, everything=everything)

    def _freed(self, doomed: Collection[str], sizes: Sizes) -> int:
        """The bytes that only these images use."""
        needed = self._catalog.needed_blobs(without=doomed) | self._catalog.needed_layers(without=doomed)
        parts: dict[str, int] = {}
        for key in doomed:
            parts |= sizes.parts(self._catalog.records[key])
        return sum(size for part, size in parts.items() if part not in needed)


def account(records: Mapping[str, ImageRecord], holds: Mapping[str, Hold], sizes: Sizes) -> list[ImageAccount]:
    """Disk usage per image, the largest first."""
    owners = Counter(part for record in records.values() for part in sizes.parts(record))
    users = Counter(image for hold in holds.values() for image in hold.images)
    found = []
    for record in records.values():
        parts = sizes.parts(record)
        found.append(
            ImageAccount(
                image=record.image,
                size_bytes=sum(parts.values()),
                shared_bytes=sum(size for part, size in parts.items() if owners[part] > 1),
                containers=users[record.image.id],
            )
        )
    return sorted(found, key=lambda one: (-one.size_bytes, one.image.id))


def prunable(records: Mapping[str, ImageRecord], holds: Mapping[str, Hold], *, everything: bool) -> set[str]:
    """The ids of unused images that are not pinned. Without `everything`, only those without a tag."""
    used = {image for hold in holds.values() for image in hold.images}
    return {
        key
        for key, record in records.items()
        if key not in used and not record.image.pinned and (everything or not record.image.repo_tags)
    }

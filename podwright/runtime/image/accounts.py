"""What images take of the disk and who shares it, and what could be freed. Pure, but for asking the stores for sizes.

Everything is counted once: a blob or layer that several images have is shared by them, and removing one of them
frees only what it has alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from podwright.runtime.image.catalog import ImageCatalog
from podwright.runtime.image.records import Hold, ImageRecord
from podwright.runtime.model.image import Image
from podwright.runtime.model.image_store import Accounts, ImageAccount

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Bytes on the disk, of blobs by digest and of layers by id."""

    blobs: Mapping[str, int]
    layers: Mapping[str, int]

    def parts(self, record: ImageRecord) -> dict[str, int]:
        """What an image consists of, as far as it is there."""
        blobs = {blob for target in record.targets.values() for blob in target.blobs}
        found = {blob: self.blobs[blob] for blob in blobs if blob in self.blobs}
        return found | {layer: self.layers[layer] for layer in record.image.layers if layer in self.layers}


class Accountant:
    """Reads the catalog; `prune` is the only thing that it changes."""

    def __init__(self, catalog: ImageCatalog) -> None:
        self._catalog = catalog

    async def accounts(self) -> Accounts:
        """As things are now."""
        sizes = await self._sizes()
        return Accounts(
            images=tuple(account(self._catalog.records, self._catalog.holds, sizes)),
            blob_bytes=sum(sizes.blobs.values()),
            layer_bytes=sum(sizes.layers.values()),
            prunable_untagged_bytes=self._freed(self._prunable(everything=False), sizes),
            prunable_bytes=self._freed(self._prunable(everything=True), sizes),
        )

    async def prune(self, *, everything: bool, dry_run: bool) -> tuple[list[Image], int]:
        """Remove images that are neither used nor pinned: those without a tag, or `everything` of the kind.

        Returns them, and the bytes that they alone took.
        """
        sizes = await self._sizes()
        doomed = self._prunable(everything=everything)
        freed_bytes = self._freed(doomed, sizes)
        records = [self._catalog.records[key] for key in sorted(doomed)]
        if records and not dry_run:
            for record in records:
                self._catalog.forget(record.image.id)
            log.info("images pruned count=%d bytes=%d", len(records), freed_bytes)
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
        """What these images have, and nothing else needs."""
        needed = self._catalog.needed_blobs(without=doomed) | self._catalog.needed_layers(without=doomed)
        parts: dict[str, int] = {}
        for key in doomed:
            parts |= sizes.parts(self._catalog.records[key])
        return sum(size for part, size in parts.items() if part not in needed)


def account(records: Mapping[str, ImageRecord], holds: Mapping[str, Hold], sizes: Sizes) -> list[ImageAccount]:
    """The images, the largest first."""
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
    """The ids of images that no container uses and that are not pinned; without `everything`, those without a tag."""
    used = {image for hold in holds.values() for image in hold.images}
    return {
        key
        for key, record in records.items()
        if key not in used and not record.image.pinned and (everything or not record.image.repo_tags)
    }

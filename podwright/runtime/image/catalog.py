"""The catalog: which images this node has, who holds their layers, and what may be deleted.

It owns the records and everything derived from them. All services that add, remove or examine images use it. It never
talks to a registry. Every decision happens between two awaits on the event loop, so it needs no locks. A lease lists
what work in progress uses.
"""

from __future__ import annotations

import contextlib
import fnmatch
from collections.abc import AsyncIterator, Collection, Iterable, Mapping

import msgspec

from podwright.runtime.config import ImageSettings
from podwright.runtime.image.records import Hold, ImageRecord, ImageTarget
from podwright.runtime.model.image import Image
from podwright.runtime.state import Database, RecordTable
from podwright.runtime.storage.blobs import BlobStore
from podwright.runtime.storage.layers import LayerStore
from podwright.runtime.storage.layout import ListedManifest


class ContentLease(msgspec.Struct, eq=False):
    """What work in progress uses: digests of blobs and ids of layers, added before their use.

    Leases with the same content are different leases: each ends with its own work.
    """

    blobs: set[str] = msgspec.field(default_factory=set)
    layers: set[str] = msgspec.field(default_factory=set)


class ImageCatalog:
    """The images of this node, by their records."""

    def __init__(self, database: Database, blobs: BlobStore, layers: LayerStore, settings: ImageSettings) -> None:
        self.blobs = blobs
        self.layers = layers
        self._database = database
        self._settings = settings
        self._table = RecordTable(database, "images", ImageRecord)
        self._hold_table = RecordTable(database, "image_holds", Hold)
        self._records = self._table.load()
        self._holds = self._hold_table.load()
        self._leases: list[ContentLease] = []
        self.generation = 0  # grows with every change

    @property
    def records(self) -> Mapping[str, ImageRecord]:
        """The images by id."""
        return self._records

    @property
    def holds(self) -> Mapping[str, Hold]:
        """The holds by holder."""
        return self._holds

    @contextlib.asynccontextmanager
    async def leased(self) -> AsyncIterator[ContentLease]:
        """A lease for the block. At its end, whatever it lists and nothing else needs is deleted."""
        lease = ContentLease()
        self._leases.append(lease)
        try:
            yield lease
        finally:
            self._leases.remove(lease)
            await self.collect(lease.blobs, lease.layers)

    def record(self, image: Image, targets: Mapping[str, ImageTarget]) -> None:
        """Add names to an image, and take them from the images that had them."""
        changed = {
            key: self._renamed(record, {name: to for name, to in record.targets.items() if name not in targets})
            for key, record in self._records.items()
            if not targets.keys().isdisjoint(record.targets)
        }
        own = changed.get(image.id) or self._records.get(image.id)
        all_targets = dict(targets) | {
            name: to for name, to in (own.targets if own else {}).items() if name not in targets
        }
        changed[image.id] = self._renamed(ImageRecord(image=image, targets={}), all_targets)
        with self._database.transaction():
            for key, record in changed.items():
                self._table.put(key, record)
        self._records |= changed
        self.publish()

    def replace(self, image: Image) -> None:
        """Replace the description of an image: its layers have other ids, or it is pinned now."""
        record = self._renamed(ImageRecord(image=image, targets={}), self._records[image.id].targets)
        if record != self._records[image.id]:
            self._table.put(image.id, record)
            self._records[image.id] = record
            self.generation += 1

    def forget(self, image_id: str) -> ImageRecord:
        """Remove an image's record. Its blobs and layers stay."""
        self._table.delete(image_id)
        self.generation += 1
        return self._records.pop(image_id)

    def put_hold(self, holder_id: str, hold: Hold) -> None:
        """Hold layers for a holder, replacing its former hold."""
        self._hold_table.put(holder_id, hold)
        self._holds[holder_id] = hold

    def drop_hold(self, holder_id: str) -> Hold | None:
        """End a hold. Its layers stay."""
        hold = self._holds.pop(holder_id, None)
        if hold is not None:
            self._hold_table.delete(holder_id)
        return hold

    async def collect(self, blobs: Iterable[str], layers: Iterable[str]) -> None:
        """Delete those candidates that no image, hold or lease needs."""
        doomed_blobs = set(blobs) - self.needed_blobs()
        doomed_layers = set(layers) - self.needed_layers()
        if doomed_blobs or doomed_layers:
            self.generation += 1
        await self.blobs.delete(doomed_blobs)
        await self.layers.remove(sorted(doomed_layers))

    def needed_blobs(self, without: Collection[str] = ()) -> set[str]:
        """The blobs needed by leases and by all images except `without`."""
        kept = {
            blob
            for key, record in self._records.items()
            if key not in without
            for target in record.targets.values()
            for blob in self._kept(target)
        }
        return kept.union(*(lease.blobs for lease in self._leases))

    def needed_layers(self, without: Collection[str] = ()) -> set[str]:
        """The layers needed by holds, by leases and by all images except `without`."""
        kept = {layer for key, record in self._records.items() if key not in without for layer in record.image.layers}
        kept |= {layer for hold in self._holds.values() for layer in hold.layers}
        return kept.union(*(lease.layers for lease in self._leases))

    def publish(self) -> None:
        """Write the files that other programs read, derived from the records."""
        self.generation += 1
        self.blobs.write_index(
            [
                ListedManifest(name, target.listed, target.listed_bytes)
                for record in self._records.values()
                for name, target in record.targets.items()
            ]
        )

    def _size_bytes(self, image: Image, targets: Mapping[str, ImageTarget]) -> int:
        """The size of the image on disk, compressed and unpacked. The kubelet's image garbage collection uses it."""
        blobs = {blob for target in targets.values() for blob in self._kept(target)}
        sizes = self.layers.disk_bytes()
        return sum(self.blobs.size(blob) or 0 for blob in blobs) + sum(
            sizes.get(layer, 0) for layer in set(image.layers)
        )

    def _kept(self, target: ImageTarget) -> tuple[str, ...]:
        return target.blobs if self._settings.keep_blobs else target.documents

    def _renamed(self, record: ImageRecord, targets: dict[str, ImageTarget]) -> ImageRecord:
        """The record with these names. It is pinned if one of its names is."""
        image = msgspec.structs.replace(
            record.image,
            size_bytes=self._size_bytes(record.image, targets),
            repo_tags=tuple(sorted(name for name in targets if "@" not in name)),
            repo_digests=tuple(sorted(name for name in targets if "@" in name)),
            pinned=any(fnmatch.fnmatchcase(name, wanted) for name in targets for wanted in self._settings.pinned),
        )
        return ImageRecord(image=image, targets=targets)

"""Save: writes images of this node to an archive. Dropped blobs are fetched for it and dropped afterwards."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from podwright.errors import FailedPrecondition, InvalidArgument, NotFound
from podwright.runtime.archive import writing
from podwright.runtime.archive.writing import ArchiveLayer, Saved
from podwright.runtime.image import lookup
from podwright.runtime.image.catalog import ContentLease, ImageCatalog
from podwright.runtime.image.records import ImageRecord, ImageTarget
from podwright.runtime.image.tools.refetch import Refetcher
from podwright.runtime.model.image_store import ArchiveFormat
from podwright.runtime.registry import manifest
from podwright.runtime.registry.manifest import Descriptor, ImageDocument, Manifest, RootFs


class Saver:
    """Saves images."""

    def __init__(self, catalog: ImageCatalog, refetcher: Refetcher) -> None:
        self._catalog = catalog
        self._refetcher = refetcher

    async def save(self, names: Sequence[str], form: ArchiveFormat) -> AsyncGenerator[bytes, None]:
        """The archive in pieces.

        Raises NotFound, InvalidArgument, and FailedPrecondition if blobs are missing and cannot be fetched.
        """
        if not names:
            raise InvalidArgument("no image was named")
        async with self._catalog.leased() as lease:
            images = [await self._saved(*found(self._catalog, name), form, lease) for name in names]
            merged = _merged(images)
            parts = writing.oci_parts(merged) if form == "oci-archive" else writing.docker_parts(merged)
            async for piece in writing.tar_of(parts):
                yield piece

    async def _saved(
        self, record: ImageRecord, called: Sequence[str], form: ArchiveFormat, lease: ContentLease
    ) -> Saved:
        if record.image.artifact_type and form == "docker-archive":
            raise FailedPrecondition(f"{record.image.id} is an artifact, which docker-archive cannot hold")
        target = record.targets[called[0]] if called else next(iter(record.targets.values()))
        top, document = await whole(self._catalog, self._refetcher, record, target, lease)
        diff_ids = document.rootfs.diff_ids or ("",) * len(top.layers)
        layers = tuple(
            ArchiveLayer(
                digest=layer.digest,
                size_bytes=layer.size,
                diff_id=diff_id,
                path=self._catalog.blobs.path(layer.digest),
            )
            for layer, diff_id in zip(top.layers, diff_ids, strict=True)
        )
        return Saved(
            names=tuple(called),
            manifest=self._catalog.blobs.read(target.listed) or b"",
            config=self._catalog.blobs.read(top.config.digest) or b"",
            layers=layers,
        )


def found(catalog: ImageCatalog, name: str) -> tuple[ImageRecord, list[str]]:
    """The image, and the tags to save: the given one, or all for an id. Raises NotFound."""
    record = lookup.find(catalog.records, name)
    if record is None:
        raise NotFound(f"image {name} is not on this node", hint=f"podwright pull {name}")
    called = lookup.whole(name)
    tags = [tag for tag in record.targets if "@" not in tag]
    return record, [called] if called in tags else sorted(tags)


async def whole(
    catalog: ImageCatalog, refetcher: Refetcher, record: ImageRecord, target: ImageTarget, lease: ContentLease
) -> tuple[Manifest, ImageDocument]:
    """The manifest and config of an image, after making sure that all its blobs are stored.

    Raises FailedPrecondition if some are missing and cannot be fetched.
    """
    lease.blobs.update(target.blobs)
    name = next(iter(record.targets), record.image.id)
    data = catalog.blobs.read(target.manifest)
    if data is None:
        raise FailedPrecondition(f"{name}: its manifest is lost", hint="podwright images verify --repair")
    top = manifest.parse(data, "", name)
    if not isinstance(top, Manifest):
        raise FailedPrecondition(f"{name}: its manifest is damaged", hint="podwright images verify --repair")
    missing = [each for each in (top.config, *top.layers) if catalog.blobs.size(each.digest) != each.size]
    await _brought(refetcher, record, name, missing)
    if top.artifact:
        return top, ImageDocument(rootfs=RootFs())
    return top, manifest.parse_config(catalog.blobs.read(top.config.digest) or b"", name)


async def _brought(refetcher: Refetcher, record: ImageRecord, name: str, missing: Sequence[Descriptor]) -> None:
    try:
        await refetcher.bring(list(record.targets), missing)
    except FailedPrecondition as failure:
        raise FailedPrecondition(
            f"{name}: {len(missing)} of its blobs are not kept on this node: {failure.message}",
            hint="log in to its registry, or set [images] keep_blobs = true and pull it again",
        ) from failure


def _merged(images: Sequence[Saved]) -> list[Saved]:
    """One entry per manifest, with all requested names."""
    names: dict[bytes, dict[str, None]] = {}
    for image in images:
        names.setdefault(image.manifest, {}).update(dict.fromkeys(image.names))
    by_manifest = {image.manifest: image for image in images}
    return [
        Saved(names=tuple(names[key]), manifest=key, config=image.config, layers=image.layers)
        for key, image in by_manifest.items()
    ]

"""The database records of images: one per image id, and one per holder of layers."""

from __future__ import annotations

from podwright.runtime.model.base import Value
from podwright.runtime.model.image import Image


class ImageTarget(Value, frozen=True, kw_only=True):
    """What one name refers to.

    `digest` is that of the index or manifest as served. `blobs` are all blobs that belong to it. `manifest` is the
    one of our platform, and `listed` its form in the OCI layout's index. `layers` are the blobs of unpacked layers.
    """

    digest: str
    manifest: str
    listed: str
    listed_bytes: int
    blobs: tuple[str, ...]
    layers: tuple[str, ...] = ()

    @property
    def documents(self) -> tuple[str, ...]:
        """The blobs that are not layers: manifests and the config."""
        return tuple(blob for blob in self.blobs if blob not in self.layers)


class ImageRecord(Value, frozen=True, kw_only=True):
    """An image and its names: `targets` by complete reference, for tags and digests."""

    image: Image
    targets: dict[str, ImageTarget]


class Hold(Value, frozen=True, kw_only=True):
    """Layers that a holder has mounted. They outlive their images, whose ids are in `images`."""

    layers: tuple[str, ...]
    images: tuple[str, ...] = ()

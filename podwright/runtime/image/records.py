"""What the database holds of images: a record per image id, and one per holder of an image's layers."""

from __future__ import annotations

from podwright.runtime.model.base import Value
from podwright.runtime.model.image import Image


class ImageTarget(Value, frozen=True, kw_only=True):
    """What one name points at.

    `digest` is that of the index or manifest as served; `blobs` are all blobs that belong to it; `manifest` is the
    one of our platform, and `listed` its form in the OCI layout's index; `layers` are those blobs
    that stand for unpacked layers.
    """

    digest: str
    manifest: str
    listed: str
    listed_bytes: int
    blobs: tuple[str, ...]
    layers: tuple[str, ...] = ()

    @property
    def documents(self) -> tuple[str, ...]:
        """The blobs that are no layers: manifests and the config."""
        return tuple(blob for blob in self.blobs if blob not in self.layers)


class ImageRecord(Value, frozen=True, kw_only=True):
    """An image and its names: `targets` by whole reference, tags and digests alike."""

    image: Image
    targets: dict[str, ImageTarget]


class Hold(Value, frozen=True, kw_only=True):
    """Layers that somebody has mounted; they outlive their images. `images` are the ids of those."""

    layers: tuple[str, ...]
    images: tuple[str, ...] = ()

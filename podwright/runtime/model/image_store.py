"""What Podwright shows of its image store and its pulls beyond CRI: usage, damage, archives, progress."""

from __future__ import annotations

from enum import Enum, auto
from typing import Literal

import msgspec

from podwright.runtime.model.image import Image

ArchiveFormat = Literal["oci-archive", "docker-archive"]


class PullStage(Enum):
    """RESOLVING --> DOWNLOADING --> UNPACKING --> DONE. Any stage may change to FAILED.

    The first three follow from the layers. UNPACKING goes back to DOWNLOADING when a layer has the wrong bytes and is
    downloaded again.
    """

    RESOLVING = auto()
    DOWNLOADING = auto()
    UNPACKING = auto()
    DONE = auto()
    FAILED = auto()


class LayerSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A layer at one moment. Sizes are those of the compressed blob."""

    digest: str
    done_bytes: int
    total_bytes: int
    unpacked: bool


class PullSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A pull at one moment. `began_at` is in nanoseconds since the epoch."""

    reference: str
    began_at: int
    stage: PullStage
    layers: tuple[LayerSnapshot, ...] = ()
    error: str = ""


class ImageAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Disk usage of one image. `shared_bytes` is the part that other images also use.

    `containers` counts its holders.
    """

    image: Image
    size_bytes: int
    shared_bytes: int
    containers: int


class Accounts(msgspec.Struct, frozen=True, kw_only=True):
    """Disk usage of the store. `prunable_untagged_bytes` is the part of `prunable_bytes` in images without a tag."""

    images: tuple[ImageAccount, ...]
    blob_bytes: int
    layer_bytes: int
    prunable_untagged_bytes: int
    prunable_bytes: int


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """A damaged blob or layer. `obstacle` says why it could not be repaired.

    `subject` is the digest of a blob, or "layer" and the id of a layer.
    """

    subject: str
    images: tuple[str, ...]
    problem: str
    repaired: bool = False
    obstacle: str = ""


class VerifySummary(msgspec.Struct, frozen=True, kw_only=True):
    """How many objects a verification looked at. `unchecked_layers` have no blob to compare with."""

    images: int = 0
    blobs: int = 0
    layers: int = 0
    damaged: int = 0
    repaired: int = 0
    unchecked_layers: int = 0


class Pushed(msgspec.Struct, frozen=True, kw_only=True):
    """What the destination's tag names now, and how its blobs got there."""

    reference: str
    digest: str
    uploaded_blobs: int
    uploaded_bytes: int
    mounted_blobs: int
    present_blobs: int

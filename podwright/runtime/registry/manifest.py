"""Manifests, indexes and image configs (OCI image-spec, Docker schema 2), and the choice by platform. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from podwright.errors import FailedPrecondition, NotFound, PodwrightError, Unimplemented
from podwright.runtime.model.image import hex_of

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
ACCEPT = ", ".join((OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST, "*/*"))
INDEX_TYPES = (OCI_INDEX, DOCKER_LIST)
MANIFEST_TYPES = (OCI_MANIFEST, DOCKER_MANIFEST)
ATTESTATION = "vnd.docker.reference.type"
Document = TypeVar("Document", bound=msgspec.Struct)


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """What an image runs on."""

    architecture: str
    os: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))


class Descriptor(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A pointer to a blob or manifest of `size` bytes."""

    media_type: str
    digest: str
    size: int
    platform: Platform | None = None
    annotations: dict[str, str] | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One image for one platform."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: dict[str, str] | None = None


class Index(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The same image for several platforms."""

    manifests: tuple[Descriptor, ...]


class RootFs(msgspec.Struct, frozen=True, kw_only=True):
    """The digests of the plain tars, from the base up."""

    diff_ids: tuple[str, ...] | None = None


class RunConfig(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """The `config` of an image config; every key may be null."""

    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    env: tuple[str, ...] | None = None
    working_dir: str | None = None
    user: str | None = None
    volumes: dict[str, object] | None = None
    exposed_ports: dict[str, object] | None = None
    stop_signal: str | None = None
    labels: dict[str, str] | None = None


class ImageDocument(msgspec.Struct, frozen=True, kw_only=True):
    """An image config: the blob whose digest is the image's id."""

    rootfs: RootFs
    config: RunConfig | None = None


class _Kind(msgspec.Struct, rename="camel"):
    schema_version: int = 0
    media_type: str = ""
    manifests: object = None
    layers: object = None
    config: object = None


def parse(data: bytes, media_type: str, name: str) -> Manifest | Index:
    """The manifest or index in `data`; `media_type` is the server's word. Raises FailedPrecondition, Unimplemented."""
    kind = _decoded(data, _Kind, name)
    if kind.schema_version != 2:
        if kind.schema_version == 1:
            raise Unimplemented(
                f"{name} is stored in Docker's schema 1, which no current runtime reads",
                hint="push it again with a current tool",
            )
        raise FailedPrecondition(f"{name} is no image manifest: schemaVersion is {kind.schema_version}")
    if kind.manifests is not None and (kind.layers is not None or kind.config is not None):
        raise FailedPrecondition(f"{name} could be read both as an index and as a manifest")  # CVE-2021-41190
    media_type = kind.media_type or media_type.partition(";")[0].strip()
    if kind.manifests is not None and media_type not in MANIFEST_TYPES:
        index = _decoded(data, Index, name)
        _check_descriptors(index.manifests, name)
        return index
    if kind.layers is not None and media_type not in INDEX_TYPES:
        manifest = _decoded(data, Manifest, name)
        _check_descriptors((manifest.config, *manifest.layers), name)
        return manifest
    raise FailedPrecondition(f"{name} is no image: its manifest's type is {media_type or 'unknown'}")


def parse_config(data: bytes, name: str) -> ImageDocument:
    """The image config in `data`. Raises FailedPrecondition."""
    document = _decoded(data, ImageDocument, name)
    for digest in document.rootfs.diff_ids or ():
        _checked(digest, name)
    return document


def choose(manifests: Sequence[Descriptor], wanted: Sequence[Platform], name: str) -> Descriptor:
    """The manifest for the best of the `wanted` platforms, best first; of equals the first. Raises NotFound.

    Attestations are no images. Entries without a platform fit any, but after those that say theirs.
    """
    images = [entry for entry in manifests if ATTESTATION not in (entry.annotations or {})]
    for platform in wanted:
        for entry in images:
            if entry.platform == platform:
                return entry
    for entry in images:
        if entry.platform is None:
            return entry
    have = ", ".join(sorted({str(entry.platform) for entry in images})) or "none"
    raise NotFound(f"{name} has no image for {wanted[0]}; it has {have}")


def _decoded(data: bytes, kind: type[Document], name: str) -> Document:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as failure:
        raise FailedPrecondition(f"{name}: not the JSON of an image: {failure}") from failure


def _check_descriptors(descriptors: Sequence[Descriptor], name: str) -> None:
    for descriptor in descriptors:
        _checked(descriptor.digest, name)
        if descriptor.size < 0:
            raise FailedPrecondition(f"{name}: {descriptor.digest} has the size {descriptor.size}")


def _checked(digest: str, name: str) -> None:
    try:
        hex_of(digest)
    except PodwrightError as failure:
        raise FailedPrecondition(f"{name}: {failure.message}") from failure

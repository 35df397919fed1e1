"""Manifests, indexes and image configs (OCI image-spec, Docker schema 2), and the choice of a platform. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from podwright.errors import FailedPrecondition, NotFound, PodwrightError
from podwright.runtime.model.image import hex_of
from podwright.runtime.registry.failure import shown
from podwright.runtime.registry.nulls import NotJson, Nullable, NullsAsDefaults, decode
from podwright.runtime.registry.platforms import Platform, normalised

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
ACCEPT = ", ".join((OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST, "*/*"))
INDEX_TYPES = (OCI_INDEX, DOCKER_LIST)
MANIFEST_TYPES = (OCI_MANIFEST, DOCKER_MANIFEST)
CONFIG_TYPES = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
    "application/octet-stream",  # written by early tools
)
# The compression in the name is ignored: the bytes decide.
LAYER_TYPE = re.compile(
    r"application/vnd\.(?:oci\.image\.layer\.v1\.tar|docker\.image\.rootfs\.diff\.tar)(?:[+.](?:gzip|zstd))?"
)
FOREIGN_TYPE = re.compile(
    r"application/vnd\.(?:oci\.image\.layer\.nondistributable\.v1\.tar|docker\.image\.rootfs\.foreign\.diff\.tar)"
    r"(?:[+.](?:gzip|zstd))?"
)
ATTESTATION = "vnd.docker.reference.type"
TITLE = "org.opencontainers.image.title"
Document = TypeVar("Document", bound=msgspec.Struct)


class NoPlatform(NotFound):
    """An index has no entry for this machine."""


class Descriptor(NullsAsDefaults, frozen=True, kw_only=True, rename="camel"):
    """A pointer to a blob or manifest of `size` bytes. Check it before use: see `check`."""

    media_type: Nullable[str] = ""
    digest: Nullable[str] = ""
    size: Nullable[int] = 0
    platform: Platform | None = None
    annotations: dict[str, Nullable[str]] | None = None

    @property
    def is_foreign(self) -> bool:
        """Whether it is a layer that registries may leave to its vendor."""
        return FOREIGN_TYPE.fullmatch(self.media_type) is not None


class Manifest(NullsAsDefaults, frozen=True, kw_only=True, rename="camel"):
    """An image for one platform, or an artifact, which is files of any kind (OCI image-spec, manifest.md)."""

    config: Nullable[Descriptor] = Descriptor()
    layers: Nullable[tuple[Descriptor, ...]] = ()
    annotations: dict[str, Nullable[str]] | None = None
    artifact_type: Nullable[str] = ""

    @property
    def artifact(self) -> str:
        """The artifact's type. Empty for an image."""
        return "" if self.config.media_type in CONFIG_TYPES else self.artifact_type or self.config.media_type


class Index(NullsAsDefaults, frozen=True, kw_only=True, rename="camel"):
    """An image for several platforms. The entries are unchecked, because most of them are not used."""

    manifests: Nullable[tuple[Nullable[Descriptor], ...]] = ()


class RootFs(msgspec.Struct, frozen=True, kw_only=True):
    """The digests of the uncompressed tars, the base first."""

    diff_ids: tuple[str, ...] | None = None


class RunConfig(NullsAsDefaults, frozen=True, kw_only=True, rename="pascal"):
    """The `config` of an image config. Every key may be null."""

    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    env: tuple[str, ...] | None = None
    working_dir: str | None = None
    user: str | None = None
    volumes: dict[str, object] | None = None
    exposed_ports: dict[str, object] | None = None
    stop_signal: str | None = None
    labels: dict[str, Nullable[str]] | None = None


class ImageDocument(NullsAsDefaults, frozen=True, kw_only=True):
    """An image config: the blob whose digest is the image's id."""

    rootfs: Nullable[RootFs] = RootFs()
    config: RunConfig | None = None


class _Kind(NullsAsDefaults, frozen=True, kw_only=True, rename="camel"):
    schema_version: Nullable[int] = 0
    media_type: Nullable[str] = ""
    manifests: object = None
    layers: object = None
    config: object = None


def parse(data: bytes, media_type: str, name: str) -> Manifest | Index:
    """The manifest or index in `data`. `media_type` is what the server says. Raises FailedPrecondition.

    A manifest's descriptors are checked, because all of them are used. An index's entries are checked when they are
    used.
    """
    kind = _decoded(data, _Kind, name)
    if kind.schema_version != 2:
        if kind.schema_version == 1:
            raise FailedPrecondition(
                f"{name} is stored in Docker's schema 1, which no current runtime reads",
                hint="push it again with a current tool",
            )
        raise FailedPrecondition(f"{name} is not an image manifest: schemaVersion is {kind.schema_version}")
    if kind.manifests is not None and (kind.layers is not None or kind.config is not None):
        raise FailedPrecondition(f"{name} is ambiguous: it could be an index or a manifest")  # CVE-2021-41190
    media_type = kind.media_type or media_type.partition(";")[0].strip()
    is_manifest = kind.layers is not None or kind.config is not None
    if (kind.manifests is not None and media_type not in MANIFEST_TYPES) or (
        media_type in INDEX_TYPES and not is_manifest
    ):
        return _decoded(data, Index, name)
    if is_manifest and media_type not in INDEX_TYPES:
        manifest = _decoded(data, Manifest, name)
        check(manifest.config, f"{name}: config")
        for layer in manifest.layers:
            check(layer, f"{name}: layer")
        if not manifest.artifact:
            _check_layer_types(manifest.layers, name)
        return manifest
    raise FailedPrecondition(f"{name} is not an image: its manifest has the type {shown(media_type) or 'unknown'}")


def parse_config(data: bytes, name: str) -> ImageDocument:
    """The image config in `data`. Raises FailedPrecondition."""
    document = _decoded(data, ImageDocument, name)
    for digest in document.rootfs.diff_ids or ():
        _check_digest(digest, name)
    return document


def check(descriptor: Descriptor, name: str) -> None:
    """Check a descriptor before its use. Raises FailedPrecondition with the name of its document."""
    _check_digest(descriptor.digest, name)
    if descriptor.size < 0:
        raise FailedPrecondition(f"{name}: {descriptor.digest} has the invalid size {descriptor.size}")


def ranked(manifests: Sequence[Descriptor], wanted: Sequence[Platform], name: str) -> list[Descriptor]:
    """The manifests for the `wanted` platforms, the best first. Equals stay in order. Raises NoPlatform.

    Attestations are not images. Entries without a platform match any, after entries that match exactly.
    """
    images = [(entry, entry.platform and normalised(entry.platform)) for entry in manifests if _is_image(entry)]
    fitting = [entry for platform in wanted for entry, own in images if own == platform]
    fitting += [entry for entry, own in images if own is None]
    if not fitting:
        have = ", ".join(sorted({str(own) for _, own in images}))
        rest = f"only for {shown(have)}" if have else "and for no other platform"
        raise NoPlatform(f"{name} has no image for {wanted[0]}, {rest}")
    return fitting


def _is_image(entry: Descriptor) -> bool:
    unknown = entry.platform is not None and entry.platform.os == "unknown"
    return not unknown and ATTESTATION not in (entry.annotations or {})


def _decoded(data: bytes, kind: type[Document], name: str) -> Document:
    try:
        return decode(data, kind)
    except NotJson as failure:
        raise FailedPrecondition(f"{name}: not the JSON of an image: {failure}") from failure


def _check_layer_types(layers: Sequence[Descriptor], name: str) -> None:
    for layer in layers:
        if LAYER_TYPE.fullmatch(layer.media_type) is None and not layer.is_foreign:
            raise FailedPrecondition(
                f"{name}: layer {layer.digest} is of the type {layer.media_type[:200]!r}, which cannot be unpacked"
            )


def _check_digest(digest: str, name: str) -> None:
    try:
        hex_of(digest)
    except PodwrightError as failure:
        raise FailedPrecondition(f"{name}: {failure.message}") from failure

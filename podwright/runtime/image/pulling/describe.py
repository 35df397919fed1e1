"""Makes an `Image` from a manifest and a config blob. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from podwright.errors import FailedPrecondition
from podwright.runtime.model.base import id_of_text
from podwright.runtime.model.ids import ImageId
from podwright.runtime.model.image import Image, ImageConfig, hex_of
from podwright.runtime.registry.manifest import TITLE, Descriptor, ImageDocument, Manifest, RunConfig


def chain_ids(diff_ids: Sequence[str]) -> list[str]:
    """The chain id of each layer: the layer together with all below it (OCI image-spec, config.md)."""
    chain: list[str] = []
    for diff_id in diff_ids:
        both = f"{chain[-1]} {diff_id}" if chain else ""
        chain.append("sha256:" + hashlib.sha256(both.encode()).hexdigest() if chain else diff_id)
    return chain


def check_count(layers: int, max_layers: int, name: str) -> None:
    """Raises FailedPrecondition for too many layers."""
    if layers > max_layers:
        raise FailedPrecondition(f"{name} has {layers} layers; the limit is [images] max_layers = {max_layers}")


def check(manifest: Manifest, document: ImageDocument, name: str) -> None:
    """Raises FailedPrecondition if manifest and config do not match."""
    count = len(document.rootfs.diff_ids or ())
    if len(manifest.layers) != count:
        raise FailedPrecondition(f"{name}: the manifest has {len(manifest.layers)} layers, the config {count}")


def image(manifest: Manifest, manifest_bytes: int, document: ImageDocument, layers: Sequence[str]) -> Image:
    """The image without its names. `layers` are the ids of the unpacked layers, from the base up."""
    run = config(document.config or RunConfig())
    user = run.user.partition(":")[0]
    uid = id_of_text(user)
    chain = chain_ids(document.rootfs.diff_ids or ())
    return Image(
        id=ImageId(manifest.config.digest),
        size_bytes=manifest_bytes + manifest.config.size + sum(layer.size for layer in manifest.layers),
        config=run,
        uid=uid,
        username=user if uid is None else "",
        layers=tuple(layers),
        chain_id=chain[-1] if chain else "",
        annotations=dict(manifest.annotations or {}),
    )


def config(run: RunConfig) -> ImageConfig:
    """The config with empty values instead of nulls."""
    return ImageConfig(
        entrypoint=run.entrypoint or (),
        cmd=run.cmd or (),
        env=run.env or (),
        working_dir=run.working_dir or "",
        user=run.user or "",
        volumes=tuple(sorted(run.volumes or ())),
        exposed_ports=tuple(sorted(run.exposed_ports or ())),
        stop_signal=run.stop_signal or "",
        labels=dict(run.labels or {}),
    )


def artifact(manifest: Manifest, manifest_digest: str, manifest_bytes: int, layer: str) -> Image:
    """An artifact as an image without names. Its id is its manifest's digest, because most artifacts share one config.

    `layer` is the id of the tree with its files.
    """
    return Image(
        id=ImageId(manifest_digest),
        size_bytes=manifest_bytes + manifest.config.size + sum(blob.size for blob in manifest.layers),
        layers=(layer,),
        chain_id=manifest_digest,
        annotations=dict(manifest.annotations or {}),
        artifact_type=manifest.artifact,
    )


def file_name(blob: Descriptor) -> str:
    """The file name of an artifact's blob in its tree."""
    return (blob.annotations or {}).get(TITLE) or hex_of(blob.digest)

"""The OCI image layout's own files (image-spec, image-layout.md), derived from the store. Pure.

The layout is for other tools (skopeo, umoci), and we never read it. They understand only OCI manifests, so an image
with a Docker schema 2 manifest is listed with a translated manifest for the same blobs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

LAYOUT_FILE = b'{"imageLayoutVersion":"1.0.0"}'
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
REF_NAME = "org.opencontainers.image.ref.name"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
FROM_DOCKER = {
    "application/vnd.docker.container.image.v1+json": "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.image.rootfs.diff.tar": "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
    **{
        f"application/vnd.docker.image.rootfs.foreign.diff.tar{packed}": (
            f"application/vnd.oci.image.layer.nondistributable.v1.tar{packed.replace('.', '+')}"
        )
        for packed in ("", ".gzip", ".zstd")
    },
}


class ListedManifest(NamedTuple):
    """One name in index.json and its OCI manifest."""

    name: str
    digest: str
    size_bytes: int


def index_json(listed: list[ListedManifest]) -> bytes:
    """The content of index.json."""
    manifests = [
        {
            "mediaType": OCI_MANIFEST,
            "digest": entry.digest,
            "size": entry.size_bytes,
            "annotations": {REF_NAME: entry.name},
        }
        for entry in sorted(listed)
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}, indent=1).encode()


def oci_manifest(manifest: bytes) -> bytes:
    """An OCI manifest: the given one, or its translation, which is always the same for the same input."""
    document: dict[str, Any] = json.loads(manifest)
    if document.get("mediaType", OCI_MANIFEST) != DOCKER_MANIFEST:
        return manifest
    document["mediaType"] = OCI_MANIFEST
    document["config"] = _translated(document["config"])
    document["layers"] = [_translated(layer) for layer in document.get("layers") or ()]
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def digest_of(data: bytes) -> str:
    """`sha256:<hex>`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _translated(descriptor: Mapping[str, Any]) -> dict[str, Any]:
    kind = descriptor.get("mediaType")
    return {**descriptor, "mediaType": FROM_DOCKER.get(kind or "", kind)}

"""Archives as tools write them, and as nobody should."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence

from tools.images import Image, digest_of

Content = bytes | str  # a file's bytes, or where a symbolic link leads


def tar(members: Mapping[str, Content]) -> bytes:
    """A tar of files and symbolic links, under any names."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def blob(data: bytes) -> str:
    """Where an OCI layout has it."""
    return f"blobs/sha256/{digest_of(data).removeprefix('sha256:')}"


def oci_members(
    images: Mapping[str, Image], *, annotation: str = "org.opencontainers.image.ref.name"
) -> dict[str, Content]:
    """The members of an oci-archive."""
    members: dict[str, Content] = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    entries = []
    for name, image in images.items():
        for data in (image.manifest, image.config, *(layer.blob for layer in image.layers)):
            members[blob(data)] = data
        entries.append(entry(image.manifest, image.media_type, {annotation: name} if name else {}))
    members["index.json"] = index(entries)
    return members


def entry(document: bytes, media_type: str, annotations: Mapping[str, str]) -> dict[str, object]:
    """One of index.json."""
    descriptor = {"mediaType": media_type, "digest": digest_of(document), "size": len(document)}
    return {**descriptor, "annotations": dict(annotations)}


def index(entries: Sequence[Mapping[str, object]]) -> bytes:
    """index.json."""
    return json.dumps({"schemaVersion": 2, "manifests": list(entries)}).encode()


def docker_members(images: Mapping[str, Image], layers: Mapping[str, bytes]) -> dict[str, Content]:
    """The members of a docker-archive; `layers` are the plain tars by diff-id."""
    members: dict[str, Content] = {}
    listed = []
    for tag, image in images.items():
        config = digest_of(image.config).removeprefix("sha256:") + ".json"
        members[config] = image.config
        names = [f"{layer.diff_id.removeprefix('sha256:')}/layer.tar" for layer in image.layers]
        members |= {name: layers[layer.diff_id] for name, layer in zip(names, image.layers, strict=True)}
        listed.append({"Config": config, "RepoTags": [tag] if tag else None, "Layers": names})
    members["manifest.json"] = json.dumps(listed).encode()
    return members

"""What images an archive holds, by docker-archive's manifest.json or oci-archive's index.json.

An archive with both (Docker since 25) is read as OCI, whose manifests keep their digests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.runtime.archive.members import Member, Members, shown
from podwright.runtime.model.image import hex_of
from podwright.runtime.registry import manifest, platforms, reference
from podwright.runtime.registry.manifest import Descriptor
from podwright.runtime.registry.reference import Reference
from podwright.runtime.storage import layout

IMAGES_LIMIT = 1000
BLOBS = "blobs/sha256/"
NAME = "io.containerd.image.name"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
MAGICS = {b"\x1f\x8b": "+gzip", b"\x28\xb5": "+zstd"}
NAMELESS = "the archive names an image in no way that a node could call it by"
Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One image: the names that it shall have, and its manifest or index, which `document` is unless a member is."""

    names: tuple[Reference, ...]
    digest: str
    document: bytes = b""


class _Index(msgspec.Struct, frozen=True, rename="camel"):
    manifests: tuple[Descriptor, ...]


class _DockerImage(msgspec.Struct, frozen=True, rename="pascal"):
    config: str
    layers: tuple[str, ...] | None = None
    repo_tags: tuple[str, ...] | None = None


def images(members: Members, name: str = "") -> list[Found]:
    """The images of an archive; a `name` is for its only one, in the place of its own names.

    Raises FailedPrecondition for what is no archive or contradicts itself, InvalidArgument for `name`.
    """
    _check_blobs(members)
    if "index.json" in members:
        found = _oci(members, named=bool(name))
    elif "manifest.json" in members:
        found = _docker(members, named=bool(name))
    else:
        raise FailedPrecondition("not an image archive: it has neither index.json nor manifest.json")
    if len(found) > IMAGES_LIMIT:
        raise FailedPrecondition(f"the archive has more than {IMAGES_LIMIT} images")
    if not found:
        raise FailedPrecondition("the archive has no images")
    if not name:
        return found
    wanted = _tagged(name)
    if len({one.digest for one in found}) > 1:
        raise InvalidArgument(f"the archive has {len(found)} images, which cannot all be called {name}")
    return [Found(names=(wanted,), digest=found[0].digest, document=found[0].document)]


def blobs(members: Members) -> dict[str, Member]:
    """The members that may become blobs, by digest: all files."""
    return {member.digest: member for member in members if not member.link}


def _check_blobs(members: Members) -> None:
    """A blob is what its name says, or the archive is refused whole."""
    for member in members:
        if not member.name.startswith(BLOBS) or member.link:
            continue
        if member.digest != f"sha256:{member.name.removeprefix(BLOBS)}":
            raise FailedPrecondition(f"the archive's {shown(member.name)} has the digest {member.digest}")


def _oci(members: Members, *, named: bool) -> list[Found]:
    """Entries with one name are one image for several platforms."""
    by_name: dict[str, list[Descriptor]] = {}
    for entry in _decoded(members, "index.json", _Index).manifests:
        if manifest.ATTESTATION not in (entry.annotations or {}):
            by_name.setdefault(_oci_name(entry), []).append(entry)
    names: dict[str, list[Reference]] = {}
    for name, entries in by_name.items():
        if not name and not named:
            raise FailedPrecondition(NAMELESS, hint="say what it shall be called: --name NAME")
        chosen = next(iter(manifest.ranked(entries, platforms.host_platforms(), name or "the archive's image")))
        hex_of(chosen.digest)
        members.find(BLOBS + hex_of(chosen.digest))
        names.setdefault(chosen.digest, []).extend([_tagged(name)] if name else [])
    return [Found(names=tuple(refs), digest=digest) for digest, refs in names.items()]


def _oci_name(entry: Descriptor) -> str:
    """The whole name, by containerd's annotation or the standard's; tools often write a bare tag into the latter."""
    annotations = entry.annotations or {}
    name = annotations.get(NAME) or annotations.get(layout.REF_NAME, "")
    return name if ":" in name or "/" in name else ""


def _docker(members: Members, *, named: bool) -> list[Found]:
    found = []
    for image in _decoded(members, "manifest.json", tuple[_DockerImage, ...]):
        if not image.repo_tags and not named:
            raise FailedPrecondition(NAMELESS, hint="say what it shall be called: --name NAME")
        document = _manifest(members, image)
        names = tuple(_tagged(tag) for tag in image.repo_tags or ())
        found.append(Found(names=names, digest=layout.digest_of(document), document=document))
    return found


def _manifest(members: Members, image: _DockerImage) -> bytes:
    """docker-archive has no manifests; this is always the same one for the same image."""
    config = members.find(image.config)
    layers = [members.find(name) for name in image.layers or ()]
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": layout.OCI_MANIFEST,
        "config": _descriptor(config, CONFIG_TYPE),
        "layers": [_descriptor(layer, LAYER_TYPE + MAGICS.get(members.magic(layer)[:2], "")) for layer in layers],
    }
    return msgspec.json.encode(document)


def _descriptor(member: Member, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": member.digest, "size": member.size}


def _tagged(name: str) -> Reference:
    found = reference.parse(name)
    if not found.tag:
        raise InvalidArgument(f"{name} is a digest, which an archive cannot vouch for", hint="give a tag")
    return found


def _decoded(members: Members, name: str, kind: type[Kind]) -> Kind:
    try:
        return msgspec.json.decode(members.read(name), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as failure:
        raise FailedPrecondition(f"the archive's {name} is not what it should be: {failure}") from failure


def named_by(found: Sequence[Found]) -> str:
    """For log lines."""
    return ",".join(str(name) for one in found for name in one.names)

"""The images in an archive, from docker-archive's manifest.json or oci-archive's index.json.

An archive with both (Docker since 25) is read as OCI, whose manifests keep their digests, if that lists any image.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.runtime.archive.members import ArchiveMember, Members, shown
from podwright.runtime.model.image import hex_of
from podwright.runtime.registry import manifest, platforms, reference
from podwright.runtime.registry.manifest import Descriptor, Index
from podwright.runtime.registry.nulls import NotJson, Nullable, NullsAsDefaults, decode
from podwright.runtime.registry.reference import ImageReference
from podwright.runtime.storage import layout

IMAGES_LIMIT = 1000
BLOBS = "blobs/sha256/"
INDEX, DOCKER_INDEX = "index.json", "manifest.json"
NAME = "io.containerd.image.name"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
MAGICS = {b"\x1f\x8b": "+gzip", b"\x28\xb5": "+zstd"}
NAME_HINT = "give it a name: --name NAME"
BARE_HOST = "localhost"  # podman's host for images whose name in the archive is a bare word
SHOWN = 5
Kind = TypeVar("Kind")


class ArchiveImage(msgspec.Struct, frozen=True, kw_only=True):
    """One image: its names, and its manifest or index. `document` holds the latter unless it is a member."""

    names: tuple[ImageReference, ...]
    digest: str
    document: bytes = b""


class _Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One image of the archive, with its names as written there. See ArchiveImage."""

    names: tuple[str, ...]
    digest: str
    document: bytes = b""

    def __str__(self) -> str:
        return " ".join([*map(shown, self.names[:SHOWN]), self.digest])


class _DockerImage(NullsAsDefaults, frozen=True, kw_only=True, rename="pascal"):
    config: Nullable[str] = ""
    layers: Nullable[tuple[str, ...]] = ()
    repo_tags: Nullable[tuple[str, ...]] = ()


def images(members: Members, name: str = "") -> list[ArchiveImage]:
    """The images of an archive. `name` replaces the names of its only image.

    Raises FailedPrecondition for an invalid or contradictory archive, and InvalidArgument for `name`.
    """
    _check_blobs(members)
    if not {INDEX, DOCKER_INDEX} & {member.name for member in members}:
        raise FailedPrecondition("not an image archive: it has neither index.json nor manifest.json")
    listed = _oci(members) if INDEX in members else []
    if not listed and DOCKER_INDEX in members:  # some tools also write an empty index.json
        listed = _docker(members)
    if len(listed) > IMAGES_LIMIT:
        raise FailedPrecondition(f"the archive has more than {IMAGES_LIMIT} images")
    if not listed:
        raise FailedPrecondition("the archive has no images")
    if name:
        return [_called(name, listed)]
    found = [ArchiveImage(names=_own_names(one), digest=one.digest, document=one.document) for one in listed]
    _check_names(found)
    return found


def blobs(members: Members) -> dict[str, ArchiveMember]:
    """The members that may become blobs, by digest: all files."""
    return {member.digest: member for member in members if not member.link}


def _check_blobs(members: Members) -> None:
    """Raises FailedPrecondition if a blob's name is not its digest."""
    for member in members:
        if not member.name.startswith(BLOBS) or member.link:
            continue
        if member.digest != f"sha256:{member.name.removeprefix(BLOBS)}":
            raise FailedPrecondition(f"the archive's {shown(member.name)} has the digest {member.digest}")


def _called(name: str, listed: Sequence[_Listed]) -> ArchiveImage:
    """The archive's only image, with the caller's name."""
    wanted = _tagged(name)
    by_digest = {one.digest: one for one in listed}
    if len(by_digest) > 1:
        every = _enumerated(by_digest.values())
        raise InvalidArgument(
            f"the archive has {len(by_digest)} images, {every}, and only one can be called {name}",
            hint="load it without --name, or write an archive of one image",
        )
    return ArchiveImage(names=(wanted,), digest=listed[0].digest, document=listed[0].document)


def _own_names(image: _Listed) -> tuple[ImageReference, ...]:
    """The names of an image, which needs at least one."""
    if not image.names:
        raise FailedPrecondition(f"the archive names no tag for its image {image.digest}", hint=NAME_HINT)
    try:
        return tuple(map(_tagged, image.names))
    except InvalidArgument as failure:
        raise InvalidArgument(
            f"the archive has an image with an invalid name: {failure.message}", hint=NAME_HINT
        ) from failure


def _check_names(found: Iterable[ArchiveImage]) -> None:
    """Raises FailedPrecondition if a name refers to two images, because one of them would be lost."""
    meant: dict[ImageReference, str] = {}
    for one in found:
        for name in one.names:
            if meant.setdefault(name, one.digest) != one.digest:
                raise FailedPrecondition(f"the archive has two images called {name}: {meant[name]} and {one.digest}")


def _enumerated(images: Iterable[_Listed]) -> str:
    every = list(map(str, images))
    return " and ".join(every[:SHOWN]) + (f" and {len(every) - SHOWN} more" if len(every) > SHOWN else "")


def _oci(members: Members) -> list[_Listed]:
    """Entries with one name, or without, are one image for several platforms, or several images."""
    by_name: dict[str, list[Descriptor]] = {}
    for entry in _decoded(members, INDEX, Index).manifests:
        if manifest.ATTESTATION not in (entry.annotations or {}):
            by_name.setdefault(_oci_name(entry), []).append(entry)
    names: dict[str, list[str]] = {}
    for name, entries in by_name.items():
        for chosen in _chosen(entries, name):
            manifest.check(chosen, f"the archive's {shown(name) if name else 'image'}")
            members.find(BLOBS + hex_of(chosen.digest))
            names.setdefault(chosen.digest, []).extend([name] if name else [])
    return [_Listed(names=tuple(own), digest=digest) for digest, own in names.items()]


def _chosen(entries: Sequence[Descriptor], name: str) -> list[Descriptor]:
    """The entry for this machine, and the entries that do not name another platform. Raises NotFound."""
    fitting = manifest.ranked(entries, platforms.host_platforms(), name or "the archive's image")
    return [one for one in fitting if _platform(one) in (_platform(fitting[0]), None)]


def _platform(entry: Descriptor) -> platforms.Platform | None:
    return entry.platform and platforms.normalised(entry.platform)


def _oci_name(entry: Descriptor) -> str:
    """The name from containerd's annotation or from the standard's.

    skopeo and others write a bare word into the latter: the text after the file's name. Like podman, we take it for
    an image of this host and not of docker.io.
    """
    annotations = entry.annotations or {}
    name = annotations.get(NAME) or annotations.get(layout.REF_NAME, "")
    return name if not name or ":" in name or "/" in name else f"{BARE_HOST}/{name}"


def _docker(members: Members) -> list[_Listed]:
    listed = []
    for image in _decoded(members, DOCKER_INDEX, tuple[_DockerImage, ...]):
        document = _manifest(members, image)
        listed.append(_Listed(names=image.repo_tags, digest=layout.digest_of(document), document=document))
    return listed


def _manifest(members: Members, image: _DockerImage) -> bytes:
    """The manifest that docker-archive lacks. It is always the same for the same image."""
    config = members.find(image.config)
    layers = [members.find(name) for name in image.layers]
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": layout.OCI_MANIFEST,
        "config": _descriptor(config, CONFIG_TYPE),
        "layers": [_descriptor(layer, LAYER_TYPE + MAGICS.get(members.magic(layer)[:2], "")) for layer in layers],
    }
    return msgspec.json.encode(document)


def _descriptor(member: ArchiveMember, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": member.digest, "size": member.size}


def _tagged(name: str) -> ImageReference:
    found = reference.parse(name)
    if not found.tag:
        raise InvalidArgument(f"{name} is a digest, and an image from an archive needs a tag", hint="give a tag")
    return found


def _decoded(members: Members, name: str, kind: type[Kind]) -> Kind:
    try:
        return decode(members.read(name), kind)
    except NotJson as failure:
        raise FailedPrecondition(f"the archive's {name} is invalid: {failure}") from failure


def named_by(found: Sequence[ArchiveImage]) -> str:
    """The image in a log line."""
    return ",".join(str(name) for one in found for name in one.names)

"""Container images made in memory: layers, configs, manifests and indexes, OCI or Docker schema 2.

Pure but for reading this machine's busybox. `tools.registry` pushes what is built here; tests also build broken
or hostile images from the same pieces, so nothing is validated.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import subprocess
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import zstandard

Kind = Literal["file", "dir", "symlink", "hardlink", "char", "block", "fifo"]
Format = Literal["oci", "docker"]
Compression = Literal["gzip", "zstd", "none"]

BUSYBOX = Path("/bin/busybox")
MTIME_S = 1_700_000_000  # fixed, so that the same entries give the same digest
HOST_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
PATH_VARIABLE = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

TAR_TYPES: dict[Kind, bytes] = {
    "file": tarfile.REGTYPE,
    "dir": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
    "char": tarfile.CHRTYPE,
    "block": tarfile.BLKTYPE,
    "fifo": tarfile.FIFOTYPE,
}
COMPRESSED_TYPES: dict[Compression, str] = {
    "gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
    "zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
    "none": "application/vnd.oci.image.layer.v1.tar",
}
# Both specifications: opencontainers/image-spec media-types.md, distribution's manifest-v2-2.md.
MEDIA_TYPES: dict[Format, dict[str, str]] = {
    "oci": {
        "layer": "application/vnd.oci.image.layer.v1.tar+gzip",
        "config": "application/vnd.oci.image.config.v1+json",
        "manifest": "application/vnd.oci.image.manifest.v1+json",
        "index": "application/vnd.oci.image.index.v1+json",
    },
    "docker": {
        "layer": "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "config": "application/vnd.docker.container.image.v1+json",
        "manifest": "application/vnd.docker.distribution.manifest.v2+json",
        "index": "application/vnd.docker.distribution.manifest.list.v2+json",
    },
}


class Entry(NamedTuple):
    """One tar member. `payload` is the content, the link's target, or (major, minor) of a device."""

    path: str
    mode: int
    kind: Kind = "file"
    payload: bytes | str | tuple[int, int] = b""
    uid: int = 0
    gid: int = 0
    xattrs: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer as it is stored: `blob` is compressed, `diff_id` is the digest of the plain tar.

    `media_type`, if any, is what manifests call it instead of a layer of their style, compressed by gzip.
    """

    blob: bytes = field(repr=False)
    diff_id: str
    media_type: str = ""

    @property
    def digest(self) -> str:
        """Digest of the compressed blob."""
        return digest_of(self.blob)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One manifest with everything that it names."""

    manifest: bytes
    media_type: str
    config: bytes
    layers: tuple[Layer, ...]
    platform: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Digest of the manifest."""
        return digest_of(self.manifest)

    @property
    def image_id(self) -> str:
        """Digest of the config, which the CRI calls the image's id."""
        return digest_of(self.config)


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Several images under one name, one per platform, or indexes of such."""

    manifest: bytes
    media_type: str
    images: tuple[Image | Index, ...]

    @property
    def digest(self) -> str:
        """Digest of the index."""
        return digest_of(self.manifest)


def digest_of(data: bytes) -> str:
    """`sha256:<hex>` of some bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar_of(entries: Iterable[Entry]) -> bytes:
    """An uncompressed tar of the entries, in their order and with their paths as given (`../x` too)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in entries:
            content = entry.payload if isinstance(entry.payload, bytes) else b""
            archive.addfile(_member(entry, len(content)), io.BytesIO(content))
    return buffer.getvalue()


def _member(entry: Entry, size_bytes: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(entry.path)
    member.type = TAR_TYPES[entry.kind]
    member.mode, member.uid, member.gid = entry.mode, entry.uid, entry.gid
    member.mtime, member.size = MTIME_S, size_bytes
    member.pax_headers = {f"SCHILY.xattr.{name}": value for name, value in entry.xattrs.items()}
    if isinstance(entry.payload, str):
        member.linkname = entry.payload
    elif isinstance(entry.payload, tuple):
        member.devmajor, member.devminor = entry.payload
    return member


def layer_of(entries: Iterable[Entry]) -> Layer:
    """A gzip layer of the entries."""
    return layer_of_tar(tar_of(entries))


def layer_of_tar(tar: bytes) -> Layer:
    """A gzip layer of a tar that is there already."""
    return Layer(blob=gzip.compress(tar, compresslevel=6, mtime=0), diff_id=digest_of(tar))


def layer_as(compression: Compression, entries: Iterable[Entry]) -> Layer:
    """A layer of the entries with that compression, and OCI's word for it."""
    tar = tar_of(entries)
    packed = tar if compression == "none" else zstandard.compress(tar) if compression == "zstd" else gzip.compress(tar)
    return Layer(blob=packed, diff_id=digest_of(tar), media_type=COMPRESSED_TYPES[compression])


def artifact_of(files: Mapping[str, bytes], kind: str = "application/vnd.example.model") -> Image:
    """An OCI artifact: blobs with titles, an empty config, no layers of a root filesystem."""
    blobs = [_descriptor("application/octet-stream", data) | _titled(name) for name, data in files.items()]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MEDIA_TYPES["oci"]["manifest"],
        "artifactType": kind,
        "config": _descriptor("application/vnd.oci.empty.v1+json", b"{}"),
        "layers": blobs,
        "annotations": {"org.example.kind": "artifact"},
    }
    return Image(
        manifest=_json(manifest),
        media_type=MEDIA_TYPES["oci"]["manifest"],
        config=b"{}",
        layers=tuple(Layer(blob=data, diff_id="") for data in files.values()),
        platform={},
    )


def _titled(name: str) -> dict[str, object]:
    return {"annotations": {"org.opencontainers.image.title": name}}


def image_of(
    layers: Sequence[Layer],
    config: Mapping[str, Any],
    *,
    style: Format = "oci",
    architecture: str = HOST_ARCHITECTURE,
    variant: str = "",
    annotations: Mapping[str, str] | None = None,
) -> Image:
    """An image of the layers; `config` holds Env, Cmd, Entrypoint, User ...; None leaves a key out."""
    types = MEDIA_TYPES[style]
    target = {"architecture": architecture, "os": "linux"} | ({"variant": variant} if variant else {})
    config_blob = _json(
        {
            **target,
            "created": "2023-11-14T22:13:20Z",
            "config": {key: value for key, value in config.items() if value is not None},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            "history": [{"created_by": "podwright tools"} for _ in layers],
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": types["manifest"],
            "config": _descriptor(types["config"], config_blob),
            "layers": [_descriptor(layer.media_type or types["layer"], layer.blob) for layer in layers],
        }
        | ({"annotations": dict(annotations)} if annotations else {})
    )
    return Image(
        manifest=manifest,
        media_type=types["manifest"],
        config=config_blob,
        layers=tuple(layers),
        platform=target,
    )


def index_of(images: Sequence[Image | Index], *, style: Format = "oci") -> Index:
    """An index (a manifest list in Docker's words) over the images and indexes, in their order."""
    media_type = MEDIA_TYPES[style]["index"]
    manifests = [
        _descriptor(one.media_type, one.manifest)
        | ({"platform": dict(one.platform)} if isinstance(one, Image) and one.platform else {})
        for one in images
    ]
    body = _json({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests})
    return Index(manifest=body, media_type=media_type, images=tuple(images))


def _descriptor(media_type: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "size": len(blob), "digest": digest_of(blob)}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@cache
def busybox_layer() -> Layer:
    """A small root file system around this machine's static busybox; every applet is a hard link."""
    applets = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout.split()
    directories = ("bin", "dev", "etc", "home", "proc", "root", "sys", "usr", "usr/bin", "var", "var/www")
    return layer_of(
        [
            *(Entry(path, 0o755, "dir") for path in directories),
            Entry("tmp", 0o1777, "dir"),
            Entry("bin/busybox", 0o755, "file", BUSYBOX.read_bytes()),
            *(Entry(f"bin/{name}", 0o755, "hardlink", "bin/busybox") for name in applets if name != "busybox"),
            Entry("etc/passwd", 0o644, "file", PASSWD),
            Entry("etc/group", 0o644, "file", GROUP),
        ]
    )


PASSWD = b"""\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
member:x:4321:4321:of a club:/home:/bin/sh
nobody:x:65534:65534:nobody:/home:/bin/false
"""
GROUP = b"root:x:0:\ndaemon:x:1:\nwww-data:x:33:\nmember:x:4321:\nclub:x:50000:member\nnogroup:x:65534:\n"


def busybox_image(
    *extra: Layer, style: Format = "oci", architecture: str = HOST_ARCHITECTURE, **config: object
) -> Image:
    """The sample image, with further layers and config keys (User="33", Cmd=[...]) where given."""
    defaults = {"Env": [PATH_VARIABLE], "Cmd": ["sh"]}
    return image_of([busybox_layer(), *extra], defaults | config, style=style, architecture=architecture)


def pause_image() -> Image:
    """A stand-in for the pause image that other runtimes start each sandbox with."""
    return busybox_image(Entrypoint=["/bin/sleep", "2147483647"], Cmd=None)

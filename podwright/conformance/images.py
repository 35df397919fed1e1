"""Images of the cases' own: built in memory, served by a registry on loopback that lives as long as a case.

The registry speaks plain HTTP, which CRI servers accept from a loopback address. What it serves is not validated, so
that cases can be about images that other tools wrote oddly.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import platform
import tarfile
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import msgspec

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
MTIME_S = 1_700_000_000
APPLETS = ("cat", "find", "ls", "sh", "sort", "stat")
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
POLL_S = 0.05  # how soon the server notices that it is to end
Json = dict[str, Any]


class CaseLayer(NamedTuple):
    """A layer's blob, and the digest of the tar in it."""

    blob: bytes
    diff_id: str


class TarMember(NamedTuple):
    """A member of a layer's tar, and the content of a file."""

    info: tarfile.TarInfo
    content: bytes = b""


def file(path: str, content: str | bytes = b"", mode: int = 0o644) -> TarMember:
    """A regular file. Named `.wh.NAME` it is a whiteout (OCI image-spec, layer.md)."""
    data = content.encode() if isinstance(content, str) else content
    return TarMember(_info(path, tarfile.REGTYPE, mode=mode, size=len(data)), data)


def folder(path: str, mode: int = 0o755, owner: tuple[int, int] = (0, 0)) -> TarMember:
    """A directory."""
    return TarMember(_info(path, tarfile.DIRTYPE, mode=mode, uid=owner[0], gid=owner[1]))


def link(path: str, target: str) -> TarMember:
    """A symbolic link."""
    return TarMember(_info(path, tarfile.SYMTYPE, mode=0o777, linkname=target))


def device(path: str, kind: bytes, number: tuple[int, int]) -> TarMember:
    """A device node. `kind` is tarfile.CHRTYPE or tarfile.BLKTYPE."""
    return TarMember(_info(path, kind, mode=0o660, devmajor=number[0], devminor=number[1]))


def _info(path: str, kind: bytes, **fields: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.type, info.mtime = kind, MTIME_S
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def layer(*members: TarMember) -> CaseLayer:
    """A gzip layer."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member in members:
            archive.addfile(member.info, io.BytesIO(member.content))
    return CaseLayer(gzip.compress(buffer.getvalue(), mtime=0), digest_of(buffer.getvalue()))


def base_layer(busybox: bytes) -> CaseLayer:
    """A layer that commands run in: `busybox` is the program."""
    folders = [folder(path) for path in ("bin", "dev", "etc", "proc", "sys", "tmp")]
    links = [link(f"bin/{name}", "busybox") for name in APPLETS]
    return layer(*folders, file("bin/busybox", busybox, 0o755), *links)


def config_of(layers: Sequence[CaseLayer], **config: object) -> Json:
    """An image config. `config` are Env, Cmd, Labels ..."""
    return {
        "architecture": ARCHITECTURE,
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], **config},
        "rootfs": {"type": "layers", "diff_ids": [one.diff_id for one in layers]},
    }


def manifest_of(config: Mapping[str, object], layers: Sequence[CaseLayer]) -> Json:
    """A manifest."""
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor(CONFIG_TYPE, encoded(config)),
        "layers": [descriptor(LAYER_TYPE, one.blob) for one in layers],
    }


def descriptor(media_type: str, data: bytes) -> Json:
    """What points at a blob or document."""
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}


def encoded(document: Mapping[str, object]) -> bytes:
    """The bytes of a document, always the same."""
    return json.dumps(document).encode()


def digest_of(data: bytes) -> str:
    """`sha256:<hex>`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


class RegistryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the registry answers to GET and HEAD.

    `compressed`: the body of GET is sent as by a CDN that compresses, under Content-Encoding (RFC 9110, 8.4).
    """

    data: bytes
    headers: Mapping[str, str]
    compressed: bool = False


class ImageRegistry:
    """A registry on loopback. `base` is the layer with programs that images start with."""

    def __init__(self, host: str, answers: dict[str, RegistryAnswer], base: CaseLayer) -> None:
        self.host = host
        self.base = base
        self.names: list[str] = []
        self._answers = answers
        self._repository = f"conformance/{uuid.uuid4().hex[:12]}"

    def push(self, *layers: CaseLayer, **config: object) -> str:
        """Serve an image of the base and these layers. Returns its name."""
        whole = (self.base, *layers)
        image_config = config_of(whole, **config)
        return self.push_documents(manifest_of(image_config, whole), image_config, whole)

    def push_index(self, *others: object, **fields: object) -> str:
        """Serve an image of the base in an index, after `others`. `fields` are of its entry. Returns its name."""
        config = config_of([self.base])
        manifest = manifest_of(config, [self.base])
        self.push_documents(manifest, config, [self.base])
        entry = {**descriptor(MANIFEST_TYPE, encoded(manifest)), **fields}
        return self.tag({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [*others, entry]})

    def push_documents(
        self, manifest: Mapping[str, object], config: Mapping[str, object], layers: Sequence[CaseLayer]
    ) -> str:
        """Serve an image by its documents as they are. Returns its name."""
        for blob in (encoded(config), *(one.blob for one in layers)):
            headers = {"Content-Type": "application/octet-stream"}
            self._serve(f"blobs/{digest_of(blob)}", RegistryAnswer(data=blob, headers=headers))
        self._serve_document(digest_of(encoded(manifest)), manifest)
        return self.tag(manifest)

    def tag(self, document: Mapping[str, object], *, compressed: bool = False) -> str:
        """Serve a manifest or index under a new tag, and by its digest: see RegistryAnswer. Returns its name."""
        name = f"{self.host}/{self._repository}:{len(self.names)}"
        for reference in (name.rpartition(":")[2], digest_of(encoded(document))):
            self._serve_document(reference, document, compressed=compressed)
        self.names.append(name)
        return name

    def _serve_document(self, reference: str, document: Mapping[str, object], *, compressed: bool = False) -> None:
        data = encoded(document)
        media_type = str(document.get("mediaType") or MANIFEST_TYPE)
        headers = {"Content-Type": media_type, "Docker-Content-Digest": digest_of(data)}
        self._serve(f"manifests/{reference}", RegistryAnswer(data=data, headers=headers, compressed=compressed))

    def _serve(self, path: str, answer: RegistryAnswer) -> None:
        self._answers[f"/v2/{self._repository}/{path}"] = answer


@contextlib.contextmanager
def image_registry(busybox: bytes) -> Iterator[ImageRegistry]:
    """A registry that is empty, for the block."""
    answers: dict[str, RegistryAnswer] = {}

    class RegistryHandler(BaseHTTPRequestHandler):
        """Answers from memory."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(body=True)

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def _answer(self, *, body: bool) -> None:
            found = answers.get(self.path.partition("?")[0])
            data, headers = (found.data, dict(found.headers)) if found else (b"", {})
            if found and found.compressed and body:
                data, headers["Content-Encoding"] = gzip.compress(data), "gzip"
            self.send_response(200 if found else 404)
            for key, value in (headers | {"Content-Length": str(len(data))}).items():
                self.send_header(key, value)
            self.end_headers()
            if body:
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Nothing: the cases' output is for the cases."""

    with ThreadingHTTPServer(("127.0.0.1", 0), RegistryHandler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(POLL_S,), daemon=True)
        thread.start()
        try:
            yield ImageRegistry(f"127.0.0.1:{server.server_port}", answers, base_layer(busybox))
        finally:
            server.shutdown()
            thread.join()

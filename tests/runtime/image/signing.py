"""Signs images as cosign does, by OpenSSL's command, and puts the signatures where cosign puts them."""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.images import MEDIA_TYPES, digest_of
from tools.registry import Registry

PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
ARTIFACT = "application/vnd.dev.cosign.artifact.sig.v1+json"
ANNOTATION = "dev.cosignproject.cosign/signature"
MANIFEST, INDEX = MEDIA_TYPES["oci"]["manifest"], MEDIA_TYPES["oci"]["index"]
GENERATE = {
    "p256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p521": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
    "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "ed25519": ["-algorithm", "ED25519"],
    "x25519": ["-algorithm", "X25519"],  # which cannot sign
}


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@dataclass(frozen=True, slots=True)
class Key:
    """A private key and the file with its public half."""

    private: Path
    public: Path
    kind: str

    def sign(self, payload: bytes) -> str:
        """Base64, as cosign annotates it."""
        message, signature = self.private.with_suffix(".payload"), self.private.with_suffix(".sig")
        message.write_bytes(payload)
        if self.kind == "ed25519":
            openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.private, "-in", message, "-out", signature)
        else:
            openssl("dgst", "-sha256", "-sign", self.private, "-out", signature, message)
        return base64.b64encode(signature.read_bytes()).decode()


def new_key(folder: Path, kind: str = "p256", name: str = "key") -> Key:
    """A key pair of its own."""
    private, public = folder / f"{name}.{kind}.pem", folder / f"{name}.{kind}.pub"
    openssl("genpkey", *GENERATE[kind], "-out", private)
    openssl("pkey", "-in", private, "-pubout", "-out", public)
    return Key(private, public, kind)


def payload_for(identity: str, digest: str, kind: str = "cosign container image signature") -> bytes:
    """What is signed."""
    image, name = {"docker-manifest-digest": digest}, {"docker-reference": identity}
    return json.dumps({"critical": {"identity": name, "image": image, "type": kind}, "optional": None}).encode()


@dataclass(frozen=True, slots=True)
class Signature:
    """One or more signatures as a registry holds them: blobs, and the manifest that lists them."""

    blobs: tuple[bytes, ...]
    manifest: bytes

    @property
    def digest(self) -> str:
        """Of the manifest."""
        return digest_of(self.manifest)

    def referrers(self) -> bytes:
        """The index of an image that has this one referrer."""
        entry = {"mediaType": MANIFEST, "digest": self.digest, "size": len(self.manifest), "artifactType": ARTIFACT}
        return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).encode()


def signature_of(*signed: tuple[str, bytes], subject: dict[str, Any] | None = None) -> Signature:
    """From (base64, payload) pairs; with a subject it is a referrer."""
    layers = [
        {"mediaType": PAYLOAD, "digest": digest_of(payload), "size": len(payload), "annotations": {ANNOTATION: sign}}
        for sign, payload in signed
    ]
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": []}}).encode()
    described = {"mediaType": MEDIA_TYPES["oci"]["config"], "digest": digest_of(config), "size": len(config)}
    document: dict[str, Any] = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": layers}
    if subject:
        document |= {"artifactType": ARTIFACT, "subject": subject}
    return Signature((config, *(payload for _, payload in signed)), json.dumps(document).encode())


def push_tagged(registry: Registry, repository: str, digest: str, signature: Signature) -> None:
    """By cosign's tag scheme."""
    _push_blobs(registry, repository, signature)
    registry.push_manifest(repository, f"{digest.replace(':', '-')}.sig", signature.manifest, MANIFEST)


def push_referrer(registry: Registry, repository: str, digest: str, signature: Signature) -> None:
    """As clients do where a registry has no referrers API: under the tag that stands for it."""
    _push_blobs(registry, repository, signature)
    registry.push_manifest(repository, signature.digest, signature.manifest, MANIFEST)
    registry.push_manifest(repository, digest.replace(":", "-"), signature.referrers(), INDEX)


def _push_blobs(registry: Registry, repository: str, signature: Signature) -> None:
    for blob in signature.blobs:
        registry.push_blob(repository, blob)

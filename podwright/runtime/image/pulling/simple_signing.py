"""Cosign's signatures: a JSON payload that names a repository and a digest, and a signature of its bytes.

See sigstore/cosign's specs/SIGNATURE_SPEC.md. This module reads keys and checks, and `signatures` fetches. The
`cryptography` library is loaded with the first check, because most nodes have no policy.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from podwright.errors import FailedPrecondition, InvalidArgument, reason
from podwright.runtime.registry import reference
from podwright.runtime.registry.nulls import NotJson, decode

PAYLOAD_TYPE = "cosign container image signature"
KEY_LIMIT_BYTES = 64 << 10
Check = Callable[[bytes, bytes], None]  # (signature, payload); raises InvalidSignature


class ImageSignature(msgspec.Struct, frozen=True, kw_only=True):
    """A signature as stored in a registry: base64, over the bytes of the payload."""

    signature: str
    payload: bytes


class _Identity(msgspec.Struct, rename="kebab"):
    docker_reference: str = ""


class _Image(msgspec.Struct, rename="kebab"):
    docker_manifest_digest: str = ""


class _Critical(msgspec.Struct):
    identity: _Identity
    image: _Image
    type: str = ""


class _Payload(msgspec.Struct):
    critical: _Critical


def examine(candidate: ImageSignature, keys: Sequence[Check], *, identity: str, digest: str) -> str:
    """Check a signature by one of the keys for image `digest` of the repository `identity`.

    Returns the problem, or "".
    """
    try:
        signature = base64.b64decode(candidate.signature, validate=True)
    except (binascii.Error, ValueError):
        return "a signature is not base64"
    if not any(_fits(check, signature, candidate.payload) for check in keys):
        return "a signature is by another key, or over something else"
    return _misnamed(candidate.payload, identity, digest)


def load_keys(paths: Sequence[str]) -> list[Check]:
    """A check for each public key. Blocks. Raises FailedPrecondition for an unusable key."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 # see the module's docstring
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 # as above

    found: list[Check] = []
    for path in paths:
        try:
            with open(path, "rb") as file:
                key = serialization.load_pem_public_key(file.read(KEY_LIMIT_BYTES))
        except (OSError, ValueError, UnsupportedAlgorithm) as failure:
            raise FailedPrecondition(f"cannot read the public key {path}: {reason(failure, path=path)}") from failure
        checks = list(_checks(key))
        if not checks:
            raise FailedPrecondition(f"the public key {path} has a type that cosign does not use")
        found += checks
    return found


def _checks(key: Any) -> Iterator[Check]:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 # see the module's docstring
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa  # noqa: PLC0415 # as above

    if isinstance(key, ed25519.Ed25519PublicKey):
        yield key.verify
    elif isinstance(key, rsa.RSAPublicKey):
        yield lambda signature, payload: key.verify(signature, payload, padding.PKCS1v15(), hashes.SHA256())
    elif isinstance(key, ec.EllipticCurvePublicKey):
        # Cosign hashes with SHA-256 for every curve. Other tools choose the hash by the curve's size.
        sized: hashes.HashAlgorithm = hashes.SHA512() if key.key_size > 384 else hashes.SHA384()
        yield lambda signature, payload: key.verify(signature, payload, ec.ECDSA(hashes.SHA256()))
        yield lambda signature, payload: key.verify(signature, payload, ec.ECDSA(sized))


def _fits(check: Check, signature: bytes, payload: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 # see the module's docstring

    try:
        check(signature, payload)
    except InvalidSignature:
        return False
    return True


def _misnamed(payload: bytes, identity: str, digest: str) -> str:
    try:
        critical = decode(payload, _Payload).critical
    except NotJson:
        return "a payload is not that of a signature"
    if critical.type != PAYLOAD_TYPE:
        return f"a payload's type is {critical.type[:100]!r}"
    if critical.image.docker_manifest_digest != digest:
        return f"a signature is over another image, {critical.image.docker_manifest_digest[:100]!r}"
    named = critical.identity.docker_reference
    try:
        fits = reference.parse(named).name == identity
    except InvalidArgument:
        fits = False
    return "" if fits else f"a signature is for another repository, {named[:300]!r}"

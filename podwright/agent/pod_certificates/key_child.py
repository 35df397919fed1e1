"""A program that makes a key and the proof of its possession: JSON on stdin to JSON on stdout.

It is a program of its own, because the library costs a process 10 MiB until its end. It imports nothing of Podwright.
Input: type, a `keyType` of the API. Output: key (PEM, PKCS#8), request (an empty PKCS#10 request: base64 of its DER).
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

Key: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Hash: TypeAlias = hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None

# The hash of the proof is Go's choice for such a key.
TYPES: dict[str, tuple[Callable[[], Key], Hash]] = {
    "RSA3072": (lambda: rsa.generate_private_key(65537, 3072), hashes.SHA256()),
    "RSA4096": (lambda: rsa.generate_private_key(65537, 4096), hashes.SHA256()),
    "ECDSAP256": (lambda: ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()),
    "ECDSAP384": (lambda: ec.generate_private_key(ec.SECP384R1()), hashes.SHA384()),
    "ECDSAP521": (lambda: ec.generate_private_key(ec.SECP521R1()), hashes.SHA512()),
    "ED25519": (ed25519.Ed25519PrivateKey.generate, None),
}


def main() -> None:
    """Answer one request."""
    wanted = json.load(sys.stdin)["type"]
    if wanted not in TYPES:
        raise SystemExit(f"unknown key type {wanted!r}")
    make, digest = TYPES[wanted]
    key = make()
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, digest)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    der = request.public_bytes(serialization.Encoding.DER)
    json.dump({"key": text.decode(), "request": base64.b64encode(der).decode()}, sys.stdout)


if __name__ == "__main__":
    main()

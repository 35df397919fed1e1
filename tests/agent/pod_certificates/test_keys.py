"""Keys of every type that the API has, and proofs that belong to them."""

from __future__ import annotations

import asyncio

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from podwright.agent.pod_certificates.keys import ChildKeyMaker
from podwright.errors import FailedPrecondition
from podwright.k8s.validation.projected import KEY_TYPES
from podwright.process import PosixProcessRunner


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_every_type(key_type: str) -> None:
    made = asyncio.run(ChildKeyMaker(runner=PosixProcessRunner()).make(key_type))
    assert made.key.startswith("-----BEGIN PRIVATE KEY-----\n")
    assert "PRIVATE" not in repr(made)
    key = serialization.load_pem_private_key(made.key.encode(), None)
    request = x509.load_der_x509_csr(made.request)
    assert request.is_signature_valid
    assert list(request.subject) == []
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert request.public_key().public_bytes(*form) == key.public_key().public_bytes(*form)
    kind = type(key).__name__.lower()
    bits = str(getattr(key, "key_size", ""))
    assert key_type.lower().startswith(("rsa", "ecdsa", "ed25519"))
    assert key_type.endswith(bits or "25519")
    assert ("rsa" in kind) == key_type.startswith("RSA")


def test_a_type_that_is_none() -> None:
    with pytest.raises(FailedPrecondition, match="unknown key type 'DSA'"):
        asyncio.run(ChildKeyMaker(runner=PosixProcessRunner()).make("DSA"))

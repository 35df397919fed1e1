"""ECDSA on NIST's curve P-256, as much as one self-made certificate needs: a new key and a signature of its own.

Python's library verifies and uses such keys but makes none, and a certificate that nobody checks against an authority
is not worth a dependency. Not constant in time: used once, at start, for a key that signs nothing else here (the TLS
handshakes that follow are OpenSSL's).
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

# FIPS 186-4, D.1.2.3; the curve is y^2 = x^3 - 3x + b modulo P, and its generator G has the order N.
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
FIELD_BYTES = 32

Point = tuple[int, int]


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """A private key."""

    secret: int

    @property
    def public(self) -> bytes:
        """The public point, uncompressed (SEC 1, 2.3.3)."""
        x, y = _times(self.secret, G)
        return b"\x04" + x.to_bytes(FIELD_BYTES) + y.to_bytes(FIELD_BYTES)

    def sign(self, message: bytes) -> tuple[int, int]:
        """(r, s) of ECDSA with SHA-256."""
        digest = int.from_bytes(hashlib.sha256(message).digest())
        while True:
            nonce = _random_scalar()
            r = _times(nonce, G)[0] % N
            s = pow(nonce, -1, N) * (digest + r * self.secret) % N
            if r and s:
                return r, s


def new_key() -> Key:
    """A random key."""
    return Key(_random_scalar())


def _random_scalar() -> int:
    return secrets.randbelow(N - 1) + 1


def _times(scalar: int, point: Point) -> Point:
    """Double and add; `scalar` is from 1 to N - 1, so that the sum is never the point at infinity."""
    total: Point | None = None
    while scalar:
        if scalar & 1:
            total = point if total is None else _add(total, point)
        scalar >>= 1
        if scalar:
            point = _double(point)
    if total is None:
        raise ValueError("zero times a point is no point")
    return total


def _add(first: Point, second: Point) -> Point:
    """Of two points that are neither equal nor opposite."""
    slope = (second[1] - first[1]) * pow(second[0] - first[0], -1, P) % P
    return _third(slope, first, second[0])


def _double(point: Point) -> Point:
    slope = (3 * point[0] * point[0] - 3) * pow(2 * point[1], -1, P) % P
    return _third(slope, point, point[0])


def _third(slope: int, point: Point, other_x: int) -> Point:
    x = (slope * slope - point[0] - other_x) % P
    return x, (slope * (point[0] - x) - point[1]) % P

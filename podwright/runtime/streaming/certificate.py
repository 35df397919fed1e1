"""A self-made certificate for the streaming server: X.509 in DER, by hand, for one key and a few addresses.

Whoever connects to the URL got it over the runtime's own socket, and checks no authority; TLS keeps others from
reading along.
"""

from __future__ import annotations

import base64
import ipaddress
import secrets
import time
from collections.abc import Iterable

from podwright.runtime.streaming import p256

DAY_S = 86400
VALID_DAYS = 3650  # as long as a daemon may run
NAME = "podwright streaming"

INTEGER, BIT_STRING, OCTET_STRING, OBJECT_ID, UTF8, UTC_TIME, GENERALIZED_TIME = (
    0x02,
    0x03,
    0x04,
    0x06,
    0x0C,
    0x17,
    0x18,
)
SEQUENCE, SET = 0x30, 0x31
COMMON_NAME = bytes.fromhex("550403")
ALT_NAMES = bytes.fromhex("551d11")
EC_KEY = bytes.fromhex("2a8648ce3d0201")
CURVE = bytes.fromhex("2a8648ce3d030107")
ECDSA_SHA256 = bytes.fromhex("2a8648ce3d040302")


def make(addresses: Iterable[str]) -> bytes:
    """A new certificate for these IP addresses, and its private key: PEM, one after the other."""
    key = p256.new_key()
    body = _body(key.public, addresses)
    r, s = key.sign(body)
    signature = _der(BIT_STRING, b"\0" + _der(SEQUENCE, _integer(r), _integer(s)))
    signed = _der(SEQUENCE, body, _algorithm(), signature)
    return _pem("CERTIFICATE", signed) + _pem("EC PRIVATE KEY", _private_key(key))


def _body(public: bytes, addresses: Iterable[str]) -> bytes:
    """What is signed (RFC 5280, 4.1)."""
    name = _der(SEQUENCE, _der(SET, _der(SEQUENCE, _der(OBJECT_ID, COMMON_NAME), _der(UTF8, NAME.encode()))))
    now = int(time.time())
    validity = _der(SEQUENCE, _time(now - DAY_S), _time(now + VALID_DAYS * DAY_S))
    key_kind = _der(SEQUENCE, _der(OBJECT_ID, EC_KEY), _der(OBJECT_ID, CURVE))
    public_key = _der(SEQUENCE, key_kind, _der(BIT_STRING, b"\0" + public))
    packed = sorted({ipaddress.ip_address(address).packed for address in addresses})
    names = _der(SEQUENCE, *(_der(0x87, address) for address in packed))
    extensions = _der(SEQUENCE, _der(SEQUENCE, _der(OBJECT_ID, ALT_NAMES), _der(OCTET_STRING, names)))
    serial = _integer(secrets.randbits(127) | 1)
    version = _der(0xA0, _integer(2))
    return _der(SEQUENCE, version, serial, _algorithm(), name, validity, name, public_key, _der(0xA3, extensions))


def _private_key(key: p256.Key) -> bytes:
    """RFC 5915."""
    secret = _der(OCTET_STRING, key.secret.to_bytes(p256.FIELD_BYTES))
    curve = _der(0xA0, _der(OBJECT_ID, CURVE))
    public = _der(0xA1, _der(BIT_STRING, b"\0" + key.public))
    return _der(SEQUENCE, _integer(1), secret, curve, public)


def _algorithm() -> bytes:
    return _der(SEQUENCE, _der(OBJECT_ID, ECDSA_SHA256))


def _der(tag: int, *contents: bytes) -> bytes:
    """Tag, length, contents."""
    joined = b"".join(contents)
    length = len(joined)
    if length < 0x80:
        return bytes((tag, length)) + joined
    width = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | width)) + length.to_bytes(width) + joined


def _integer(value: int) -> bytes:
    return _der(INTEGER, value.to_bytes(value.bit_length() // 8 + 1))  # the first bit is the sign's


def _time(seconds: int) -> bytes:
    """UTCTime until 2049, as RFC 5280 demands."""
    moment = time.gmtime(seconds)
    if moment.tm_year < 2050:
        return _der(UTC_TIME, time.strftime("%y%m%d%H%M%SZ", moment).encode())
    return _der(GENERALIZED_TIME, time.strftime("%Y%m%d%H%M%SZ", moment).encode())


def _pem(label: str, der: bytes) -> bytes:
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n".encode()

"""The validity and the hosts in a certificate: read from its DER (RFC 5280, 4.1), without a library of 10 MiB.

Pure. Signatures are not verified here: OpenSSL does that.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from podwright.errors import InvalidArgument

_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
_ALTERNATIVE_NAMES = b"\x06\x03\x55\x1d\x11"  # 2.5.29.17
_OCTETS, _DNS_NAME, _ADDRESS = 0x04, 0x82, 0x87
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


class Validity(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds since the epoch."""

    begin: float
    end: float


def validity_of(pem: bytes) -> Validity:
    """The validity of the first certificate. Raises InvalidArgument if there is none."""
    try:
        first, second = _times(_der(pem))
    except (ValueError, IndexError) as failure:
        raise InvalidArgument(f"this is not a PEM certificate: {failure}") from failure
    return Validity(begin=first, end=second)


def hosts_of(pem: bytes) -> frozenset[str]:
    """The names and addresses at which the first certificate serves. Raises InvalidArgument."""
    try:
        return frozenset(_hosts(_der(pem)))
    except (ValueError, IndexError) as failure:
        raise InvalidArgument(f"this is not a PEM certificate: {failure}") from failure


def _der(pem: bytes) -> memoryview:
    text = pem.decode("ascii", errors="replace")
    begin, end = text.index(_BEGIN), text.index(_END) + len(_END)
    return memoryview(ssl.PEM_cert_to_DER_cert(text[begin:end]))


def _hosts(der: memoryview) -> Iterator[str]:
    at = bytes(der).find(_ALTERNATIVE_NAMES)
    if at < 0:
        return
    tag, content, rest = _element(der[at + len(_ALTERNATIVE_NAMES) :])
    if tag != _OCTETS:  # whether the extension is critical comes before it
        _, content, _ = _element(rest)
    _, names, _ = _element(content)
    while names:
        tag, name, names = _element(names)
        if tag == _DNS_NAME:
            yield bytes(name).decode("ascii")
        elif tag == _ADDRESS:
            yield str(ipaddress.ip_address(bytes(name)))


def _times(der: memoryview) -> tuple[float, float]:
    _, certificate, _ = _element(der)
    _, rest, _ = _element(certificate)
    tag, _, after = _element(rest)
    if tag == _VERSION:
        rest = after
    for _ in range(3):  # serial number, algorithm, issuer
        _, _, rest = _element(rest)
    tag, validity, _ = _element(rest)
    if tag != _SEQUENCE:
        raise ValueError("its validity is not where it should be")
    first_tag, first, rest = _element(validity)
    second_tag, second, _ = _element(rest)
    return _time(first_tag, first), _time(second_tag, second)


def _element(data: memoryview) -> tuple[int, memoryview, memoryview]:
    """(tag, content, what follows) of the first element."""
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(data[2 : 2 + count]), 2 + count
    if start + length > len(data):
        raise ValueError("it is cut off")
    return tag, data[start : start + length], data[start + length :]


def _time(tag: int, content: memoryview) -> float:
    text = bytes(content).decode("ascii")
    if tag == _UTC_TIME:  # two digits of the year: 1950 to 2049
        text = ("20" if int(text[:2]) < 50 else "19") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("it has no times")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()

"""Netlink's framing (netlink(7)): headers, attributes, acknowledgements. Pure."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

import msgspec

NLMSG_ERROR = 2
NLMSG_DONE = 3

NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_CAPPED = 0x100
NLM_F_ACK_TLVS = 0x200
NLM_F_DUMP = 0x300
NLM_F_EXCL = 0x200
NLM_F_REPLACE = 0x100  # for requests that create objects
NLM_F_CREATE = 0x400

NLA_F_NESTED = 0x8000
NLA_TYPE_MASK = 0x3FFF
NLMSGERR_ATTR_MSG = 1

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")


class NetlinkRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One message to the kernel. `label` describes it in errors."""

    kind: int
    flags: int
    body: bytes
    label: str


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message from the kernel."""

    kind: int
    flags: int
    sequence: int
    body: bytes


def encode(request: NetlinkRequest, sequence: int) -> bytes:
    """The message in the kernel's format, padded so that another may follow."""
    flags = request.flags | NLM_F_REQUEST
    return _pad(_HEADER.pack(_HEADER.size + len(request.body), request.kind, flags, sequence, 0) + request.body)


def decode(data: bytes) -> Iterator[Message]:
    """The messages in one datagram. A truncated message ends the list."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size or offset + length > len(data):
            return
        yield Message(kind=kind, flags=flags, sequence=sequence, body=data[offset + _HEADER.size : offset + length])
        offset += (length + 3) & ~3


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    return _pad(_ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value)


def text(kind: int, value: str) -> bytes:
    """A string attribute, terminated by a zero byte."""
    return attribute(kind, value.encode() + b"\0")


def number(kind: int, value: int) -> bytes:
    """A 32-bit attribute in the machine's byte order."""
    return attribute(kind, struct.pack("=I", value))


def nested(kind: int, *attributes: bytes) -> bytes:
    """Attributes inside an attribute."""
    return attribute(kind | NLA_F_NESTED, b"".join(attributes))


def attributes(data: bytes) -> dict[int, bytes]:
    """Attributes by number without flags. The last of repeated ones counts. A truncated one ends the list."""
    found: dict[int, bytes] = {}
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size or offset + length > len(data):
            break
        found[kind & NLA_TYPE_MASK] = data[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
    return found


def string(value: bytes) -> str:
    """The text of a string attribute."""
    return value.partition(b"\0")[0].decode(errors="replace")


def acknowledgement(message: Message) -> OSError | None:
    """The meaning of an NLMSG_ERROR message: None for success, otherwise the error, with the kernel's text if any."""
    code = -struct.unpack_from("=i", message.body)[0]
    if code == 0:
        return None
    words = ""
    if message.flags & NLM_F_ACK_TLVS:
        # The code is followed by the header of the request, and by its body unless the kernel capped it.
        request_length = _HEADER.unpack_from(message.body, 4)[0]
        start = 4 + (_HEADER.size if message.flags & NLM_F_CAPPED else (request_length + 3) & ~3)
        words = string(attributes(message.body[start:]).get(NLMSGERR_ATTR_MSG, b""))
    return OSError(code, f"{os.strerror(code)}: {words}" if words else os.strerror(code))


def _pad(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)

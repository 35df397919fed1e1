"""Parses `[ADDRESS:][LOCAL:]POD_PORT`. Pure."""

from __future__ import annotations

import ipaddress

import msgspec

from podwright.errors import InvalidArgument

LOOPBACK = "127.0.0.1"
HINT = "give it as 8080:80, as 80 for the same port here, as :80 for any, or as ADDRESS:8080:80"


class ForwardedPort(msgspec.Struct, frozen=True, kw_only=True):
    """The local address and port, and the pod's port. Local port 0 means any free port."""

    address: str
    local_port: int
    pod_port: int


def parse_mapping(text: str) -> ForwardedPort:
    """Raises InvalidArgument."""
    address, ports = LOOPBACK, text
    if text.startswith("["):
        address, _, ports = text[1:].partition("]:")
    elif text.count(":") == 2:
        address, _, ports = text.partition(":")
    local, colon, pod = ports.rpartition(":")
    pod_port = _port(pod, text)
    local_port = (_port(local, text, any_port=True) if local else 0) if colon else pod_port
    return ForwardedPort(address=_address(address, text), local_port=local_port, pod_port=pod_port)


def _port(word: str, text: str, *, any_port: bool = False) -> int:
    if word.isascii() and word.isdigit() and len(word) <= 5 and (not any_port) <= int(word) <= 65535:
        return int(word)
    raise InvalidArgument(f"{text!r} names {word!r}, which is not a port", hint=HINT)


def _address(word: str, text: str) -> str:
    try:
        return LOOPBACK if word == "localhost" else str(ipaddress.ip_address(word))
    except ValueError:
        raise InvalidArgument(f"{text!r} names {word!r}, which is not an IP address", hint=HINT) from None

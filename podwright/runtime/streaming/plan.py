"""The protocol of a connection, decided from the request's head and the meaning of its URL. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto

import msgspec

from podwright.streams import negotiation
from podwright.streams.negotiation import UpgradeRefusal
from podwright.streams.remote_command.protocol import SPDY_PROTOCOLS
from podwright.streams.upgrade import Headers, UpgradeRequest
from podwright.streams.websocket import handshake

PATH = re.compile(r"/(exec|attach|portforward)/([A-Za-z0-9_-]{1,64})(?:\?.*)?", re.DOTALL)
METHODS = ("GET", "POST")


class Carrier(Enum):
    """How streams are transported."""

    SPDY = auto()
    CHANNELS = auto()  # WebSocket messages that start with a channel number
    TUNNEL = auto()  # SPDY in WebSocket messages


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an acceptable request: the carrier, the stream protocol's name, and the headers of the 101."""

    carrier: Carrier
    protocol: str
    headers: Headers


def parse_target(request: UpgradeRequest) -> tuple[str, str] | UpgradeRefusal:
    """(kind, token) of the URL. The kind is "exec", "attach" or "portforward"."""
    if request.method not in METHODS:
        return UpgradeRefusal(
            status=405, message="streams need the method GET or POST", headers=(("allow", "GET, POST"),)
        )
    match = PATH.fullmatch(request.target)
    return (match[1], match[2]) if match else UpgradeRefusal(status=404, message="there is no such stream")


def for_remote_command(request: UpgradeRequest) -> Plan | UpgradeRefusal:
    """The plan for exec and attach. Raises ProtocolError for an invalid WebSocket handshake."""
    return _plan(request, tuple(SPDY_PROTOCOLS), tunnels=())


def for_port_forward(request: UpgradeRequest) -> Plan | UpgradeRefusal:
    """The plan for port-forward. Raises ProtocolError for an invalid WebSocket handshake."""
    return _plan(request, (negotiation.PORT_FORWARD,), tunnels=(handshake.TUNNEL,))


def _plan(request: UpgradeRequest, spdy: Sequence[str], *, tunnels: Sequence[str]) -> Plan | UpgradeRefusal:
    if request.asks_for(negotiation.SPDY):
        chosen = negotiation.choose_spdy(request, spdy)
        if isinstance(chosen, UpgradeRefusal):
            return chosen
        return Plan(carrier=Carrier.SPDY, protocol=chosen, headers=negotiation.spdy_answer_headers(chosen))
    if request.asks_for(handshake.WEBSOCKET):
        return _websocket_plan(request, tunnels)
    return UpgradeRefusal(
        status=400, message=f"a stream needs an upgrade to {negotiation.SPDY} or {handshake.WEBSOCKET}"
    )


def _websocket_plan(request: UpgradeRequest, tunnels: Sequence[str]) -> Plan | UpgradeRefusal:
    offered = handshake.offered_protocols(request)
    known = [name for name in offered if name in tunnels or handshake.channel_protocol(name) is not None]
    if offered and not known:
        return UpgradeRefusal(status=403, message=f"none of the protocols {', '.join(offered)[:200]} is known")
    chosen = known[0] if known else ""
    carrier = Carrier.TUNNEL if chosen in tunnels else Carrier.CHANNELS
    return Plan(carrier=carrier, protocol=chosen, headers=handshake.answer_headers(request, chosen))

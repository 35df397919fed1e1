"""The opening handshake of RFC 6455, and Kubernetes' subprotocols."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Sequence

import msgspec

from podwright.streams.errors import ProtocolError
from podwright.streams.upgrade import Headers, Response, UpgradeRequest, upgrade_headers

WEBSOCKET = "websocket"
TUNNEL_PREFIX = "SPDY/3.1+"  # followed by the stream protocol inside
TUNNEL = f"{TUNNEL_PREFIX}portforward.k8s.io"
_VERSION = "13"
_ACCEPTED = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_KEY_BYTES = 16
_CHANNELS = re.compile(r"(?:v([1-5])\.)?(base64\.)?channel\.k8s\.io")


class ChannelProtocol(msgspec.Struct, frozen=True, kw_only=True):
    """A channel subprotocol."""

    version: int
    base64: bool = False

    @property
    def half_close(self) -> bool:
        """Whether one channel can be closed alone. base64 cannot express it."""
        return self.version >= 5 and not self.base64


def channel_protocol(name: str | None) -> ChannelProtocol | None:
    """The channel protocol of that name, the first one for an empty name, or None for others."""
    if not name:
        return ChannelProtocol(version=1)
    match = _CHANNELS.fullmatch(name)
    if match is None:
        return None
    return ChannelProtocol(version=int(match[1] or 1), base64=match[2] is not None)


def choose_channels(offered: Sequence[str]) -> str | None:
    """The first offered channel protocol. "" if none was offered, None if none is known."""
    if not offered:
        return ""
    return next((name for name in offered if channel_protocol(name) is not None), None)


def new_key() -> str:
    """A client's nonce."""
    return base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def request_headers(key: str, offered: Sequence[str]) -> Headers:
    """The headers of a client's request."""
    more = {"sec-websocket-version": _VERSION, "sec-websocket-key": key}
    return upgrade_headers(WEBSOCKET, more | ({"sec-websocket-protocol": ", ".join(offered)} if offered else {}))


def offered_protocols(request: UpgradeRequest) -> list[str]:
    """The subprotocols that a client offers, in order of preference."""
    return request.values("sec-websocket-protocol")


def answer_headers(request: UpgradeRequest, chosen: str) -> Headers:
    """The headers of a server's 101. `chosen` is "" without an offer. Raises ProtocolError for a bad request."""
    keys, versions = request.values("sec-websocket-key"), request.values("sec-websocket-version")
    if request.method != "GET" or versions != [_VERSION] or len(keys) != 1:
        raise ProtocolError(f"a WebSocket handshake needs GET, version {_VERSION} and one key")
    more = {"sec-websocket-accept": _accept_key(keys[0])}
    return upgrade_headers(WEBSOCKET, more | ({"sec-websocket-protocol": chosen} if chosen else {}))


def chosen_protocol(response: Response, key: str, offered: Sequence[str]) -> str:
    """The protocol that the server's 101 names, or "". Raises ProtocolError if the 101 does not match the request."""
    if response.values("sec-websocket-accept") != [_accept_key(key)]:
        raise ProtocolError("the server's WebSocket handshake does not match the request")
    chosen = "".join(response.values("sec-websocket-protocol"))
    if chosen and chosen not in offered:
        raise ProtocolError(f"the server chose the WebSocket protocol {chosen!r}, which was not offered")
    return chosen


def _accept_key(key: str) -> str:
    """The answer to a client's key, which shows that the server speaks the protocol."""
    digest = hashlib.sha1((key + _ACCEPTED).encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()

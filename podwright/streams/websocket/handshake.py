"""The opening handshake of RFC 6455, and the subprotocols that Kubernetes has."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from websockets.utils import accept_key

from podwright.streams.errors import ProtocolError
from podwright.streams.upgrade import Headers, Response, UpgradeRequest, upgrade_headers

WEBSOCKET = "websocket"
TUNNEL_PREFIX = "SPDY/3.1+"  # what follows is the stream protocol that is spoken inside
TUNNEL = f"{TUNNEL_PREFIX}portforward.k8s.io"
_VERSION = "13"
_KEY_BYTES = 16
_CHANNELS = re.compile(r"(?:v([1-5])\.)?(base64\.)?channel\.k8s\.io")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelProtocol:
    """What a channel subprotocol's name says."""

    version: int
    base64: bool = False

    @property
    def half_close(self) -> bool:
        """Whether one channel can be closed alone; base64 has no form for it."""
        return self.version >= 5 and not self.base64


def channel_protocol(name: str | None) -> ChannelProtocol | None:
    """The channel protocol of that name; a client that names none means the first. None for other names."""
    if not name:
        return ChannelProtocol(version=1)
    match = _CHANNELS.fullmatch(name)
    if match is None:
        return None
    return ChannelProtocol(version=int(match[1] or 1), base64=match[2] is not None)


def choose_channels(offered: Sequence[str]) -> str | None:
    """The first offered name that is a channel protocol: "" when none was offered, None when none is known."""
    if not offered:
        return ""
    return next((name for name in offered if channel_protocol(name) is not None), None)


def new_key() -> str:
    """A client's nonce."""
    return base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def request_headers(key: str, offered: Sequence[str]) -> Headers:
    """A client's request."""
    more = {"sec-websocket-version": _VERSION, "sec-websocket-key": key}
    return upgrade_headers(WEBSOCKET, more | ({"sec-websocket-protocol": ", ".join(offered)} if offered else {}))


def offered_protocols(request: UpgradeRequest) -> list[str]:
    """The subprotocols that a client names, in the order of its preference."""
    return request.values("sec-websocket-protocol")


def answer_headers(request: UpgradeRequest, chosen: str) -> Headers:
    """A server's 101; `chosen` is "" when the client named no subprotocol. Raises ProtocolError for a bad request."""
    keys, versions = request.values("sec-websocket-key"), request.values("sec-websocket-version")
    if request.method != "GET" or versions != [_VERSION] or len(keys) != 1:
        raise ProtocolError(f"a WebSocket is asked for by GET, with version {_VERSION} and one key")
    more = {"sec-websocket-accept": accept_key(keys[0])}
    return upgrade_headers(WEBSOCKET, more | ({"sec-websocket-protocol": chosen} if chosen else {}))


def chosen_protocol(response: Response, key: str, offered: Sequence[str]) -> str:
    """What the server's 101 chose; "" when it names none. Raises ProtocolError when the 101 is not for this client."""
    if response.values("sec-websocket-accept") != [accept_key(key)]:
        raise ProtocolError("the server's WebSocket handshake does not fit ours")
    chosen = "".join(response.values("sec-websocket-protocol"))
    if chosen and chosen not in offered:
        raise ProtocolError(f"the server chose the WebSocket protocol {chosen!r}, which was not offered")
    return chosen

"""Opens SessionStreams for the URL of an exec or attach: connect, agree on a protocol, open the streams."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Sequence

from podwright.streams import negotiation
from podwright.streams.client.dial import StreamTransport, upgrade
from podwright.streams.client.link import SessionStreams
from podwright.streams.client.spdy_link import SpdyLink
from podwright.streams.client.websocket_link import WebSocketLink
from podwright.streams.errors import ProtocolError
from podwright.streams.remote_command.protocol import SPDY_PROTOCOLS, StreamType
from podwright.streams.websocket import handshake


async def open_link(
    url: str,
    streams: Iterable[StreamType],
    *,
    transport: StreamTransport,
    protocols: Sequence[str],
    tls: ssl.SSLContext | None = None,
) -> SessionStreams:
    """Offer these protocols, the preferred one first. Raises what `dial.upgrade` raises, and ProtocolError."""
    if transport is StreamTransport.WEBSOCKET:
        return await _open_websocket(url, streams, protocols, tls)
    return await _open_spdy(url, streams, protocols, tls)


async def _open_spdy(
    url: str, streams: Iterable[StreamType], offered: Sequence[str], tls: ssl.SSLContext | None
) -> SessionStreams:
    upgraded = await upgrade(url, "POST", negotiation.spdy_request_headers(offered), tls=tls)
    try:
        chosen = negotiation.spdy_chosen(upgraded.response, offered)
        if chosen is None:
            raise ProtocolError("the server chose none of the offered stream protocols")
        link = SpdyLink(upgraded.wire, SPDY_PROTOCOLS[chosen])
        await link.open(each for each in streams if each is not StreamType.RESIZE or link.version.has_resize)
    except BaseException:
        await upgraded.wire.close()
        raise
    return link


async def _open_websocket(
    url: str, streams: Iterable[StreamType], offered: Sequence[str], tls: ssl.SSLContext | None
) -> SessionStreams:
    key = handshake.new_key()
    upgraded = await upgrade(url, "GET", handshake.request_headers(key, offered), tls=tls)
    try:
        chosen = handshake.chosen_protocol(upgraded.response, key, offered)
        return WebSocketLink(upgraded.wire, chosen, streams)
    except BaseException:
        await upgraded.wire.close()
        raise

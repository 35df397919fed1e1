"""Forwards a client's request to the runtime's streaming server, and any answer to the client."""

from __future__ import annotations

from collections.abc import Iterable

from podwright.agent.server.auth.authentication import SUBPROTOCOL_PREFIX
from podwright.agent.server.http.messages import Answer, HttpResponse, Takeover
from podwright.agent.server.streaming.pump import pump
from podwright.streams import upgrade
from podwright.streams.client.dial import Upgraded, ask
from podwright.streams.negotiation import SPDY, VERSION_HEADER, spdy_request_headers
from podwright.streams.tunnel_wire import TunnelWire
from podwright.streams.upgrade import SWITCHING_PROTOCOLS
from podwright.streams.websocket import handshake
from podwright.streams.websocket.connection import SERVER, WebSocket
from podwright.streams.wire import Wire

# The headers of the request that the runtime needs. Credentials are for the agent only.
FORWARDED = frozenset({"upgrade", VERSION_HEADER, "sec-websocket-key", "sec-websocket-version"})
NOT_RETURNED = frozenset({"content-length", "transfer-encoding", "connection", "date", "content-type"})
PROTOCOL_HEADER = "sec-websocket-protocol"


async def forward(url: str, head: upgrade.UpgradeRequest, *, idle_timeout_s: float) -> Answer:
    """Ask the runtime for the client's upgrade, then copy bytes.

    Raises what `dial.ask` raises.
    """
    asked = await ask(url, head.method, _request_headers(head))
    if asked.response.status != SWITCHING_PROTOCOLS:
        return await _refusal(asked)

    async def session(client: Wire) -> None:
        try:
            await pump(client, asked.wire, idle_timeout_s=idle_timeout_s)
        finally:
            await asked.wire.close()

    return Takeover(headers=tuple(asked.response.headers), session=session, abandon=asked.wire.close)


async def forward_tunnel(url: str, head: upgrade.UpgradeRequest, *, idle_timeout_s: float) -> Answer:
    """Connect the SPDY connection in the client's WebSocket to a SPDY connection of the runtime.

    Raises as `forward`.
    """
    tunnels = [name for name in handshake.offered_protocols(head) if is_tunnel(name)]
    inner = [name.removeprefix(handshake.TUNNEL_PREFIX) for name in tunnels]
    asked = await ask(url, "POST", spdy_request_headers(inner))
    if asked.response.status != SWITCHING_PROTOCOLS:
        return await _refusal(asked)
    try:
        chosen = (asked.response.values(VERSION_HEADER) or inner)[0]
        headers = handshake.answer_headers(head, f"{handshake.TUNNEL_PREFIX}{chosen}")
    except BaseException:
        await asked.wire.close()
        raise

    async def session(client: Wire) -> None:
        tunnel = TunnelWire(client, WebSocket(SERVER))
        try:
            await pump(tunnel, asked.wire, idle_timeout_s=idle_timeout_s)
        finally:
            await asked.wire.close()
            await tunnel.close()

    return Takeover(headers=tuple(headers), session=session, abandon=asked.wire.close)


def is_tunnel(name: str) -> bool:
    """Whether a WebSocket subprotocol carries a SPDY connection of Kubernetes."""
    return name.startswith(handshake.TUNNEL_PREFIX) and name.endswith(".k8s.io")


def asks_for_upgrade(head: upgrade.UpgradeRequest) -> bool:
    """Whether the client wants one of the protocols that carry streams."""
    return head.asks_for(SPDY) or head.asks_for(handshake.WEBSOCKET)


def _request_headers(head: upgrade.UpgradeRequest) -> list[tuple[str, str]]:
    kept = [("connection", "Upgrade"), *(pair for pair in head.headers if pair[0] in FORWARDED)]
    protocols = [name for name in handshake.offered_protocols(head) if not name.startswith(SUBPROTOCOL_PREFIX)]
    return [*kept, (PROTOCOL_HEADER, ", ".join(protocols))] if protocols else kept


async def _refusal(asked: Upgraded) -> HttpResponse:
    await asked.wire.close()
    response = asked.response
    return HttpResponse(
        status=response.status,
        body=response.body.encode(),
        headers=_returned(response.headers),
    )


def _returned(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in headers if pair[0] not in NOT_RETURNED)

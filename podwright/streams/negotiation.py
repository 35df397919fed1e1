"""Which SPDY stream protocol two sides speak: the client names what it can do, the server takes the first it knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from podwright.streams.upgrade import Headers, Response, UpgradeRequest, upgrade_headers

SPDY = "SPDY/3.1"
VERSION_HEADER = "x-stream-protocol-version"
ACCEPTED_HEADER = "x-accepted-stream-protocol-versions"

PORT_FORWARD = "portforward.k8s.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeRefusal:
    """What the server says to a request that it cannot take."""

    status: int
    message: str
    headers: tuple[tuple[str, str], ...] = ()


def choose(offered: Sequence[str], known: Sequence[str]) -> str | None:
    """The first of the client's names that the server knows."""
    return next((name for name in offered if name in known), None)


def choose_spdy(request: UpgradeRequest, known: Sequence[str]) -> str | UpgradeRefusal:
    """The stream protocol for a SPDY upgrade, or why not: 400 when none was named, 403 when none is known."""
    offered = request.values(VERSION_HEADER)
    if not offered:
        return UpgradeRefusal(status=400, message=f"the request names no protocol in {VERSION_HEADER}")
    chosen = choose(offered, known)
    if chosen is not None:
        return chosen
    accepted = tuple((ACCEPTED_HEADER, name) for name in known)
    message = f"none of the protocols {', '.join(offered)} is known; known are {', '.join(known)}"
    return UpgradeRefusal(status=403, message=message, headers=accepted)


def spdy_request_headers(offered: Sequence[str]) -> Headers:
    """A client's request, its names in the order of its preference."""
    return [*upgrade_headers(SPDY), *((VERSION_HEADER, name) for name in offered)]


def spdy_answer_headers(chosen: str) -> Headers:
    """A server's 101."""
    return upgrade_headers(SPDY, {VERSION_HEADER: chosen})


def spdy_chosen(response: Response, offered: Sequence[str]) -> str | None:
    """What the server chose, when its 101 says so and it was offered; some proxies drop the header of a lone offer."""
    named = response.values(VERSION_HEADER)
    if not named and len(offered) == 1:
        return offered[0]
    return choose(named, offered)

"""The choice of a SPDY stream protocol: the client offers names, and the server takes the first that it knows."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from podwright.streams.upgrade import Headers, Response, UpgradeRequest, upgrade_headers

SPDY = "SPDY/3.1"
VERSION_HEADER = "x-stream-protocol-version"
ACCEPTED_HEADER = "x-accepted-stream-protocol-versions"

PORT_FORWARD = "portforward.k8s.io"


class UpgradeRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """The server's answer to a request that it rejects."""

    status: int
    message: str
    headers: tuple[tuple[str, str], ...] = ()


def choose(offered: Sequence[str], known: Sequence[str]) -> str | None:
    """The first of the client's names that the server knows."""
    return next((name for name in offered if name in known), None)


def choose_spdy(request: UpgradeRequest, known: Sequence[str]) -> str | UpgradeRefusal:
    """The stream protocol for a SPDY upgrade, or a refusal: 400 if none was offered, 403 if none is known."""
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
    """The headers of a client's request, with names in order of preference."""
    return [*upgrade_headers(SPDY), *((VERSION_HEADER, name) for name in offered)]


def spdy_answer_headers(chosen: str) -> Headers:
    """The headers of a server's 101."""
    return upgrade_headers(SPDY, {VERSION_HEADER: chosen})


def spdy_chosen(response: Response, offered: Sequence[str]) -> str | None:
    """The protocol that the server's 101 names, if it was offered.

    Some proxies drop the header if there was one offer.
    """
    named = response.values(VERSION_HEADER)
    if not named and len(offered) == 1:
        return offered[0]
    return choose(named, offered)

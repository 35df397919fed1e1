"""Finds the handler of a path and method. Pure.

A pattern such as `/run/{namespace}/{name}` names parts of the path. A pattern that ends with `/*` matches every path
below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from podwright.agent.server.http.messages import Handler, HttpResponse, text

ANY: frozenset[str] = frozenset()


class HttpRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A route. Empty `methods` match all."""

    pattern: str
    handler: Handler
    methods: frozenset[str] = frozenset({"GET"})


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """A route's handler and the parts of the path that its pattern names."""

    handler: Handler
    places: Mapping[str, str]


class Router:
    """The first route whose pattern and methods match gets the request."""

    def __init__(self, routes: Iterable[HttpRoute]) -> None:
        self._routes = [(route, tuple(route.pattern.strip("/").split("/"))) for route in routes]

    def paths(self) -> list[str]:
        """The patterns, sorted."""
        return sorted({route.pattern for route, _ in self._routes})

    def find(self, method: str, path: str) -> Match | HttpResponse:
        """A match, or the refusal: 404, or 405 for a path with other methods."""
        # Only one extra slash is allowed, at the end: authorization sees the same path, and must find the same
        # meaning.
        parts = tuple(path.removeprefix("/").removesuffix("/").split("/"))
        allowed: set[str] = set()
        for route, pattern in self._routes:
            places = _places(pattern, parts)
            if places is None:
                continue
            if not route.methods or method in route.methods:
                return Match(handler=route.handler, places=places)
            allowed |= route.methods
        if allowed:
            return text("405: Method Not Allowed", 405, headers=(("allow", ", ".join(sorted(allowed))),))
        return text("404: Page Not Found", 404)


def _places(pattern: tuple[str, ...], parts: tuple[str, ...]) -> dict[str, str] | None:
    if pattern[-1] == "*":
        parts = (*parts[: len(pattern) - 1], "/".join(parts[len(pattern) - 1 :]))
    if len(pattern) != len(parts):
        return None
    places: dict[str, str] = {}
    for name, part in zip(pattern, parts, strict=True):
        if name == "*":
            places["rest"] = part
        elif name.startswith("{") and part:
            places[name[1:-1]] = part
        elif name != part:
            return None
    return places

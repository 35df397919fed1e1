"""Paths and methods to handlers. Pure.

A pattern such as `/run/{namespace}/{name}` names parts of the path. One that ends with `/*` takes every path below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from podwright.agent.server.http.messages import Handler, HttpResponse, text

ANY: frozenset[str] = frozenset()


class HttpRoute(msgspec.Struct, frozen=True, kw_only=True):
    """`methods` is empty for all of them."""

    pattern: str
    handler: Handler
    methods: frozenset[str] = frozenset({"GET"})


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """A route's handler and the parts of the path that its pattern names."""

    handler: Handler
    places: Mapping[str, str]


class Router:
    """The first route whose pattern and methods fit has the request."""

    def __init__(self, routes: Iterable[HttpRoute]) -> None:
        self._routes = [(route, tuple(route.pattern.strip("/").split("/"))) for route in routes]

    def paths(self) -> list[str]:
        """The patterns, sorted."""
        return sorted({route.pattern for route, _ in self._routes})

    def find(self, method: str, path: str) -> Match | HttpResponse:
        """A match, or the refusal: 404, and 405 for a path that is there for other methods."""
        # Only one slash may be too many, at the end: authorization looks at the same path, and must mean the same.
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

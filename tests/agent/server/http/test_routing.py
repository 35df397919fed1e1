"""Paths to handlers."""

from __future__ import annotations

import pytest

from podwright.agent.server.http.messages import Answer, HttpRequest, HttpResponse, text
from podwright.agent.server.http.routing import ANY, HttpRoute, Match, Router


async def handler(request: HttpRequest) -> Answer:
    return text(request.path)


ROUTER = Router(
    [
        HttpRoute(pattern="/pods", handler=handler),
        HttpRoute(pattern="/run/{namespace}/{pod}/{container}", handler=handler, methods=frozenset({"POST"})),
        HttpRoute(pattern="/run/{namespace}/{pod}/{uid}/{container}", handler=handler, methods=frozenset({"POST"})),
        HttpRoute(pattern="/logs/*", handler=handler),
        HttpRoute(pattern="/configz", handler=handler, methods=ANY),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "places"),
    [
        ("GET", "/pods", {}),
        ("GET", "/pods/", {}),
        ("POST", "/run/ns/web/main", {"namespace": "ns", "pod": "web", "container": "main"}),
        ("POST", "/run/ns/web/1-2/main", {"namespace": "ns", "pod": "web", "uid": "1-2", "container": "main"}),
        ("GET", "/logs", {"rest": ""}),
        ("GET", "/logs/", {"rest": ""}),
        ("GET", "/logs/pods/a.log", {"rest": "pods/a.log"}),
        ("PATCH", "/configz", {}),
    ],
)
def test_what_is_found(method: str, path: str, places: dict[str, str]) -> None:
    found = ROUTER.find(method, path)
    assert isinstance(found, Match)
    assert found.places == places


@pytest.mark.parametrize(
    ("method", "path", "status", "headers"),
    [
        ("GET", "/", 404, ()),
        ("GET", "/none", 404, ()),
        ("POST", "/run/ns/web", 404, ()),
        ("POST", "/run//web/main", 404, ()),
        ("GET", "//pods", 404, ()),
        ("GET", "/pods//", 404, ()),
        ("GET", "/./pods", 404, ()),
        ("POST", "/pods", 405, (("allow", "GET"),)),
        ("GET", "/run/ns/web/main", 405, (("allow", "POST"),)),
    ],
)
def test_what_is_refused(method: str, path: str, status: int, headers: tuple[tuple[str, str], ...]) -> None:
    found = ROUTER.find(method, path)
    assert isinstance(found, HttpResponse)
    assert (found.status, found.headers) == (status, headers)

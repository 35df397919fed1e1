"""No way of writing a path leads to a handler past the authorization of that handler."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.server.auth.attributes import accesses
from podwright.agent.server.http.messages import Answer, HttpRequest, text
from podwright.agent.server.http.routing import ANY, HttpRoute, Match, Router
from podwright.streams import upgrade

PATTERNS = (
    "/healthz",
    "/healthz/{check}",
    "/pods",
    "/runningpods",
    "/configz",
    "/stats/summary",
    "/metrics",
    "/metrics/cadvisor",
    "/logs/*",
    "/checkpoint/{namespace}/{pod}/{container}",
    "/statusz",
    "/flagz",
    "/exec/{namespace}/{pod}/{container}",
    "/containerLogs/{namespace}/{pod}/{container}",
    "/debug/flags/v",
)
WORDS = (
    "",
    ".",
    "..",
    "pods",
    "stats",
    "summary",
    "metrics",
    "logs",
    "healthz",
    "configz",
    "exec",
    "a",
    "%2f",
    "?",
    "\0",
)


def handler_of(pattern: str) -> HttpRoute:
    async def handler(_: HttpRequest) -> Answer:
        return text(pattern)

    handler.__name__ = pattern
    return HttpRoute(pattern=pattern, handler=handler, methods=ANY)


ROUTER = Router([handler_of(pattern) for pattern in PATTERNS])


def subresource(path: str) -> str:
    """What is asked for last, and suffices for no other family of paths."""
    return accesses("GET", path, "n")[-1].subresource


@given(st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=4)), max_size=6), st.booleans())
def test_what_is_routed_is_what_was_authorized(parts: list[str], is_quoted: bool) -> None:
    target = "/" + "/".join(quote(part) if is_quoted else part for part in parts)
    path = HttpRequest(head=upgrade.UpgradeRequest(method="GET", target=target, headers=())).path
    found = ROUTER.find("GET", path)
    if isinstance(found, Match):
        pattern = found.handler.__name__
        assert subresource(path) == subresource(pattern.replace("*", "x"))

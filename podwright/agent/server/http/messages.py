"""Requests and answers, as handlers see them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import parse_qs, unquote

import msgspec

from podwright.streams import upgrade
from podwright.streams.wire import Wire

PLAIN = "text/plain; charset=utf-8"
JSON = "application/json"
PARAMETERS_LIMIT = 10_000  # each word of a command is one

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)  # without slots: the query is parsed once, when it is first read
class HttpRequest:
    """One request. `head` has its header names in lower case. `certificate` is the client's, as `ssl` describes it.

    `places` has the parts of the path that the route names.
    """

    head: upgrade.UpgradeRequest
    certificate: Mapping[str, object] | None = None
    body: bytes = b""
    places: Mapping[str, str] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """The method in capitals."""
        return self.head.method

    @cached_property
    def path(self) -> str:
        """The path without the query, and without escapes."""
        return unquote(self.head.target.partition("?")[0])

    @cached_property
    def query(self) -> Mapping[str, list[str]]:
        """The parameters of the URL with all their values. Raises ValueError for more than PARAMETERS_LIMIT."""
        text = self.head.target.partition("?")[2]
        return parse_qs(text, keep_blank_values=True, max_num_fields=PARAMETERS_LIMIT)

    def parameter(self, name: str) -> str:
        """The first value of a parameter, or an empty text."""
        values = self.query.get(name)
        return values[0] if values else ""

    def header(self, name: str) -> str:
        """The first line of a header, or an empty text."""
        return next((value for each, value in self.head.headers if each == name), "")


class HttpResponse(msgspec.Struct, frozen=True, kw_only=True):
    """An answer. A body in parts is sent part by part (chunked)."""

    status: int = 200
    body: bytes | AsyncIterator[bytes] = b""
    content_type: str = PLAIN
    headers: Headers = ()


class Takeover(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the protocol: the answer is 101 with these headers, then `session` gets the wire.

    If the 101 cannot be sent, `abandon` undoes what was made for the session.
    """

    headers: Headers
    session: Callable[[Wire], Awaitable[None]]
    abandon: Callable[[], Awaitable[None]]


Answer = HttpResponse | Takeover
Handler = Callable[[HttpRequest], Awaitable[Answer]]


def text(body: str, status: int = 200, *, headers: Headers = ()) -> HttpResponse:
    """An answer in plain text."""
    return HttpResponse(status=status, body=body.encode(), headers=headers)


def json(body: bytes) -> HttpResponse:
    """An answer in JSON."""
    return HttpResponse(body=body, content_type=JSON)

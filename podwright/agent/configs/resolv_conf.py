"""Parses the parts of a resolv.conf (resolv.conf(5)) that pods inherit. Pure."""

from __future__ import annotations

import msgspec

from podwright.errors import InvalidArgument

LIMIT_BYTES = 10 * 1024 * 1024


class Resolver(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of a resolv.conf."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def parse_resolv_conf(text: str) -> Resolver:
    """Parse a file. All servers count, but only the last `search` line, and the last option of each name.

    The final dot of a search domain is removed, so that no domain appears twice. Raises InvalidArgument for a
    `nameserver` line without an address.
    """
    servers: list[str] = []
    searches: list[str] = []
    options: dict[str, str] = {}
    for line in text.split("\n"):
        keyword, *values = line.split() or ["#"]
        if keyword == "nameserver":
            if not values:
                raise InvalidArgument("nameserver list is empty")
            servers.append(values[0])
        elif keyword == "search":
            searches = [value.removesuffix(".") for value in values if value != "."]
        elif keyword == "options":
            options.update({value.partition(":")[0]: value for value in values})
    return Resolver(servers=tuple(servers), searches=tuple(searches), options=tuple(options.values()))

"""Which HTTP proxy a request goes through, as the environment says it to most programs of this field. Pure.

HTTP_PROXY and HTTPS_PROXY by the URL's scheme, NO_PROXY for those that go directly: names with all below them (only
those below with a leading dot), addresses, networks, each with a port if need be, or `*`. Capitals go first.
Loopback never goes through a proxy.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

PORTS = {"http": 80, "https": 443}


def choose(url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy's URL; None to go directly. Raises ValueError, in which no secret is, for what is no proxy."""
    parts = urlsplit(url)
    variable = f"{parts.scheme}_proxy"
    proxy = _value(variable, environ)
    if not proxy or is_loopback(parts.hostname or "") or _goes_directly(parts, _value("no_proxy", environ)):
        return None
    whole = proxy if "://" in proxy else f"http://{proxy}"
    if urlsplit(whole).scheme not in PORTS or not urlsplit(whole).hostname:
        raise ValueError(f"{variable.upper()} is not the http:// or https:// URL of a proxy")
    return whole


def is_loopback(name: str) -> bool:
    """Whether a host without its port is this machine."""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _value(name: str, environ: Mapping[str, str]) -> str:
    return (environ.get(name.upper()) or environ.get(name) or "").strip()


def _goes_directly(parts: SplitResult, exceptions: str) -> bool:
    name = (parts.hostname or "").rstrip(".").lower()
    port = parts.port or PORTS.get(parts.scheme)
    return any(_matches(name, port, entry.strip().lower()) for entry in exceptions.split(",") if entry.strip())


def _matches(name: str, port: int | None, entry: str) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        return _is_in_network(name, entry)
    host, colon, wanted_port = entry.rpartition(":")
    if colon and wanted_port.isdecimal() and (host.startswith("[") or ":" not in host):
        if int(wanted_port) != port:
            return False
        entry = host
    entry = entry.strip("[]")
    if entry.startswith(("*.", ".")):
        return name.endswith(entry.removeprefix("*"))
    return name == entry or (name.endswith(f".{entry}") and not _is_address(name))


def _is_in_network(name: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(name) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False

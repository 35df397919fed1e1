"""The HTTP proxy for a request, from the usual environment variables. Pure.

HTTP_PROXY and HTTPS_PROXY apply by the URL's scheme. NO_PROXY lists exceptions: `*`, or names (with subdomains, or
only those with a leading dot), addresses and networks, each with an optional port. Upper case names come first.
Loopback never uses a proxy.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

PORTS = {"http": 80, "https": 443}


def choose(url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy's URL, or None to connect directly. Raises ValueError without secrets for an invalid proxy."""
    parts = urlsplit(url)
    variable = f"{parts.scheme}_proxy"
    proxy = _value(variable, environ)
    if not proxy or is_loopback(parts.hostname or "") or _goes_directly(parts, _value("no_proxy", environ)):
        return None
    whole = proxy if "://" in proxy else f"http://{proxy}"
    if not _is_proxy(whole):
        raise ValueError(f"{variable.upper()} is not the http:// or https:// URL of a proxy")
    return whole


def _is_proxy(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in PORTS and parts.port != 0 and bool(parts.hostname)
    except ValueError:  # an invalid IPv6 address or port
        return False


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

"""The servers for an image, from containerd's `certs.d/<host>/hosts.toml`, which is read again at each pull.

See containerd's docs/hosts.md for the keys. Mirrors come in the file's order, the registry itself (`server`) last.
"""

from __future__ import annotations

import os
import re
import tomllib
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec

from podwright.errors import FailedPrecondition, reason
from podwright.proxies import is_loopback

DOCKER_SERVER = "registry-1.docker.io"
CAPABILITIES = frozenset({"pull", "resolve", "push", "referrers"})
_DURATION = re.compile(r"([0-9.]+)(ms|s|m|h)")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class RegistryHost(msgspec.Struct, frozen=True, kw_only=True):
    """One server. `url` has no trailing slash and includes `/v2` unless the configuration overrides the path.

    `origin` distinguishes the registry itself from its mirrors. With `tls_fallback`, plain HTTP was a guess for
    loopback, so HTTPS may be tried if the server does not understand it.
    """

    url: str
    origin: bool
    capabilities: frozenset[str] = CAPABILITIES
    ca: tuple[str, ...] = ()
    client: tuple[tuple[str, str], ...] = ()  # (certificate, key); key "": both are in one file
    skip_verify: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    dial_timeout_s: float | None = None
    tls_fallback: bool = False

    @property
    def name(self) -> str:
        """Host and port, for messages and credentials."""
        return place_of(self.url)


def place_of(url: str) -> str:
    """Host and port of a URL, without user and password."""
    return urlsplit(url).netloc.rpartition("@")[2]


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """The origin of a setting, for messages and relative paths."""

    folder: str
    host: str
    certificates: dict[str, Any] = msgspec.field(default_factory=dict)


def load(config_path: str, host: str) -> list[RegistryHost]:
    """The servers for a registry host, from its folder under `config_path`. Raises FailedPrecondition."""
    folder = next((path for path in candidates(config_path, host) if os.path.isdir(path)), None)
    if folder is None:
        return [_origin(host, {}, _Place(folder="", host=host))]
    path = f"{folder}/hosts.toml"
    try:
        with open(path, "rb") as file:
            document = tomllib.load(file)
    except FileNotFoundError:
        return [_origin(host, _certificates(folder), _Place(folder=folder, host=host))]
    except (OSError, tomllib.TOMLDecodeError) as failure:
        raise FailedPrecondition(f"{path}: {reason(failure, path=path)}") from failure
    return parse(document, folder, host)


def candidates(config_path: str, host: str) -> list[str]:
    """The folders that may configure a host, the most specific first."""
    if not config_path:
        return []
    name, colon, port = host.rpartition(":")
    names = [f"{name}_{port}_"] if colon and port.isdigit() else []
    return [f"{config_path}/{entry}" for entry in (*names, host, "_default")]


def parse(document: dict[str, Any], folder: str, host: str) -> list[RegistryHost]:
    """The servers that a hosts.toml configures for `host`. Raises FailedPrecondition for values of the wrong type."""
    place = _Place(folder=folder, host=host)
    mirrors = _typed(document, "host", dict, place) or {}
    found = []
    for url, settings in mirrors.items():
        if not isinstance(settings, dict):
            raise _wrong(place, f'host."{url}"')
        found.append(_host(url, settings, place, origin=False))
    return [*found, _origin(host, document, place)]


def _origin(host: str, settings: dict[str, Any], place: _Place) -> RegistryHost:
    server = _typed(settings, "server", str, place)
    return _host(server or (DOCKER_SERVER if host == "docker.io" else host), settings, place, origin=True)


def _host(url: str, settings: dict[str, Any], place: _Place, *, origin: bool) -> RegistryHost:
    guessed = "://" not in url
    if guessed:
        url = f"{'http' if is_plain_loopback(url) else 'https'}://{url}"
    parts = _server_url(url, place)
    path = parts.path.rstrip("/")
    if not _typed(settings, "override_path", bool, place) and not path.endswith("/v2"):
        path += "/v2"
    capabilities = _typed(settings, "capabilities", list, place)
    return RegistryHost(
        url=f"{parts.scheme}://{parts.netloc}{path}",
        origin=origin,
        capabilities=CAPABILITIES if capabilities is None else frozenset(map(str, capabilities)),
        ca=_paths(settings, "ca", place),
        client=_client(settings, place),
        skip_verify=bool(_typed(settings, "skip_verify", bool, place)),
        headers=_headers(settings, place),
        dial_timeout_s=_duration(settings, "dial_timeout", place),
        tls_fallback=guessed and parts.scheme == "http",
    )


def _server_url(url: str, place: _Place) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # invalid brackets or port
        usable = False
    if "@" in url:
        shown = url.rpartition("@")[2]
        why = f"{place.folder}/hosts.toml: the URL of {shown!r} has a user in it, which everybody would see"
        raise FailedPrecondition(why, hint="keep logins in Docker's config file")
    if not usable:
        raise FailedPrecondition(f"{place.folder}/hosts.toml: {url!r} is not the URL of a server")
    return parts


def is_plain_loopback(netloc: str) -> bool:
    """Whether plain HTTP is the convention for this host: loopback, on a port other than HTTPS's."""
    parts = urlsplit(f"//{netloc}")
    try:
        return is_loopback(parts.hostname or "") and parts.port is not None and parts.port != 443
    except ValueError:  # an invalid port, which is rejected when the URL is built
        return False


def _certificates(folder: str) -> dict[str, Any]:
    """Docker's convention for a folder without hosts.toml: *.crt are authorities, *.cert and *.key client keys."""
    names = sorted(os.listdir(folder))
    pairs = [(f"{name[:-5]}.cert", f"{name[:-5]}.key") for name in names if name.endswith(".cert")]
    return {
        "ca": [name for name in names if name.endswith(".crt")],
        "client": [list(pair) for pair in pairs if pair[1] in names],
    }


def _wrong(place: _Place, key: str) -> FailedPrecondition:
    return FailedPrecondition(f"{place.folder}/hosts.toml: {key} has a value of the wrong type")


def _typed(settings: dict[str, Any], key: str, kind: type, place: _Place) -> Any:
    value = settings.get(key)
    if value is not None and not isinstance(value, kind):
        raise _wrong(place, key)
    return value


def _paths(settings: dict[str, Any], key: str, place: _Place) -> tuple[str, ...]:
    value = settings.get(key, [])
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(path, str) for path in listed):
        raise _wrong(place, key)
    return tuple(os.path.join(place.folder, path) for path in listed)


def _client(settings: dict[str, Any], place: _Place) -> tuple[tuple[str, str], ...]:
    """`client` is a file, a list of files, or a list of [certificate, key] pairs."""
    value = settings.get("client", [])
    pairs = []
    for item in [value] if isinstance(value, str) else value:
        pair = [item, ""] if isinstance(item, str) else item
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(path, str) for path in pair):
            raise _wrong(place, "client")
        pairs.append((os.path.join(place.folder, pair[0]), os.path.join(place.folder, pair[1]) if pair[1] else ""))
    return tuple(pairs)


def _headers(settings: dict[str, Any], place: _Place) -> tuple[tuple[str, str], ...]:
    found = []
    for name, value in (_typed(settings, "header", dict, place) or {}).items():
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, str) or not item.isprintable():
                raise _wrong(place, f"header.{name}")
            found.append((name, item))
    return tuple(found)


def _duration(settings: dict[str, Any], key: str, place: _Place) -> float | None:
    """A duration in Go's format, such as "10s" or "1m30s", in seconds."""
    text = _typed(settings, key, str, place)
    if not text:
        return None
    if re.fullmatch(rf"(?:{_DURATION.pattern})+", text) is None:
        raise _wrong(place, key)
    try:
        return sum(float(number) * _UNITS_S[unit] for number, unit in _DURATION.findall(text))
    except ValueError as failure:
        raise _wrong(place, key) from failure

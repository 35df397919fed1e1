"""WWW-Authenticate headers (RFC 9110, section 11) and the credentials for them. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import msgspec

from podwright.errors import InvalidArgument
from podwright.runtime.model.image import RegistryAuth

DOCKER_HOSTS = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
SECRET_BYTES = 4  # a shorter secret would match ordinary text
_SCHEME = re.compile(r"[\s,]*([A-Za-z][A-Za-z0-9_-]*)(?=\s|,|$)(?!\s*=)")
_PARAMETER = re.compile(r'[\s,]*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """One method of authentication that a server offers. `scheme` and the parameters' names are in lower case."""

    scheme: str
    parameters: dict[str, str] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCredentials:
    """Credentials for one server. With `secret` and no `username`, the secret is a refresh token.

    `bearer` is a token to send unchanged. `missing` says why there are no credentials, if some were expected.
    """

    username: str = ""
    secret: str = field(default="", repr=False)
    bearer: str = field(default="", repr=False)
    missing: str = ""

    def basic(self) -> str:
        """The value of an Authorization header. Empty without a username."""
        if not self.username:
            return ""
        return "Basic " + base64.b64encode(f"{self.username}:{self.secret}".encode()).decode("ascii")


def hidden(text: str, secrets: Iterable[str]) -> str:
    """The text with secrets removed, because some servers repeat what they were sent."""
    for secret in sorted({one for one in secrets if len(one) >= SECRET_BYTES}, key=len, reverse=True):
        text = text.replace(secret, "...")
    return text


def parse(headers: Iterable[str]) -> list[Challenge]:
    """All challenges in all headers. Unreadable ones are skipped."""
    found = []
    for text in headers:
        position = 0
        while scheme := _SCHEME.match(text, position):
            position = scheme.end()
            parameters: dict[str, str] = {}
            while parameter := _PARAMETER.match(text, position):
                name, quoted, token = parameter.groups()
                value = token if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
                parameters.setdefault(name.lower(), value)
                position = parameter.end()
            found.append(Challenge(scheme=scheme[1].lower(), parameters=parameters))
    return found


def preferred(challenges: list[Challenge]) -> Challenge | None:
    """Bearer before Basic. None if neither is offered."""
    for scheme in ("bearer", "basic"):
        for challenge in challenges:
            if challenge.scheme == scheme and (scheme == "basic" or challenge.parameters.get("realm")):
                return challenge
    return None


def scopes(challenge: Challenge, repository: str) -> list[str]:
    """The scopes of the token to request: what the server names, and pull."""
    asked = challenge.parameters.get("scope", "").split(" ")
    return sorted({*filter(None, asked), f"repository:{repository}:pull"})


def credentials_for(auth: RegistryAuth | None, registry_host: str) -> ServerCredentials:
    """The part of CRI's AuthConfig that is for the registry. Raises InvalidArgument.

    As in containerd, credentials that name another server are ignored.
    """
    if auth is None or not _same_server(auth.server_address, registry_host):
        return ServerCredentials()
    if auth.username or auth.password:
        return ServerCredentials(username=auth.username, secret=auth.password)
    if auth.identity_token:
        return ServerCredentials(secret=auth.identity_token)
    if auth.auth:
        try:
            decoded = base64.b64decode(auth.auth, validate=True).decode()
        except ValueError as failure:  # not base64, not ASCII, or not UTF-8 inside
            raise InvalidArgument("the registry credentials' `auth` is not base64 of user:password") from failure
        username, colon, password = decoded.partition(":")
        if not colon:
            raise InvalidArgument("the registry credentials' `auth` has no colon")
        return ServerCredentials(username=username, secret=password.strip("\0"))
    if not auth.registry_token.isprintable():
        raise InvalidArgument("the registry credentials' `registry_token` is not a token")
    return ServerCredentials(bearer=auth.registry_token)


def _same_server(address: str, registry_host: str) -> bool:
    if not address:
        return True
    netloc = urlsplit(address if "://" in address else f"//{address}").netloc
    return netloc == registry_host or {netloc, registry_host} <= DOCKER_HOSTS

"""An API server's address and authorities, and our identity. Values and a protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One server: `url` with an optional path before all others.

    `authorities` is PEM (empty: those of the system), `server_name` the name that the certificate must have when it is
    not the URL's, `proxy_url` empty when the environment decides (HTTPS_PROXY, NO_PROXY).
    """

    url: str
    authorities: bytes = b""
    server_name: str = ""
    insecure: bool = False
    proxy_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A client certificate with its chain, and its private key: PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Our identity now: headers for every request, and the certificate of the connection."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    key_pair: KeyPair | None = None


class Credentials(Protocol):
    """Our identity over time: tokens and certificates are renewed while the client runs."""

    async def identity(self) -> Identity:
        """Asked before every request, so that it has to be quick as a rule. Raises PodwrightError.

        A change of the key pair makes the client open new connections.
        """

    def refused(self, identity: Identity) -> bool:
        """The server has refused this identity. Returns whether `identity` may give another one."""

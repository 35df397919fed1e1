"""Docker's config file (`~/.docker/config.json`), podman's (`auth.json`) and Kubernetes' secrets of these kinds. Pure.

An entry may be for a registry, or for a part of one (`registry/user`). The most specific one counts.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

DOCKER_HUB = "docker.io"
DOCKER_HUB_NAMES = frozenset({"index.docker.io", "registry-1.docker.io", "docker.io"})
DOCKER_HUB_SERVER = "https://index.docker.io/v1/"  # Docker Hub's key in files and for helpers
HELPER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What one entry grants: `host` may have `*` for a label, `path` is a repository prefix."""

    host: str
    path: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    def covers(self, host: str, repository: str) -> bool:
        """Whether the entry is meant for this repository."""
        pattern, labels = self.host.split("."), host.split(".")
        if len(pattern) != len(labels):
            return False
        if not all(fnmatch.fnmatchcase(label, part) for label, part in zip(labels, pattern, strict=True)):
            return False
        return not self.path or repository == self.path or repository.startswith(self.path + "/")


class LoginFile(msgspec.Struct, frozen=True, kw_only=True):
    """A complete file: its entries, and the helper programs for one host or for all."""

    credentials: tuple[Credential, ...] = ()
    helpers: Mapping[str, str] = msgspec.field(default_factory=dict)
    store: str = ""

    def helper_for(self, host: str) -> str:
        """The helper program for a host, or "" if the file itself has the login."""
        return self.helpers.get(host, self.store)


def image_repository(image: str) -> tuple[str, str]:
    """(registry host, repository) of an image's name. Docker Hub without a host."""
    name = image.partition("@")[0]
    first, slash, rest = name.partition("/")
    if not slash or ("." not in first and ":" not in first and first != "localhost"):
        first, rest = DOCKER_HUB, name if slash else f"library/{name}"
    last = rest.rpartition("/")[2]
    return first, rest[: len(rest) - len(last)] + last.partition(":")[0]


def parse(data: bytes) -> LoginFile | None:
    """A file in any of the formats, or None. Unreadable entries are skipped."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    helpers = document.get("credHelpers")
    named = {"auths", "credHelpers", "credsStore"} & document.keys()
    entries = document.get("auths") if named else document  # Kubernetes' older secrets have the entries alone
    return LoginFile(
        credentials=_credentials(entries if isinstance(entries, dict) else {}),
        helpers={
            _host_and_path(server)[0]: name
            for server, name in (helpers if isinstance(helpers, dict) else {}).items()
            if _is_helper(name)
        },
        store=document["credsStore"] if _is_helper(document.get("credsStore")) else "",
    )


def matching(credentials: Iterable[Credential], host: str, repository: str) -> list[Credential]:
    """The credentials for the repository, the most specific first. Equals stay in order."""
    host = DOCKER_HUB if host in DOCKER_HUB_NAMES else host
    fitting = [credential for credential in credentials if credential.covers(host, repository)]
    return sorted(fitting, key=lambda credential: (len(credential.path), len(credential.host)), reverse=True)


def _is_helper(name: object) -> bool:
    return isinstance(name, str) and HELPER_NAME.fullmatch(name) is not None


def _credentials(entries: Mapping[str, Any]) -> tuple[Credential, ...]:
    found = (_credential(server, entry) for server, entry in entries.items() if isinstance(entry, dict))
    return tuple(credential for credential in found if credential is not None)


def _credential(server: str, entry: dict[str, Any]) -> Credential | None:
    username, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if entry.get("auth"):
        try:
            decoded = base64.b64decode(str(entry["auth"])).decode()
        except (binascii.Error, ValueError):
            return None
        username, _, password = decoded.partition(":")
    token = str(entry.get("identitytoken") or "")
    if not (username or token):
        return None
    host, path = _host_and_path(server)
    return Credential(host=host, path=path, username=username, password=password.rstrip("\0"), identity_token=token)


def _host_and_path(server: str) -> tuple[str, str]:
    """`https://host/v1/`, `host` and `host/path` are all in use as keys."""
    host, _, path = (server.partition("://")[2] if "://" in server else server).partition("/")
    path = path.strip("/")
    return DOCKER_HUB if host in DOCKER_HUB_NAMES else host, "" if path in ("v1", "v2") else path

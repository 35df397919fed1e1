"""Registry credentials from Docker configs: pull secrets in the manifest's file, then the user's own. Pure.

Formats: `kubernetes.io/dockerconfigjson` and the older `kubernetes.io/dockercfg`.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

DOCKER_HUB = "docker.io"
DOCKER_HUB_NAMES = frozenset({"index.docker.io", "registry-1.docker.io", "docker.io"})
SECRET_KEYS = {"kubernetes.io/dockerconfigjson": ".dockerconfigjson", "kubernetes.io/dockercfg": ".dockercfg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What one entry of a Docker config grants: `host` may have `*` for a label, `path` is a repository prefix."""

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


def image_repository(image: str) -> tuple[str, str]:
    """(registry host, repository) that an image's name means; Docker Hub when no host is given."""
    name = image.partition("@")[0]
    first, slash, rest = name.partition("/")
    if not slash or ("." not in first and ":" not in first and first != "localhost"):
        first, rest = DOCKER_HUB, name if slash else f"library/{name}"
    last = rest.rpartition("/")[2]
    return first, rest[: len(rest) - len(last)] + last.partition(":")[0]


def parse_docker_config(data: bytes) -> list[Credential]:
    """The entries of a config of either format; what cannot be read is left out."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return []
    entries = document.get("auths", document) if isinstance(document, dict) else {}
    if not isinstance(entries, dict):
        return []
    found = [_credential(server, entry) for server, entry in entries.items() if isinstance(entry, dict)]
    return [credential for credential in found if credential is not None]


def _credential(server: str, entry: dict[str, Any]) -> Credential | None:
    host, _, path = server.partition("://")[2].partition("/") if "://" in server else server.partition("/")
    path = path.strip("/")
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
    if host in DOCKER_HUB_NAMES:
        host = DOCKER_HUB
    return Credential(
        host=host,
        path="" if path in ("v1", "v2") else path,
        username=username,
        password=password.rstrip("\0"),
        identity_token=token,
    )


def matching(credentials: Iterable[Credential], image: str) -> list[Credential]:
    """Those meant for the image, the most specific first; order is kept among equals."""
    host, repository = image_repository(image)
    fitting = [credential for credential in credentials if credential.covers(host, repository)]
    return sorted(fitting, key=lambda credential: (len(credential.path), len(credential.host)), reverse=True)

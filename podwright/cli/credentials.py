"""Registry credentials for `pull`: from stdin, the environment, or the login file of docker and podman.

Never from the command line, where every process of the machine can read them.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from podwright.errors import InvalidArgument

CREDENTIALS_VARIABLE = "PODWRIGHT_CREDS"
DOCKER_HUB = "docker.io"
DOCKER_HUB_KEYS = ("docker.io", "index.docker.io", "https://index.docker.io/v1/", "registry-1.docker.io")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a registry asks for; a token instead of a password is `identity_token`."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


def parse_pair(text: str, source: str) -> Credentials:
    """`user:password`; the password may hold colons. Raises InvalidArgument, without quoting the secret."""
    username, separator, password = text.strip("\r\n").partition(":")
    if not username or not separator:
        raise InvalidArgument(f"the credentials in {source} are not of the form user:password")
    return Credentials(username=username, password=password)


def registry_of(reference: str) -> str:
    """The registry's host (with its port) of an image reference; a name without one is of docker.io."""
    first, separator, _ = reference.partition("/")
    if separator and ("." in first or ":" in first or first == "localhost"):
        return first
    return DOCKER_HUB


def login_files(environ: Mapping[str, str]) -> list[str]:
    """Where logins are kept, in the order in which they are asked: podman's file, then docker's."""
    home = environ.get("HOME", "/root")
    docker = environ.get("DOCKER_CONFIG") or os.path.join(home, ".docker")
    podman = environ.get("REGISTRY_AUTH_FILE")
    if podman is None and (runtime_dir := environ.get("XDG_RUNTIME_DIR")):
        podman = os.path.join(runtime_dir, "containers", "auth.json")
    return [*([podman] if podman else []), os.path.join(docker, "config.json")]


def from_login_file(document: Mapping[str, Any], registry: str) -> Credentials | None:
    """The login for `registry` in a parsed file; None when it has none. Raises InvalidArgument."""
    logins = document.get("auths")
    if not isinstance(logins, dict):
        return None
    keys = DOCKER_HUB_KEYS if registry == DOCKER_HUB else (registry, f"https://{registry}", f"https://{registry}/v2/")
    entry = next((logins[key] for key in keys if isinstance(logins.get(key), dict)), None)
    if not entry:
        return None
    if entry.get("identitytoken"):
        return Credentials(identity_token=str(entry["identitytoken"]))
    if entry.get("username"):
        return Credentials(username=str(entry["username"]), password=str(entry.get("password", "")))
    try:
        pair = base64.b64decode(str(entry.get("auth", "")), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as failure:
        raise InvalidArgument(f"the login of {registry} is not valid base64") from failure
    return parse_pair(pair.rstrip("\0"), f"the login of {registry}") if pair else None


def find_login(reference: str, environ: Mapping[str, str] = os.environ) -> Credentials | None:
    """The environment's credentials, else those of the first login file that has any. Raises InvalidArgument."""
    if pair := environ.get(CREDENTIALS_VARIABLE):
        return parse_pair(pair, CREDENTIALS_VARIABLE)
    for path in login_files(environ):
        try:
            with open(path, encoding="utf-8") as file:
                document = json.load(file)
        except OSError:
            continue  # not logged in, or not ours to read: an anonymous pull says soon enough if that will not do
        except ValueError as failure:
            raise InvalidArgument(f"{path} is not JSON") from failure
        found = from_login_file(document, registry_of(reference)) if isinstance(document, dict) else None
        if found is not None:
            return found
    return None

"""Registry credentials for `pull`: from stdin, the environment, or the login file of docker and podman.

They never come from the command line, which every process of the machine can read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from podwright.errors import InvalidArgument
from podwright.logins import docker_config

CREDENTIALS_VARIABLE = "PODWRIGHT_CREDS"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryLogin:
    """A registry login. `identity_token` is used instead of a password."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


def parse_pair(text: str, source: str) -> RegistryLogin:
    """Parse `user:password`. The password may contain colons. Raises InvalidArgument without the secret."""
    username, separator, password = text.strip("\r\n").partition(":")
    if not username or not separator:
        raise InvalidArgument(f"the credentials in {source} do not have the form user:password")
    return RegistryLogin(username=username, password=password)


def login_files(environ: Mapping[str, str]) -> list[str]:
    """The login files in order: podman's, then docker's."""
    home = environ.get("HOME", "/root")
    docker = environ.get("DOCKER_CONFIG") or os.path.join(home, ".docker")
    podman = environ.get("REGISTRY_AUTH_FILE")
    if podman is None and (runtime_dir := environ.get("XDG_RUNTIME_DIR")):
        podman = os.path.join(runtime_dir, "containers", "auth.json")
    return [*([podman] if podman else []), os.path.join(docker, "config.json")]


def find_login(reference: str, environ: Mapping[str, str] = os.environ) -> RegistryLogin | None:
    """The environment's credentials, otherwise those of the first login file that has any. Raises InvalidArgument."""
    if pair := environ.get(CREDENTIALS_VARIABLE):
        return parse_pair(pair, CREDENTIALS_VARIABLE)
    for path in login_files(environ):
        try:
            with open(path, "rb") as file:
                logins = docker_config.parse(file.read())
        except OSError:
            continue  # absent or not readable: an anonymous pull will fail if it needs a login
        if logins is None:
            raise InvalidArgument(f"{path} is not a login file")
        for found in docker_config.matching(logins.credentials, *docker_config.image_repository(reference)):
            if found.identity_token:
                return RegistryLogin(identity_token=found.identity_token)
            return RegistryLogin(username=found.username, password=found.password)
    return None

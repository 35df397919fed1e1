"""Registry credentials for `pull`: from stdin, the environment, or the login file of docker and podman.

Never from the command line, where every process of the machine can read them.
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
    """What a registry asks for; a token instead of a password is `identity_token`."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


def parse_pair(text: str, source: str) -> RegistryLogin:
    """`user:password`; the password may hold colons. Raises InvalidArgument, without quoting the secret."""
    username, separator, password = text.strip("\r\n").partition(":")
    if not username or not separator:
        raise InvalidArgument(f"the credentials in {source} are not of the form user:password")
    return RegistryLogin(username=username, password=password)


def login_files(environ: Mapping[str, str]) -> list[str]:
    """Where logins are kept, in the order in which they are asked: podman's file, then docker's."""
    home = environ.get("HOME", "/root")
    docker = environ.get("DOCKER_CONFIG") or os.path.join(home, ".docker")
    podman = environ.get("REGISTRY_AUTH_FILE")
    if podman is None and (runtime_dir := environ.get("XDG_RUNTIME_DIR")):
        podman = os.path.join(runtime_dir, "containers", "auth.json")
    return [*([podman] if podman else []), os.path.join(docker, "config.json")]


def find_login(reference: str, environ: Mapping[str, str] = os.environ) -> RegistryLogin | None:
    """The environment's credentials, else those of the first login file that has any. Raises InvalidArgument."""
    if pair := environ.get(CREDENTIALS_VARIABLE):
        return parse_pair(pair, CREDENTIALS_VARIABLE)
    for path in login_files(environ):
        try:
            with open(path, "rb") as file:
                logins = docker_config.parse(file.read())
        except OSError:
            continue  # not logged in, or not ours to read: an anonymous pull says soon enough if that will not do
        if logins is None:
            raise InvalidArgument(f"{path} is not a login file")
        for found in docker_config.matching(logins.credentials, *docker_config.image_repository(reference)):
            if found.identity_token:
                return RegistryLogin(identity_token=found.identity_token)
            return RegistryLogin(username=found.username, password=found.password)
    return None

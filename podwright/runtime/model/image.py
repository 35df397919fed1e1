"""Images (`Image`), credentials for pulls (`RegistryAuth`), and disk usage."""

from __future__ import annotations

import re

import msgspec

from podwright.errors import InvalidArgument
from podwright.runtime.model.base import Value
from podwright.runtime.model.ids import ImageId

DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


def hex_of(digest: str) -> str:
    """The 64 digits of a `sha256:` digest, safe as a file name. Raises InvalidArgument for anything else."""
    match = DIGEST.fullmatch(digest)
    if match is None:
        raise InvalidArgument(f"{digest[:200]!r} is not a sha256 digest")
    return match[1]


class ImageConfig(Value, frozen=True, kw_only=True):
    """An image's defaults for containers. `user` is as written, `env` as NAME=value."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    volumes: tuple[str, ...] = ()
    exposed_ports: tuple[str, ...] = ()
    stop_signal: str = ""
    labels: dict[str, str] = {}


class Image(Value, frozen=True, kw_only=True):
    """One image with all its names.

    `size_bytes` is its size on this node, blobs and unpacked layers. `uid` is set if the config's user is a number,
    `username` if it is a name. Both come from before the colon. `layers` are the ids of unpacked layers, the base
    first. `chain_id` is the digest of all of them together. `artifact_type` is set for artifacts, which are files to
    mount and cannot run.
    """

    id: ImageId
    repo_tags: tuple[str, ...] = ()
    repo_digests: tuple[str, ...] = ()
    size_bytes: int
    config: ImageConfig = ImageConfig()
    uid: int | None = None
    username: str = ""
    layers: tuple[str, ...] = ()
    chain_id: str = ""
    annotations: dict[str, str] = {}
    artifact_type: str = ""
    pinned: bool = False


class RegistryAuth(msgspec.Struct, frozen=True, kw_only=True):
    """CRI's AuthConfig. It is never stored or shown, so its repr hides everything."""

    username: str = ""
    password: str = ""
    auth: str = ""  # base64 of username:password
    server_address: str = ""
    identity_token: str = ""  # an OAuth2 refresh token
    registry_token: str = ""  # a bearer token

    def __bool__(self) -> bool:
        """Whether it has any credentials."""
        return bool(self.username or self.password or self.auth or self.identity_token or self.registry_token)

    def __repr__(self) -> str:
        return "RegistryAuth(...)"

    __str__ = __repr__


class FsUsage(Value, frozen=True, kw_only=True):
    """The disk usage of images, or of containers' writable layers, on the filesystem at `mountpoint`.

    `timestamp` is in nanoseconds since the epoch.
    """

    mountpoint: str
    used_bytes: int
    inodes_used: int
    timestamp: int

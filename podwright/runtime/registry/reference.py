"""Image names, completed as Docker does: busybox is docker.io/library/busybox:latest. Pure."""

from __future__ import annotations

import re

import msgspec
from msgspec.structs import replace

from podwright.errors import InvalidArgument
from podwright.runtime.model.image import hex_of

DEFAULT_HOST = "docker.io"
DEFAULT_TAG = "latest"
OFFICIAL = "library/"  # docker.io's repository prefix of images without a user
NAME_LIMIT = 255
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_BARE_ID = re.compile(r"[0-9a-f]{64}")


class ImageReference(msgspec.Struct, frozen=True, kw_only=True):
    """A complete name: either `tag` or `digest` is set. `host` includes the port, if any."""

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"

    @property
    def name(self) -> str:
        """Host and repository."""
        return f"{self.host}/{self.repository}"

    @property
    def target(self) -> str:
        """The digest or tag, as in the manifest's URL."""
        return self.digest or self.tag

    def at(self, digest: str) -> ImageReference:
        """The same repository with a digest."""
        return replace(self, tag="", digest=digest)


def parse(text: str) -> ImageReference:
    """The reference for `text`. If it has a tag and a digest, only the digest counts. Raises InvalidArgument."""
    named, at, digest = text.partition("@")
    if at:
        hex_of(digest)
    host, path = _split_host(named)
    head, slash, last = path.rpartition("/")
    last, colon, tag = last.partition(":")
    repository = head + slash + last
    if host == DEFAULT_HOST and "/" not in repository:
        repository = OFFICIAL + repository
    if not at and not colon:
        tag = DEFAULT_TAG
    _check(text, host, repository, tag if colon or not at else DEFAULT_TAG)
    return ImageReference(host=host, repository=repository, tag="" if at else tag, digest=digest)


def _split_host(named: str) -> tuple[str, str]:
    """The first part is a host if it has a dot, a port, brackets or upper case, or is localhost."""
    first, slash, rest = named.partition("/")
    if not slash or not (any(sign in first for sign in ".:[") or first == "localhost" or first.lower() != first):
        return DEFAULT_HOST, named
    return (DEFAULT_HOST if first == "index.docker.io" else first), rest


def _check(text: str, host: str, repository: str, tag: str) -> None:
    def refused(why: str) -> InvalidArgument:
        return InvalidArgument(f"{text[:NAME_LIMIT]!r} is not an image name: {why}")

    if not text:
        raise InvalidArgument("the image name is empty")
    if _HOST.fullmatch(host) is None or not _port_fits(host):
        raise refused(f"{host!r} is not a host")
    if _BARE_ID.fullmatch(repository.removeprefix(OFFICIAL)):
        raise refused("64 hex digits are an image id")
    if _REPOSITORY.fullmatch(repository) is None:
        hint = (
            "repositories are lower case"
            if repository.lower() != repository
            else f"{repository!r} is not a repository"
        )
        raise refused(hint)
    if len(host) + 1 + len(repository) > NAME_LIMIT:
        raise refused(f"it is longer than {NAME_LIMIT} characters")
    if _TAG.fullmatch(tag) is None:
        raise refused(f"{tag!r} is not a tag")


def _port_fits(host: str) -> bool:
    port = host.rpartition(":")[2]
    return not port.isdigit() or int(port) <= 65535

"""Parses image names, with the rules of github.com/distribution/reference. Pure."""

from __future__ import annotations

import re

import msgspec

from podwright.errors import InvalidArgument
from podwright.logins.docker_config import image_repository

DEFAULT_TAG = "latest"
NAME_LIMIT = 255

_LABEL = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_COMPONENT = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_NAME = rf"(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_REFERENCE = re.compile(rf"({_NAME})(?::({_TAG}))?(?:@({_DIGEST}))?")
_IDENTIFIER = re.compile("[a-f0-9]{64}")


class ImageName(msgspec.Struct, frozen=True, kw_only=True):
    """The name in a spec without tag and digest, and these two, each empty if absent."""

    name: str
    tag: str = ""
    digest: str = ""

    @property
    def pulled(self) -> str:
        """The name for the runtime: with the default tag if the spec has neither tag nor digest."""
        if not self.tag and not self.digest:
            return f"{self.name}:{DEFAULT_TAG}"
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    @property
    def repository(self) -> str:
        """The complete `host/repository`, by which credentials are found."""
        return "/".join(image_repository(self.name))


def parse_image(image: str) -> ImageName:
    """Parse the name in a spec. Raises InvalidArgument."""
    match = _REFERENCE.fullmatch(image)
    if match is None:
        upper = " (repository names are in lower case)" if _REFERENCE.fullmatch(image.lower()) else ""
        raise InvalidArgument(f"couldn't parse image name {image!r}: invalid reference format{upper}")
    if _IDENTIFIER.fullmatch(match[1]):
        raise InvalidArgument(f"couldn't parse image name {image!r}: 64 hexadecimal digits are not a repository")
    if len(match[1]) > NAME_LIMIT:
        raise InvalidArgument(f"couldn't parse image name {image!r}: more than {NAME_LIMIT} characters")
    return ImageName(name=match[1], tag=match[2] or "", digest=match[3] or "")

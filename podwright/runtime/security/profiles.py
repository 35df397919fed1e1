"""Security profiles: the default ones, found at start, and those in files of the host."""

from __future__ import annotations

from typing import Any

import msgspec

from podwright.errors import InvalidArgument, reason
from podwright.runtime.model.base import ProfileType, SecurityProfile
from podwright.runtime.security.apparmor import AppArmor

PROFILE_LIMIT_BYTES = 4 * 1024 * 1024


class Profiles(msgspec.Struct, frozen=True, kw_only=True):
    """`seccomp` is a profile in Docker's JSON format. None means that the host has none."""

    seccomp: dict[str, Any] | None
    apparmor: AppArmor


def localhost_profile(label: str, wanted: SecurityProfile | None) -> dict[str, Any] | None:
    """The seccomp profile in the file that a request names, or None. Raises InvalidArgument."""
    if wanted is None or wanted.kind is not ProfileType.LOCALHOST:
        return None
    path = wanted.localhost_ref.removeprefix("localhost/")
    if not path.startswith("/"):
        raise InvalidArgument(f"{label}: seccomp profile {path!r} is not an absolute path")
    return load_profile(path)


def load_profile(path: str) -> dict[str, Any]:
    """A seccomp profile from its file. Raises InvalidArgument."""
    try:
        with open(path, "rb") as file:
            document = msgspec.json.decode(file.read(PROFILE_LIMIT_BYTES))
    except (OSError, msgspec.DecodeError) as failure:
        raise InvalidArgument(f"seccomp profile {path}: {reason(failure, path=path)}") from failure
    if not isinstance(document, dict):
        raise InvalidArgument(f"seccomp profile {path} is not a JSON object")
    return document

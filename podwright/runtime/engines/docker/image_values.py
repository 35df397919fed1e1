"""Images as the Engine describes them, as our values. Pure."""

from __future__ import annotations

import fnmatch
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from podwright.errors import InvalidArgument, NotFound, PermissionDenied, PodwrightError, RuntimeFailed, Unknown
from podwright.runtime.image.pulling.describe import chain_ids
from podwright.runtime.model.base import id_of_text
from podwright.runtime.model.ids import ImageId
from podwright.runtime.model.image import Image, ImageConfig, RegistryAuth
from podwright.runtime.registry import reference
from podwright.runtime.registry.reference import ImageReference

NONE = "<none>"
DOCKER_HUB = "https://index.docker.io/v1/"
# The Engine answers a failed pull with text alone. Its words (distribution/errors.go, distribution's error codes).
DENIED = ("unauthorized", "denied", "authentication required", "no basic auth credentials")
ABSENT = ("manifest unknown", "not found", "name unknown", "does not exist", "no matching manifest")
UNREACHABLE = ("connection refused", "no such host", "timeout", "i/o timeout", "deadline exceeded", "eof",
               "connection reset", "network is unreachable", "no route to host", "service unavailable")  # fmt: skip


class ListedImage(msgspec.Struct, frozen=True):
    """An entry of the Engine's list: the id and the names."""

    Id: str
    RepoTags: tuple[str, ...] | None = None
    RepoDigests: tuple[str, ...] | None = None


def image_of(inspected: dict[str, Any]) -> Image:
    """The image in the document of an inspection, without its names, which may change."""
    config = config_of(inspected.get("Config") or {})
    layers = tuple((inspected.get("RootFS") or {}).get("Layers") or ())
    user = config.user.partition(":")[0]
    uid = id_of_text(user)
    return Image(
        id=ImageId(str(inspected["Id"])),
        size_bytes=max(1, int(inspected.get("Size") or 0)),  # CRI's clients take 0 for an error
        config=config,
        uid=uid,
        username=user if uid is None else "",
        layers=layers,
        chain_id=chain_ids(layers)[-1] if layers else "",
    )


def config_of(found: dict[str, Any]) -> ImageConfig:
    """An image's defaults for containers."""
    return ImageConfig(
        entrypoint=tuple(found.get("Entrypoint") or ()),
        cmd=tuple(found.get("Cmd") or ()),
        env=tuple(found.get("Env") or ()),
        working_dir=found.get("WorkingDir") or "",
        user=found.get("User") or "",
        volumes=tuple(sorted(found.get("Volumes") or ())),
        exposed_ports=tuple(sorted(found.get("ExposedPorts") or ())),
        stop_signal=found.get("StopSignal") or "",
        labels=dict(found.get("Labels") or {}),
    )


def whole_names(names: Iterable[str]) -> tuple[str, ...]:
    """The Engine's short names as complete ones, sorted. Names of nothing are left out."""
    found = []
    for name in names:
        if NONE in name:
            continue
        try:
            found.append(str(reference.parse(name)))
        except InvalidArgument:  # the Engine accepts names that others refuse
            found.append(name)
    return tuple(sorted(found))


def is_pinned(names: Iterable[str], patterns: Iterable[str]) -> bool:
    """Whether one of the names is among [images] pinned."""
    return any(fnmatch.fnmatchcase(name, wanted) for name in names for wanted in patterns)


def find(images: Sequence[Image], name: str) -> Image | None:
    """The image of that id, prefix of an id, tag, digest or short name, or None. Names come before prefixes of ids.

    Raises InvalidArgument for an empty name and an ambiguous prefix.
    """
    if not name:
        raise InvalidArgument("the image name is empty")
    full = whole_names([name])
    for image in images:
        if full and full[0] in (*image.repo_tags, *image.repo_digests):
            return image
    digits = name.removeprefix("sha256:")
    if not digits or set(digits) - set("0123456789abcdef"):
        return None
    matching = [image for image in images if image.id.startswith(f"sha256:{digits}")]
    if len(matching) > 1:
        raise InvalidArgument(f"{name} is a prefix of {len(matching)} image ids", hint="give more digits")
    return matching[0] if matching else None


def pull_query(whole: ImageReference) -> dict[str, str]:
    """The query of a pull."""
    return {"fromImage": whole.name, "tag": whole.target}


def auth_header(auth: RegistryAuth | None, host: str) -> dict[str, str]:
    """The header with credentials (Engine API, "Authentication"). Empty without any."""
    if not auth:
        return {}
    fields = {
        "username": auth.username,
        "password": auth.password,
        "auth": auth.auth,
        "identitytoken": auth.identity_token,
        "registrytoken": auth.registry_token,
        "serveraddress": auth.server_address or (DOCKER_HUB if host == reference.DEFAULT_HOST else host),
    }
    given = {key: value for key, value in fields.items() if value}
    return {"X-Registry-Auth": urlsafe_b64encode(json.dumps(given).encode()).decode()}


def pull_failure(name: str, text: str) -> PodwrightError:
    """The error for a pull that failed with the Engine's `text`."""
    lower = text.lower()
    message = f"cannot pull {name}: {text}"
    if any(word in lower for word in DENIED):
        return PermissionDenied(message)
    if any(word in lower for word in ABSENT):
        return NotFound(message)
    if any(word in lower for word in UNREACHABLE):
        return Unknown(f"RegistryUnavailable: {message}")  # CRI's sentinel
    return RuntimeFailed(message)

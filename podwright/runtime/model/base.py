"""Values that several nouns share."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from enum import IntEnum

import msgspec

from podwright.errors import InvalidArgument


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An immutable value that can be stored as JSON. Defaults are not written."""


class NamespaceMode(IntEnum):
    """CRI's NamespaceMode, with the same numbers."""

    POD = 0
    CONTAINER = 1
    NODE = 2
    TARGET = 3


class IdMapping(Value, frozen=True, kw_only=True):
    """`length` ids from `container_id` on map to ids from `host_id` on."""

    host_id: int
    container_id: int
    length: int


class UserNamespace(Value, frozen=True, kw_only=True):
    """A requested user namespace. POD means the pod's own."""

    mode: NamespaceMode = NamespaceMode.POD
    uids: tuple[IdMapping, ...] = ()
    gids: tuple[IdMapping, ...] = ()

    def on_host(self, uid: int, gid: int) -> tuple[int, int]:
        """The host's user and group for ids of the namespace. 65534 (nobody) for ids without a mapping."""
        return _or_nobody(host_id(self.uids, uid)), _or_nobody(host_id(self.gids, gid))


NOBODY = 65534  # the kernel also shows it for ids without a mapping (/proc/sys/kernel/overflowuid)


def host_id(mappings: tuple[IdMapping, ...], container_id: int) -> int | None:
    """The id on the host, or None."""
    for mapping in mappings:
        offset = container_id - mapping.container_id
        if 0 <= offset < mapping.length:
            return mapping.host_id + offset
    return None


def _or_nobody(number: int | None) -> int:
    return NOBODY if number is None else number


class NamespaceOptions(Value, frozen=True, kw_only=True):
    """CRI's NamespaceOption. `target_id` is for pid mode TARGET."""

    network: NamespaceMode = NamespaceMode.POD
    pid: NamespaceMode = NamespaceMode.POD
    ipc: NamespaceMode = NamespaceMode.POD
    target_id: str = ""
    user: UserNamespace | None = None

    @property
    def own_user(self) -> UserNamespace | None:
        """The pod's own user namespace, or None for the host's."""
        return self.user if self.user is not None and self.user.mode is NamespaceMode.POD else None


def check_namespaces(label: str, modes: NamespaceOptions) -> None:
    """Rules for pods and containers. Raises InvalidArgument, because an unsupported mode must not become POD."""
    for kind in ("network", "ipc"):
        mode: NamespaceMode = getattr(modes, kind)
        if mode not in (NamespaceMode.POD, NamespaceMode.NODE):
            raise InvalidArgument(f"{label}: {kind} namespaces must have mode POD or NODE, not {mode.name}")
    if modes.target_id and modes.pid is not NamespaceMode.TARGET:
        raise InvalidArgument(f"{label}: target_id needs the pid namespace mode TARGET")


class ProfileType(IntEnum):
    """CRI's SecurityProfile.ProfileType."""

    RUNTIME_DEFAULT = 0
    UNCONFINED = 1
    LOCALHOST = 2


class SecurityProfile(Value, frozen=True, kw_only=True):
    """A seccomp or AppArmor profile. `localhost_ref` is for LOCALHOST only."""

    kind: ProfileType = ProfileType.UNCONFINED
    localhost_ref: str = ""


def check_profile(label: str, profile: SecurityProfile | None) -> None:
    """Raises InvalidArgument if `localhost_ref` is missing for Localhost, or set for another type."""
    if profile is None:
        return
    if profile.kind is ProfileType.LOCALHOST and not profile.localhost_ref:
        raise InvalidArgument(f"{label} profile Localhost needs localhost_ref")
    if profile.kind is not ProfileType.LOCALHOST and profile.localhost_ref:
        raise InvalidArgument(f"{label} localhost_ref needs profile type Localhost")


class SelinuxOptions(Value, frozen=True, kw_only=True):
    """The parts of an SELinux label. Empty parts come from the pod or the host."""

    user: str = ""
    role: str = ""
    type: str = ""
    level: str = ""


class Resources(Value, frozen=True, kw_only=True):
    """CRI's LinuxContainerResources. 0 and empty mean "not set". Times in microseconds, sizes in bytes."""

    cpu_period: int = 0
    cpu_quota: int = 0
    cpu_shares: int = 0
    memory_limit_bytes: int = 0
    memory_swap_limit_bytes: int = 0
    oom_score_adj: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    hugepage_limits: tuple[tuple[str, int], ...] = ()  # (page size such as "2MB", bytes)
    unified: dict[str, str] = {}


KEY_LIMIT = 80  # maximum characters of a key in a message
FREE_TEXT = frozenset({"labels", "annotations"})  # never passed to the kernel


def field_with_nul(value: object, name: str = "") -> str:
    """The name of the first field that contains a NUL byte, as `mounts.host_path` or `envs[KEY]`, or "".

    A NUL byte ends a string for the kernel, and the rest would be silently lost.
    """
    if isinstance(value, str):
        return name if "\0" in value else ""
    inner = _inside(value, name)
    return next((found for field, part in inner if (found := field_with_nul(part, field))), "")


def _inside(value: object, name: str) -> Iterable[tuple[str, object]]:
    """The parts of a value with their names. Parts of a mapping, or of a list of pairs, are named by their keys."""
    if isinstance(value, msgspec.Struct):
        prefix = f"{name}." if name else ""
        return [(prefix + field, getattr(value, field)) for field in value.__struct_fields__ if field not in FREE_TEXT]
    if isinstance(value, dict):
        return [(f"{name}[{_shown(item[0])}]", part) for item in value.items() for part in item]
    if not isinstance(value, tuple):
        return []
    if value and all(isinstance(part, tuple) and isinstance(part[0], str) for part in value):  # such as `envs`
        return [(f"{name}[{_shown(pair[0])}]", part) for pair in value for part in pair]
    return [(name, part) for part in value]


def _shown(key: object) -> str:
    r"""A key for a message, with NUL as \x00."""
    return repr(str(key)[:KEY_LIMIT])[1:-1]


def check_no_nul(label: str, value: msgspec.Struct) -> None:
    """Raises InvalidArgument that names the field.

    Searches only if the JSON encoder, which is fast, has found a NUL.
    """
    if b"\\u0000" in msgspec.json.encode(value) and (name := field_with_nul(value)):
        raise InvalidArgument(f"{label}: {name} contains a NUL byte")


ID_TEXT = re.compile(r"[+-]?[0-9]{1,18}")


def id_of_text(text: str) -> int | None:
    """The number of a user or group in an image's config, passwd or group file, or None for a name.

    A number is never looked up as a name, although an image's passwd may name root "1000".
    """
    return int(text) if ID_TEXT.fullmatch(text) else None


ID_MAX = 2**31 - 1  # OCI's spec has uint32, but tools treat -1 and the upper half as errors


def check_ids(label: str, *numbers: int | None) -> None:
    """Raises InvalidArgument for an invalid user or group id. None means not set."""
    for number in numbers:
        if number is not None and not 0 <= number <= ID_MAX:
            raise InvalidArgument(f"{label}: the id {number} is out of range (0 to {ID_MAX})")


PATH_LIMIT_BYTES = 4095  # PATH_MAX without its NUL
NAME_LIMIT_BYTES = 255
DEPTH_LIMIT = 256  # our own limit, because creating directories takes a step for each


def check_path(label: str, path: str) -> None:
    """Raises InvalidArgument for a path that the kernel would reject, or that is useless."""
    parts = os.fsencode(path).split(b"/")
    if (
        len(os.fsencode(path)) > PATH_LIMIT_BYTES
        or max(map(len, parts)) > NAME_LIMIT_BYTES
        or len(parts) > DEPTH_LIMIT
    ):
        raise InvalidArgument(f"{label} {path[:40]!r}... is too long or too deep")

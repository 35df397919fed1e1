"""Conversion between protobuf and the model: parts that several messages share."""

from __future__ import annotations

import json
from enum import IntEnum
from typing import Any, TypeVar

from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from podwright.runtime.model.base import (
    IdMapping,
    NamespaceMode,
    NamespaceOptions,
    ProfileType,
    Resources,
    SecurityProfile,
    SelinuxOptions,
    UserNamespace,
)

Enum = TypeVar("Enum", bound=IntEnum)


def enum_of(kind: type[Enum], number: int, field: str) -> Enum:
    """The member of `kind` with this number. Raises InvalidArgument, because proto3 lets unknown numbers through."""
    try:
        return kind(number)
    except ValueError as unknown:
        raise InvalidArgument(f"{field}: {number} is not a known value") from unknown


def refuse_windows(message: object, label: str) -> None:
    """Raises InvalidArgument if the Windows section has any content, because this host cannot apply it."""
    if message.windows.ByteSize():  # type: ignore[attr-defined] # any of the three messages that have it
        raise InvalidArgument(f"{label}: windows: this host runs Linux", hint="leave the section out")


def optional_int(message: object, field: str) -> int | None:
    """CRI's Int64Value. Absent and 0 are different values."""
    return getattr(message, field).value if message.HasField(field) else None  # type: ignore[attr-defined] # any message


def namespaces(message: api.NamespaceOption) -> NamespaceOptions:
    """CRI's NamespaceOption."""
    user = None
    if message.HasField("userns_options"):
        options = message.userns_options
        user = UserNamespace(
            mode=enum_of(NamespaceMode, options.mode, "userns_options.mode"),
            uids=id_mappings(options.uids),
            gids=id_mappings(options.gids),
        )
    return NamespaceOptions(
        network=enum_of(NamespaceMode, message.network, "namespace_options.network"),
        pid=enum_of(NamespaceMode, message.pid, "namespace_options.pid"),
        ipc=enum_of(NamespaceMode, message.ipc, "namespace_options.ipc"),
        target_id=message.target_id,
        user=user,
    )


def namespaces_message(options: NamespaceOptions) -> api.NamespaceOption:
    """CRI's NamespaceOption, from the model."""
    message = api.NamespaceOption(
        network=int(options.network),  # type: ignore[arg-type] # enums are numbers on the wire
        pid=int(options.pid),  # type: ignore[arg-type] # as above
        ipc=int(options.ipc),  # type: ignore[arg-type] # as above
        target_id=options.target_id,
    )
    if options.user is not None:
        message.userns_options.mode = int(options.user.mode)  # type: ignore[assignment] # as above
        for field, mappings in (("uids", options.user.uids), ("gids", options.user.gids)):
            getattr(message.userns_options, field).extend(id_mapping_messages(mappings))
    return message


def id_mappings(messages: object) -> tuple[IdMapping, ...]:
    """CRI's IDMapping list."""
    return tuple(
        IdMapping(host_id=m.host_id, container_id=m.container_id, length=m.length)
        for m in messages  # type: ignore[attr-defined] # a repeated field
    )


def id_mapping_messages(mappings: tuple[IdMapping, ...]) -> list[api.IDMapping]:
    """CRI's IDMapping list, from the model."""
    return [api.IDMapping(host_id=m.host_id, container_id=m.container_id, length=m.length) for m in mappings]


def profile(message: object, field: str, deprecated: str) -> SecurityProfile | None:
    """A seccomp or AppArmor profile. The structured field wins over the deprecated string. Raises InvalidArgument."""
    if message.HasField(field):  # type: ignore[attr-defined] # any message
        given: api.SecurityProfile = getattr(message, field)
        kind = enum_of(ProfileType, given.profile_type, f"{field}.profile_type")
        return SecurityProfile(kind=kind, localhost_ref=given.localhost_ref)
    if deprecated in ("", "unconfined"):
        return SecurityProfile(kind=ProfileType.UNCONFINED) if deprecated else None
    if deprecated in ("runtime/default", "docker/default"):
        return SecurityProfile(kind=ProfileType.RUNTIME_DEFAULT)
    if deprecated.startswith("localhost/"):
        return SecurityProfile(kind=ProfileType.LOCALHOST, localhost_ref=deprecated.removeprefix("localhost/"))
    raise InvalidArgument(f"{field}: {deprecated!r} is not runtime/default, unconfined or localhost/...")


def selinux(message: object) -> SelinuxOptions | None:
    """CRI's SELinuxOption, of a security context."""
    if not message.HasField("selinux_options"):  # type: ignore[attr-defined] # either security context
        return None
    given: api.SELinuxOption = message.selinux_options  # type: ignore[attr-defined] # as above
    return SelinuxOptions(user=given.user, role=given.role, type=given.type, level=given.level)


def resources(message: api.LinuxContainerResources) -> Resources:
    """CRI's LinuxContainerResources."""
    return Resources(
        cpu_period=message.cpu_period,
        cpu_quota=message.cpu_quota,
        cpu_shares=message.cpu_shares,
        memory_limit_bytes=message.memory_limit_in_bytes,
        memory_swap_limit_bytes=message.memory_swap_limit_in_bytes,
        oom_score_adj=message.oom_score_adj,
        cpuset_cpus=message.cpuset_cpus,
        cpuset_mems=message.cpuset_mems,
        hugepage_limits=tuple((limit.page_size, limit.limit) for limit in message.hugepage_limits),
        unified=dict(message.unified),
    )


def resources_message(values: Resources) -> api.LinuxContainerResources:
    """CRI's LinuxContainerResources, from the model."""
    return api.LinuxContainerResources(
        cpu_period=values.cpu_period,
        cpu_quota=values.cpu_quota,
        cpu_shares=values.cpu_shares,
        memory_limit_in_bytes=values.memory_limit_bytes,
        memory_swap_limit_in_bytes=values.memory_swap_limit_bytes,
        oom_score_adj=values.oom_score_adj,
        cpuset_cpus=values.cpuset_cpus,
        cpuset_mems=values.cpuset_mems,
        hugepage_limits=[api.HugepageLimit(page_size=size, limit=limit) for size, limit in values.hugepage_limits],
        unified=values.unified,
    )


def info(document: dict[str, Any]) -> dict[str, str]:
    """A verbose document, as JSON under the key that crictl and other tools read."""
    return {"info": json.dumps(document)}

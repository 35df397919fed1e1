"""What several nouns share."""

from __future__ import annotations

from enum import IntEnum

import msgspec


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An immutable value that the state room can store as JSON; defaults are not written."""


class NamespaceMode(IntEnum):
    """CRI's NamespaceMode, number by number."""

    POD = 0
    CONTAINER = 1
    NODE = 2
    TARGET = 3


class IdMapping(Value, frozen=True, kw_only=True):
    """`length` ids from `container_id` on are `host_id` and following on the host."""

    host_id: int
    container_id: int
    length: int


class UserNamespace(Value, frozen=True, kw_only=True):
    """A user namespace as asked for; POD means one of its own for the pod."""

    mode: NamespaceMode = NamespaceMode.POD
    uids: tuple[IdMapping, ...] = ()
    gids: tuple[IdMapping, ...] = ()


class NamespaceOptions(Value, frozen=True, kw_only=True):
    """CRI's NamespaceOption; `target_id` goes with pid TARGET."""

    network: NamespaceMode = NamespaceMode.POD
    pid: NamespaceMode = NamespaceMode.POD
    ipc: NamespaceMode = NamespaceMode.POD
    target_id: str = ""
    user: UserNamespace | None = None


class ProfileType(IntEnum):
    """CRI's SecurityProfile.ProfileType."""

    RUNTIME_DEFAULT = 0
    UNCONFINED = 1
    LOCALHOST = 2


class SecurityProfile(Value, frozen=True, kw_only=True):
    """A seccomp or AppArmor profile; `localhost_ref` only with LOCALHOST."""

    kind: ProfileType = ProfileType.UNCONFINED
    localhost_ref: str = ""


class SelinuxOptions(Value, frozen=True, kw_only=True):
    """The parts of an SELinux label; empty parts are the pod's or the host's."""

    user: str = ""
    role: str = ""
    type: str = ""
    level: str = ""


class Resources(Value, frozen=True, kw_only=True):
    """CRI's LinuxContainerResources; 0 and empty mean "not given". Times in microseconds, sizes in bytes."""

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

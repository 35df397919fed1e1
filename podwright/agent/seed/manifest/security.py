"""Security contexts of pods and containers."""

from __future__ import annotations

from typing import Literal

from podwright.agent.seed.manifest.node import Node

ProfileType = Literal["RuntimeDefault", "Unconfined", "Localhost"]


class SeLinuxOptions(Node, frozen=True, kw_only=True):
    """An SELinux label."""

    user: str = ""
    role: str = ""
    type: str = ""
    level: str = ""


class Profile(Node, frozen=True, kw_only=True):
    """A seccomp or AppArmor profile."""

    type: ProfileType
    localhost_profile: str = ""


class Capabilities(Node, frozen=True, kw_only=True):
    """Capabilities added to and dropped from the runtime's default set."""

    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class Sysctl(Node, frozen=True, kw_only=True):
    """A kernel parameter of the pod's namespaces."""

    name: str
    value: str


class PodSecurityContext(Node, frozen=True, kw_only=True):
    """What holds for all containers that do not say otherwise."""

    se_linux_options: SeLinuxOptions | None = None
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    supplemental_groups: tuple[int, ...] = ()
    supplemental_groups_policy: Literal["Merge", "Strict"] = "Merge"
    fs_group: int | None = None
    sysctls: tuple[Sysctl, ...] = ()
    seccomp_profile: Profile | None = None
    app_armor_profile: Profile | None = None


class SecurityContext(Node, frozen=True, kw_only=True):
    """What holds for one container."""

    capabilities: Capabilities = Capabilities()
    privileged: bool = False
    se_linux_options: SeLinuxOptions | None = None
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    read_only_root_filesystem: bool = False
    allow_privilege_escalation: bool | None = None
    proc_mount: Literal["Default", "Unmasked"] = "Default"
    seccomp_profile: Profile | None = None
    app_armor_profile: Profile | None = None

"""Security contexts of pods and containers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from podwright.k8s.names import descending_path_faults
from podwright.k8s.objects.container import Container, EphemeralContainer
from podwright.k8s.objects.pod import PodSpec
from podwright.k8s.objects.security import AppArmorProfile, PodSecurityContext, SeccompProfile
from podwright.k8s.problems import Problem, duplicate, forbidden, invalid, required, too_long
from podwright.k8s.validation.common import identity, one_of

PROFILE_TYPES = ("Localhost", "RuntimeDefault", "Unconfined")
PATH_LIMIT = 4095
SYSCTL_LIMIT = 253
_SYSCTL_SEGMENT = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SYSCTL = rf"({_SYSCTL_SEGMENT}[\./])*{_SYSCTL_SEGMENT}"
_IPC_SYSCTLS = ("kernel.shm", "kernel.msg", "fs.mqueue.")


def validate_pod_security(spec: PodSpec) -> Iterator[Problem]:
    """The pod's context, and the namespaces that it shares with the host."""
    path, context = "spec.securityContext", spec.security_context or PodSecurityContext()
    yield from identity(f"{path}.fsGroup", context.fs_group)
    yield from identity(f"{path}.runAsUser", context.run_as_user)
    yield from identity(f"{path}.runAsGroup", context.run_as_group)
    for index, group in enumerate(context.supplemental_groups):
        yield from identity(f"{path}.supplementalGroups[{index}]", group)
    for wire, value, supported in (
        ("fsGroupChangePolicy", context.fs_group_change_policy, ("Always", "OnRootMismatch")),
        ("supplementalGroupsPolicy", context.supplemental_groups_policy, ("Merge", "Strict")),
        ("seLinuxChangePolicy", context.se_linux_change_policy, ("MountOption", "Recursive")),
    ):
        if value is not None:
            yield from one_of(f"{path}.{wire}", value, supported)
    yield from _seccomp(f"{path}.seccompProfile", context.seccomp_profile)
    yield from _app_armor(f"{path}.appArmorProfile", context.app_armor_profile)
    yield from _sysctls(f"{path}.sysctls", context, spec)
    if spec.share_process_namespace and spec.host_pid:
        message = "ShareProcessNamespace and HostPID cannot both be enabled"
        yield invalid("spec.shareProcessNamespace", True, message)
    if spec.host_users is False:
        yield from _user_namespace(spec)


def validate_container_security(
    path: str, container: Container | EphemeralContainer, spec: PodSpec
) -> Iterator[Problem]:
    """One container's context."""
    context = container.security_context
    if context is None:
        return
    path = f"{path}.securityContext"
    yield from identity(f"{path}.runAsUser", context.run_as_user)
    yield from identity(f"{path}.runAsGroup", context.run_as_group)
    if context.proc_mount is not None:
        yield from one_of(f"{path}.procMount", context.proc_mount, ("Default", "Unmasked"))
        if context.proc_mount == "Unmasked" and spec.host_users is not False:
            yield invalid(f"{path}.procMount", context.proc_mount, "`hostUsers` must be false to use `Unmasked`")
    yield from _seccomp(f"{path}.seccompProfile", context.seccomp_profile)
    yield from _app_armor(f"{path}.appArmorProfile", context.app_armor_profile)
    if context.allow_privilege_escalation is False:
        here = f"{path}.allowPrivilegeEscalation"
        if context.privileged:
            yield invalid(here, False, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")
        if context.capabilities is not None and "CAP_SYS_ADMIN" in context.capabilities.add:
            message = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            yield invalid(here, False, message)


def _seccomp(path: str, profile: SeccompProfile | None) -> Iterator[Problem]:
    if profile is None:
        return
    yield from one_of(f"{path}.type", profile.type, PROFILE_TYPES)
    here = f"{path}.localhostProfile"
    if profile.type != "Localhost":
        if profile.localhost_profile is not None:
            yield invalid(here, profile.localhost_profile, "can only be set when seccomp type is Localhost")
    elif not profile.localhost_profile:
        yield required(here, "must be set when seccomp type is Localhost")
    else:
        faults = descending_path_faults(profile.localhost_profile)
        yield from (invalid(here, profile.localhost_profile, fault) for fault in faults)


def _app_armor(path: str, profile: AppArmorProfile | None) -> Iterator[Problem]:
    if profile is None:
        return
    yield from one_of(f"{path}.type", profile.type, PROFILE_TYPES)
    here, name = f"{path}.localhostProfile", profile.localhost_profile
    if profile.type != "Localhost":
        if name is not None:
            yield invalid(here, name, "can only be set when AppArmor type is Localhost")
    elif not name or not name.strip():
        yield required(here, "must be set when AppArmor type is Localhost")
    elif name != name.strip():
        yield invalid(here, name, "must not be padded with whitespace")
    elif len(name.encode()) > PATH_LIMIT:
        yield too_long(here, PATH_LIMIT)


def _sysctls(path: str, context: PodSecurityContext, spec: PodSpec) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, sysctl in enumerate(context.sysctls):
        here, name = f"{path}[{index}].name", sysctl.name
        dotted = name.replace("/", ".")
        if not name:
            yield required(here)
        elif len(name) > SYSCTL_LIMIT or not re.fullmatch(_SYSCTL, name):
            yield invalid(here, name, f"must have at most {SYSCTL_LIMIT} characters and match regex ^{_SYSCTL}$")
        elif dotted in seen:
            yield duplicate(here, name)
        seen.add(dotted)
        if spec.host_network and dotted.startswith("net."):
            yield invalid(here, name, "may not be specified when 'hostNetwork' is true")
        if spec.host_ipc and (dotted.startswith(_IPC_SYSCTLS) or dotted == "kernel.sem"):
            yield invalid(here, name, "may not be specified when 'hostIPC' is true")


def _user_namespace(spec: PodSpec) -> Iterator[Problem]:
    for wire, value in (("hostNetwork", spec.host_network), ("hostPID", spec.host_pid), ("hostIPC", spec.host_ipc)):
        if value:
            yield forbidden(f"spec.{wire}", "when `hostUsers` is false")
    for kind, containers in (("initContainers", spec.init_containers), ("containers", spec.containers)):
        for index, container in enumerate(containers):
            if container.volume_devices:
                yield forbidden(f"spec.{kind}[{index}].volumeDevices", "when `hostUsers` is false")

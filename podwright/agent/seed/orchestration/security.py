"""Security contexts to CRI: the container's word, else the pod's, else the default. Pure."""

from __future__ import annotations

import os
from dataclasses import dataclass

from podwright.agent.seed.manifest.container import Container
from podwright.agent.seed.manifest.pod import Pod
from podwright.agent.seed.manifest.security import Profile, SeLinuxOptions
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument

# The kubelet's place for profiles that a manifest names by a relative path.
SECCOMP_ROOT = "/var/lib/kubelet/seccomp"
MASKED_PATHS = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageUser:
    """Who the image says it runs as: a number, or a name that only the image's passwd knows."""

    uid: int | None = None
    username: str = ""


def namespace_options(pod: Pod) -> api.NamespaceOption:
    """Which namespaces are the pod's, the container's or the host's."""
    spec = pod.spec
    pid = api.NamespaceMode.CONTAINER
    if spec.host_pid:
        pid = api.NamespaceMode.NODE
    elif spec.share_process_namespace:
        pid = api.NamespaceMode.POD
    return api.NamespaceOption(
        network=api.NamespaceMode.NODE if spec.host_network else api.NamespaceMode.POD,
        pid=pid,
        ipc=api.NamespaceMode.NODE if spec.host_ipc else api.NamespaceMode.POD,
    )


def sandbox_security(pod: Pod) -> api.LinuxSandboxSecurityContext:
    """The sandbox's own context; its seccomp profile is always the runtime's default."""
    context = pod.spec.security_context
    privileged = any(container.security_context.privileged for _, container in pod.all_containers())
    return api.LinuxSandboxSecurityContext(
        namespace_options=namespace_options(pod),
        privileged=privileged,
        run_as_user=_optional(context.run_as_user),
        run_as_group=_optional(context.run_as_group) if context.run_as_user is not None else None,
        supplemental_groups=_groups(pod),
        supplemental_groups_policy=_groups_policy(pod),
        selinux_options=_selinux(context.se_linux_options),
        seccomp=api.SecurityProfile(profile_type=api.SecurityProfile.RuntimeDefault),
    )


def container_security(pod: Pod, container: Container, image_user: ImageUser) -> api.LinuxContainerSecurityContext:
    """One container's context. Raises InvalidArgument when runAsNonRoot cannot be kept."""
    own, pods = container.security_context, pod.spec.security_context
    user = own.run_as_user if own.run_as_user is not None else pods.run_as_user
    group = own.run_as_group if own.run_as_group is not None else pods.run_as_group
    _check_non_root(pod, container, user, image_user)
    username = ""
    if user is None:
        # As the kubelet: an image that says nothing runs as root, and runAsGroup needs a user beside it.
        user = 0 if image_user.uid is None and not image_user.username else image_user.uid
        username = image_user.username if user is None else ""
    shown = own.privileged or own.proc_mount == "Unmasked"
    return api.LinuxContainerSecurityContext(
        capabilities=api.Capability(add_capabilities=own.capabilities.add, drop_capabilities=own.capabilities.drop),
        privileged=own.privileged,
        namespace_options=namespace_options(pod),
        selinux_options=_selinux(own.se_linux_options or pods.se_linux_options),
        run_as_user=_optional(user),
        run_as_group=_optional(group),
        run_as_username=username,
        readonly_rootfs=own.read_only_root_filesystem,
        supplemental_groups=_groups(pod),
        supplemental_groups_policy=_groups_policy(pod),
        no_new_privs=own.allow_privilege_escalation is False,
        masked_paths=() if shown else MASKED_PATHS,
        readonly_paths=() if shown else READONLY_PATHS,
        seccomp=_seccomp(own.seccomp_profile or pods.seccomp_profile),
        apparmor=_apparmor(own.app_armor_profile or pods.app_armor_profile),
    )


def _check_non_root(pod: Pod, container: Container, user: int | None, image_user: ImageUser) -> None:
    own, pods = container.security_context, pod.spec.security_context
    wanted = own.run_as_non_root if own.run_as_non_root is not None else pods.run_as_non_root
    if not wanted:
        return
    if user is None and image_user.uid is None and image_user.username:
        raise InvalidArgument(
            f"container {container.name}: runAsNonRoot is set, and the image's user {image_user.username!r} "
            "is not a number, so it cannot be checked",
            hint="set runAsUser",
        )
    if (user if user is not None else image_user.uid or 0) == 0:
        raise InvalidArgument(
            f"container {container.name}: runAsNonRoot is set, and the container would run as root",
            hint="set runAsUser",
        )


def _optional(value: int | None) -> api.Int64Value | None:
    return None if value is None else api.Int64Value(value=value)


def _groups(pod: Pod) -> list[int]:
    context = pod.spec.security_context
    groups = [*([] if context.fs_group is None else [context.fs_group]), *context.supplemental_groups]
    return list(dict.fromkeys(groups))


def _groups_policy(pod: Pod) -> api.SupplementalGroupsPolicy:
    strict = pod.spec.security_context.supplemental_groups_policy == "Strict"
    return api.SupplementalGroupsPolicy.Strict if strict else api.SupplementalGroupsPolicy.Merge


def _selinux(options: SeLinuxOptions | None) -> api.SELinuxOption | None:
    if options is None:
        return None
    return api.SELinuxOption(user=options.user, role=options.role, type=options.type, level=options.level)


def _seccomp(profile: Profile | None) -> api.SecurityProfile:
    """Absent means unconfined: the kubelet's seccompDefault is off unless somebody turns it on."""
    if profile is None or profile.type == "Unconfined":
        return api.SecurityProfile(profile_type=api.SecurityProfile.Unconfined)
    if profile.type == "Localhost":
        path = os.path.join(SECCOMP_ROOT, profile.localhost_profile)
        return api.SecurityProfile(profile_type=api.SecurityProfile.Localhost, localhost_ref=path)
    return api.SecurityProfile(profile_type=api.SecurityProfile.RuntimeDefault)


def _apparmor(profile: Profile | None) -> api.SecurityProfile | None:
    if profile is None:
        return None
    kinds = {
        "RuntimeDefault": api.SecurityProfile.RuntimeDefault,
        "Unconfined": api.SecurityProfile.Unconfined,
        "Localhost": api.SecurityProfile.Localhost,
    }
    return api.SecurityProfile(profile_type=kinds[profile.type], localhost_ref=profile.localhost_profile)

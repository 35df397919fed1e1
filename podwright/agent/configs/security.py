"""Security contexts for CRI: the container's field, or else the pod's, or else the default. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from podwright.agent.configs.namespaces import PodUserNamespace, namespace_options
from podwright.agent.configs.node import NodeFacts, NodeSettings
from podwright.agent.configs.profiles import apparmor_profile, seccomp_profile
from podwright.agent.pods.containers import AnyContainer, all_containers
from podwright.agent.pods.identity import described
from podwright.agent.runtime.records import ImageStatus
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from podwright.k8s.objects import Capabilities, Pod, PodSecurityContext, SecurityContext, SELinuxOptions

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
GROUPS_POLICIES = {"Merge": api.SupplementalGroupsPolicy.Merge, "Strict": api.SupplementalGroupsPolicy.Strict}
USER_ID_MAX = 2**31 - 1
NOTHING = SecurityContext()
NOTHING_OF_POD = PodSecurityContext()


class ImageUser(msgspec.Struct, frozen=True, kw_only=True):
    """The user of an image: a number, or a name that only the image's passwd file knows."""

    uid: int | None = None
    username: str = ""


def image_user(image: ImageStatus) -> ImageUser:
    """The user of an image, which is root if it names none."""
    if image.uid is not None:
        return ImageUser(uid=image.uid)
    return ImageUser(username=image.username) if image.username else ImageUser(uid=0)


def sandbox_security(
    pod: Pod, users: PodUserNamespace | None, extra_groups: Iterable[int]
) -> api.LinuxSandboxSecurityContext:
    """The sandbox's own context. Its seccomp profile is always the runtime's default. Raises InvalidArgument."""
    context = pod.spec.security_context or NOTHING_OF_POD
    return api.LinuxSandboxSecurityContext(
        namespace_options=namespace_options(pod, users),
        privileged=any(_is_privileged(container) for container in all_containers(pod)),
        run_as_user=_optional(context.run_as_user),
        run_as_group=_optional(context.run_as_group),
        supplemental_groups=[*_fs_group(context), *extra_groups, *context.supplemental_groups],
        supplemental_groups_policy=_groups_policy(context),
        selinux_options=_selinux(context.se_linux_options),
        seccomp=api.SecurityProfile(profile_type=api.SecurityProfile.RuntimeDefault),
    )


class SecurityInputs(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs of a container's context in addition to the pod. `extra_groups` come from its volumes."""

    user: ImageUser
    users: PodUserNamespace | None = None
    extra_groups: tuple[int, ...] = ()
    target_id: str = ""  # the container whose PID namespace an ephemeral container joins
    facts: NodeFacts
    settings: NodeSettings


def container_security(pod: Pod, container: AnyContainer, inputs: SecurityInputs) -> api.LinuxContainerSecurityContext:
    """One container's context. Raises InvalidArgument, for instance if runAsNonRoot is violated."""
    own = container.security_context or NOTHING
    context = pod.spec.security_context or NOTHING_OF_POD
    user = own.run_as_user if own.run_as_user is not None else context.run_as_user
    verify_non_root(pod, container, inputs.user)
    group = own.run_as_group if own.run_as_group is not None else context.run_as_group
    namespaces = namespace_options(pod, inputs.users)
    if inputs.target_id and namespaces.pid == api.NamespaceMode.CONTAINER:
        namespaces.pid, namespaces.target_id = api.NamespaceMode.TARGET, inputs.target_id
    apparmor, apparmor_name = apparmor_profile(pod, container)
    shown = own.proc_mount == "Unmasked"
    security = api.LinuxContainerSecurityContext(
        capabilities=_capabilities(own.capabilities),
        privileged=bool(own.privileged),
        namespace_options=namespaces,
        selinux_options=_selinux(own.se_linux_options or context.se_linux_options),
        run_as_user=_optional(user if user is not None else inputs.user.uid),
        run_as_group=_optional(group),
        run_as_username=inputs.user.username if user is None else "",
        readonly_rootfs=bool(own.read_only_root_filesystem),
        supplemental_groups=[*_fs_group(context), *context.supplemental_groups, *inputs.extra_groups],
        supplemental_groups_policy=_groups_policy(context),
        no_new_privs=own.allow_privilege_escalation is False,
        masked_paths=() if shown else (*MASKED_PATHS, *inputs.facts.throttle_paths),
        readonly_paths=() if shown else READONLY_PATHS,
        seccomp=seccomp_profile(pod, container, inputs.settings),
        apparmor=apparmor,
    )
    if apparmor_name:
        security.apparmor_profile = apparmor_name
    return security


def verify_non_root(pod: Pod, container: AnyContainer, image: ImageUser) -> None:
    """Raise InvalidArgument if runAsNonRoot is violated. Only numeric users can be verified."""
    own = container.security_context or NOTHING
    context = pod.spec.security_context or NOTHING_OF_POD
    wanted = own.run_as_non_root if own.run_as_non_root is not None else context.run_as_non_root
    if not wanted:
        return
    where = f'(pod: "{described(pod)}", container: {container.name})'
    user = own.run_as_user if own.run_as_user is not None else context.run_as_user
    if user is not None:
        if user == 0:
            raise InvalidArgument(f"container's runAsUser breaks non-root policy {where}")
    elif image.uid is None:
        raise InvalidArgument(
            f"container has runAsNonRoot and image has non-numeric user ({image.username}), "
            f"cannot verify user is non-root {where}"
        )
    elif image.uid == 0:
        raise InvalidArgument(f"container has runAsNonRoot and image will run as root {where}")
    elif not 0 < image.uid <= USER_ID_MAX:
        raise InvalidArgument(
            f"container has runAsNonRoot and image has an invalid user id ({image.uid}). "
            f"(Must be 1-({USER_ID_MAX})) {where}"
        )


def _is_privileged(container: AnyContainer) -> bool:
    return bool(container.security_context and container.security_context.privileged)


def _optional(value: int | None) -> api.Int64Value | None:
    return None if value is None else api.Int64Value(value=value)


def _capabilities(capabilities: Capabilities | None) -> api.Capability | None:
    if capabilities is None:
        return None
    return api.Capability(add_capabilities=capabilities.add, drop_capabilities=capabilities.drop)


def _fs_group(context: PodSecurityContext) -> tuple[int, ...]:
    return () if context.fs_group is None else (context.fs_group,)


def _groups_policy(context: PodSecurityContext) -> api.SupplementalGroupsPolicy:
    policy = context.supplemental_groups_policy or "Merge"
    if policy not in GROUPS_POLICIES:
        raise InvalidArgument(f"unsupported supplementalGroupsPolicy: {policy}")
    return GROUPS_POLICIES[policy]


def _selinux(options: SELinuxOptions | None) -> api.SELinuxOption | None:
    if options is None:
        return None
    return api.SELinuxOption(user=options.user, role=options.role, type=options.type, level=options.level)

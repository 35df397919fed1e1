"""The complete OCI runtime spec, a pure function of `SpecInputs`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.linux.selinux import Contexts
from podwright.runtime.model.base import NamespaceMode, ProfileType, Resources, SecurityProfile, UserNamespace
from podwright.runtime.model.container import ContainerConfig, User
from podwright.runtime.model.image import ImageConfig
from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.oci_spec import capabilities, command, mounts, resources, seccomp
from podwright.runtime.oci_spec.idmaps import oci_mappings
from podwright.runtime.oci_spec.mounts import SandboxFiles
from podwright.runtime.oci_spec.names import OCI_VERSION, container_annotations
from podwright.runtime.oci_spec.resources import CgroupAbilities

HOST_USERS = UserNamespace(mode=NamespaceMode.NODE)


class HostAbilities(msgspec.Struct, frozen=True, kw_only=True):
    """What the host and the daemon support, detected once at start."""

    machine: str
    kernel: str
    capabilities: frozenset[str]
    cgroups: CgroupAbilities
    oom_score_adj: int = -1000  # the lowest that the daemon may set
    seccomp: bool = True
    apparmor: bool = False
    selinux: Contexts | None = None  # what its policy gives containers; None: no SELinux


class HostDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device of the host: its node, and the container's permissions for it."""

    path: str
    kind: str  # "c" or "b"
    major: int
    minor: int
    mode: int
    uid: int
    gid: int
    permissions: str


class SpecInputs(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a spec depends on. `namespaces` maps an OCI namespace type to a path, or to "" for a new one."""

    config: ContainerConfig
    image: ImageConfig
    sandbox: Sandbox
    user: User
    rootfs: str
    hostname: str
    cgroups_path: str
    namespaces: dict[str, str]
    files: SandboxFiles
    host: HostAbilities
    resources: Resources  # as granted
    default_profile: dict[str, Any] | None = None  # for seccomp RuntimeDefault
    localhost_profile: dict[str, Any] | None = None  # for seccomp Localhost
    apparmor_profile: str = ""
    selinux: Contexts | None = None  # the container's own labels
    devices: tuple[HostDevice, ...] = ()
    # Those of the pod and of the request for the runtime.
    annotations: Mapping[str, str] = msgspec.field(default_factory=dict)


def build(inputs: SpecInputs) -> dict[str, Any]:
    """The spec. Raises InvalidArgument and FailedPrecondition for unsupported requests."""
    security = inputs.config.security
    if security.privileged and not inputs.sandbox.config.security.privileged:
        raise InvalidArgument(f"container {inputs.config.name} is privileged, but its sandbox is not")
    spec: dict[str, Any] = {
        "ociVersion": OCI_VERSION,
        "process": process(inputs),
        "root": {"path": inputs.rootfs, "readonly": security.readonly_rootfs},
        "mounts": mounts.mounts(
            inputs.config.mounts,
            inputs.files,
            privileged=security.privileged,
            readonly_root=security.readonly_rootfs,
        ),
        "annotations": {**inputs.annotations, **container_annotations(inputs.sandbox, inputs.config)},
        "linux": linux(inputs),
    }
    return spec


def process(inputs: SpecInputs) -> dict[str, Any]:
    """The OCI `process`."""
    config, host = inputs.config, inputs.host
    result: dict[str, Any] = {
        "terminal": config.tty,
        "user": {"uid": inputs.user.uid, "gid": inputs.user.gid, "additionalGids": list(inputs.user.groups)},
        "args": command.arguments(config, inputs.image),
        "env": command.environment(config, inputs.image, inputs.hostname),
        "cwd": command.working_dir(config, inputs.image),
        "capabilities": capabilities.process_sets(config.security, host.capabilities),
        "noNewPrivileges": config.security.no_new_privs,
        "oomScoreAdj": inputs.resources.oom_score_adj,
    }
    if inputs.apparmor_profile:
        result["apparmorProfile"] = inputs.apparmor_profile
    if inputs.selinux is not None:
        result["selinuxLabel"] = str(inputs.selinux.process)
    return result


def linux(inputs: SpecInputs) -> dict[str, Any]:
    """The OCI `linux` section."""
    user = inputs.sandbox.config.security.namespaces.own_user
    config = inputs.config
    limits = resources.without_quota(resources.oci_resources(inputs.resources))  # a new cgroup starts without a quota
    limits["devices"] = device_rules(inputs)
    result: dict[str, Any] = {
        "cgroupsPath": inputs.cgroups_path,
        "namespaces": [
            {"type": kind, **({"path": path} if path else {})} for kind, path in sorted(inputs.namespaces.items())
        ],
        "resources": limits,
        **(oci_mappings(user) if user else {}),
    }
    if inputs.selinux is not None:
        result["mountLabel"] = str(inputs.selinux.file)
    if propagation := mounts.rootfs_propagation(config.mounts):
        result["rootfsPropagation"] = propagation
    if inputs.devices:
        result["devices"] = [
            {
                "path": node.path,
                "type": node.kind,
                "major": node.major,
                "minor": node.minor,
                "fileMode": node.mode,
                "uid": node.uid,
                "gid": node.gid,
            }
            for node in inputs.devices
        ]
    if not config.security.privileged:
        result["maskedPaths"] = list(config.security.masked_paths)
        result["readonlyPaths"] = list(config.security.readonly_paths)
        if profile := seccomp_profile(inputs):
            result["seccomp"] = profile
    return result


def device_rules(inputs: SpecInputs) -> list[dict[str, Any]]:
    """The device cgroup: everything for privileged containers, otherwise defaults and requested devices."""
    if inputs.config.security.privileged:
        return [{"allow": True, "access": "rwm"}]
    allowed = [
        {"allow": True, "type": node.kind, "major": node.major, "minor": node.minor, "access": node.permissions}
        for node in inputs.devices
    ]
    return [{"allow": False, "access": "rwm"}, *allowed]


def seccomp_profile(inputs: SpecInputs) -> dict[str, Any] | None:
    """The container's OCI seccomp section. None means unconfined."""
    security = inputs.config.security
    return seccomp_section(
        security.seccomp,
        inputs.host,
        capabilities.granted(security, inputs.host.capabilities),
        default=inputs.default_profile,
        localhost=inputs.localhost_profile,
    )


def seccomp_section(
    wanted: SecurityProfile | None,
    host: HostAbilities,
    granted: Iterable[str],
    *,
    default: dict[str, Any] | None,
    localhost: dict[str, Any] | None,
) -> dict[str, Any] | None:
    """The section for `wanted`, for a process with the capabilities `granted`. Raises FailedPrecondition.

    `default` and `localhost` are the profiles for RuntimeDefault and Localhost.
    """
    if wanted is None or wanted.kind is ProfileType.UNCONFINED:
        return None
    if not host.seccomp:
        if wanted.kind is ProfileType.RUNTIME_DEFAULT:
            return None  # the kubelet sends it by default, and hosts without seccomp must still run pods
        raise FailedPrecondition("this kernel has no seccomp", hint="request the profile Unconfined")
    profile = default if wanted.kind is ProfileType.RUNTIME_DEFAULT else localhost
    if profile is None:
        raise FailedPrecondition(
            "there is no default seccomp profile on this host",
            hint="install the package that brings seccomp.json, or set containers.seccomp_profile",
        )
    return seccomp.oci_seccomp(profile, machine=host.machine, capabilities=granted, kernel=host.kernel)


def namespace_paths(
    sandbox: Sandbox, config: ContainerConfig, pins: dict[str, str], *, target_pid: int, private_cgroup: bool
) -> dict[str, str]:
    """The namespaces that a container joins (path) or gets (""). Those of the host are left out.

    `pins` are the sandbox's pinned namespaces by OCI type ("network", "ipc", "uts"). `target_pid` is the process
    whose PID namespace is joined for TARGET and POD, or 0 if POD means the host's, because the sandbox uses that.
    """
    modes = config.security.namespaces
    result = {"mount": "", **pins}
    if modes.pid is NamespaceMode.CONTAINER:
        result["pid"] = ""
    elif modes.pid is not NamespaceMode.NODE and target_pid:
        result["pid"] = f"/proc/{target_pid}/ns/pid"
    if private_cgroup and not config.security.privileged:
        result["cgroup"] = ""
    if modes.user is not None and modes.user != (sandbox.config.security.namespaces.user or HOST_USERS):
        raise InvalidArgument(
            f"container {config.name} requests another user namespace than its sandbox {sandbox.id[:12]}"
        )
    for kind in ("network", "ipc"):
        if getattr(modes, kind) is NamespaceMode.NODE and kind in result:
            raise InvalidArgument(
                f"container {config.name} wants the host's {kind} namespace, and sandbox {sandbox.id[:12]} has its own"
            )
    return result

"""The requests that create containers in the Engine, from CRI's configurations. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from podwright.runtime.engines.docker import labels, limits
from podwright.runtime.engines.docker.cgroup_names import engine_parent
from podwright.runtime.engines.docker.facts import EngineFacts
from podwright.runtime.model.base import NamespaceMode, ProfileType, Resources, SecurityProfile, SelinuxOptions
from podwright.runtime.model.container import Container, ContainerConfig, Mount, Propagation
from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.sandbox.host_parts import ipc_sysctls
from podwright.runtime.sandbox.paths import SandboxPaths

PROPAGATIONS = {
    Propagation.PRIVATE: "rprivate",
    Propagation.HOST_TO_CONTAINER: "rslave",
    Propagation.BIDIRECTIONAL: "rshared",
}
NO_LOG = {"Type": "none", "Config": {}}
# Never rotated by the Engine: `logs` reads the file to its end, and gives back the disk space of what it has read.
LOG = {"Type": "json-file", "Config": {"max-size": "1000p", "mode": "blocking"}}
NO_HEALTHCHECK = {"Test": ["NONE"]}  # of the image: the kubelet has probes
ETC = ("hostname", "hosts", "resolv.conf")
PAUSE_SHARES = 2


class SandboxInputs(msgspec.Struct, frozen=True, kw_only=True):
    """What the request for a pod's first process depends on."""

    root: str
    facts: EngineFacts
    sandbox: Sandbox
    image: str
    runtime: str
    hostname: str
    shm_size_bytes: int
    oom_score_adj: int
    default_seccomp: dict[str, Any] | None
    localhost_seccomp: dict[str, Any] | None


class ContainerInputs(msgspec.Struct, frozen=True, kw_only=True):
    """What the request for a container depends on.

    `pause` and `target` are ids in the Engine: of the pod's first process, and of the container whose PID namespace is
    joined. `mounts` have their links resolved. `default_seccomp` None means the Engine's own profile.
    """

    root: str
    facts: EngineFacts
    sandbox: Sandbox
    container: Container
    pause: str
    target: str
    runtime: str
    files: SandboxPaths
    mounts: tuple[Mount, ...]
    resources: Resources
    capabilities: tuple[str, ...]
    stop_signal: int
    default_seccomp: dict[str, Any] | None
    localhost_seccomp: dict[str, Any] | None


def sandbox_body(inputs: SandboxInputs) -> dict[str, Any]:
    """The request for a pod's first process, which holds its namespaces."""
    config = inputs.sandbox.config
    modes = config.security.namespaces
    is_host = modes.network is NamespaceMode.NODE
    security = config.security
    return {
        "Image": inputs.image,
        "User": "" if security.run_as_user is None else f"{security.run_as_user}:{security.run_as_group or 0}",
        "Labels": labels.of_sandbox(inputs.root, config),
        **({} if is_host else {"Hostname": inputs.hostname}),
        "HostConfig": {
            "NetworkMode": "host" if is_host else "none",  # our own network plugs it in
            "UTSMode": "host" if is_host else "",
            "IpcMode": "host" if modes.ipc is NamespaceMode.NODE else "shareable",
            "PidMode": "host" if modes.pid is NamespaceMode.NODE else "",
            "CgroupParent": engine_parent(inputs.sandbox.cgroup_parent, systemd=inputs.facts.systemd),
            "Runtime": inputs.runtime,
            "Sysctls": ipc_sysctls(config),
            "ShmSize": inputs.shm_size_bytes,
            "GroupAdd": [str(group) for group in security.supplemental_groups],
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": [
                "no-new-privileges:true",
                *_seccomp(security.seccomp, inputs.default_seccomp, inputs.localhost_seccomp),
                *_apparmor(security.apparmor, is_privileged=False),
                *_selinux(security.selinux),
            ],
            "CpuShares": PAUSE_SHARES,
            "OomScoreAdj": inputs.oom_score_adj,
            "LogConfig": NO_LOG,
            "RestartPolicy": {"Name": "no"},
        },
    }


def container_body(inputs: ContainerInputs) -> dict[str, Any]:
    """The request for a container."""
    config = inputs.container.config
    return {
        "Image": inputs.container.image_id,
        "Labels": labels.of_container(inputs.root, inputs.sandbox.id, inputs.sandbox.config, config),
        **({"Entrypoint": list(config.command)} if config.command else {}),
        **({"Cmd": list(config.args)} if config.args else {}),
        "Env": [f"{name}={value}" for name, value in config.envs],
        "WorkingDir": config.working_dir,
        "User": user_text(config),
        "Tty": config.tty,
        "OpenStdin": config.stdin,
        "StdinOnce": config.stdin_once,
        "StopSignal": str(inputs.stop_signal),
        "Healthcheck": NO_HEALTHCHECK,
        "HostConfig": _host_config(inputs),
    }


def _host_config(inputs: ContainerInputs) -> dict[str, Any]:
    config = inputs.container.config
    security = config.security
    privileged = security.privileged
    return {
        **_namespaces(inputs),
        **limits.fields(inputs.resources, new=True),
        "OomScoreAdj": inputs.resources.oom_score_adj,
        "CgroupParent": engine_parent(inputs.sandbox.cgroup_parent, systemd=inputs.facts.systemd),
        "Runtime": inputs.runtime,
        "Privileged": privileged,
        "CapAdd": list(inputs.capabilities),  # all that it has, because ALL would ask for what this host lacks
        "CapDrop": ["ALL"],
        "GroupAdd": [str(group) for group in security.supplemental_groups],
        "ReadonlyRootfs": security.readonly_rootfs,
        "MaskedPaths": [] if privileged else list(security.masked_paths),
        "ReadonlyPaths": [] if privileged else list(security.readonly_paths),
        "SecurityOpt": [
            *(["no-new-privileges:true"] if security.no_new_privs else []),
            *(
                ["seccomp=unconfined"]
                if privileged
                else _seccomp(security.seccomp, inputs.default_seccomp, inputs.localhost_seccomp)
            ),
            *_apparmor(security.apparmor, is_privileged=privileged),
            *_selinux(security.selinux),
        ],
        "Devices": [
            {
                "PathOnHost": device.host_path,
                "PathInContainer": device.container_path,
                "CgroupPermissions": device.permissions,
            }
            for device in config.devices
        ],
        "Mounts": [_mount(mount) for mount in (*_etc(inputs), *inputs.mounts) if not mount.selinux_relabel],
        "Binds": [_bind(mount) for mount in inputs.mounts if mount.selinux_relabel],
        "LogConfig": LOG if inputs.container.log_path else NO_LOG,
        "RestartPolicy": {"Name": "no"},
    }


def _namespaces(inputs: ContainerInputs) -> dict[str, str]:
    pod, own = inputs.sandbox.config.security.namespaces, inputs.container.config.security.namespaces
    is_host = pod.network is NamespaceMode.NODE
    privileged = inputs.container.config.security.privileged
    match own.pid:
        case NamespaceMode.NODE:
            pid = "host"
        case NamespaceMode.TARGET:
            pid = f"container:{inputs.target}"
        case NamespaceMode.POD:
            pid = "host" if pod.pid is NamespaceMode.NODE else f"container:{inputs.pause}"
        case _:
            pid = ""
    return {
        "NetworkMode": "host" if is_host else f"container:{inputs.pause}",
        "UTSMode": "host" if is_host else "",
        "IpcMode": "host" if pod.ipc is NamespaceMode.NODE else f"container:{inputs.pause}",
        "PidMode": pid,
        # As with the native engine. The Engine's own default depends on its settings and its version.
        "CgroupnsMode": "private" if inputs.facts.cgroup_v2 and not privileged else "host",
    }


def user_text(config: ContainerConfig) -> str:
    """The user as the Engine takes it: a name or a number, with a group or without. Empty: the image's."""
    security = config.security
    if security.run_as_username:
        user = security.run_as_username
    elif security.run_as_user is not None:
        user = str(security.run_as_user)
    else:
        return ""
    return user if security.run_as_group is None else f"{user}:{security.run_as_group}"


def _etc(inputs: ContainerInputs) -> list[Mount]:
    """The pod's files in /etc, unless the request has its own there."""
    taken = {mount.container_path.rstrip("/") for mount in inputs.mounts}
    sources = dict(zip(ETC, (inputs.files.hostname, inputs.files.hosts, inputs.files.resolv_conf), strict=True))
    is_read_only = inputs.container.config.security.readonly_rootfs
    return [
        Mount(container_path=f"/etc/{name}", host_path=source, readonly=is_read_only)
        for name, source in sources.items()
        if f"/etc/{name}" not in taken
    ]


def _mount(mount: Mount) -> dict[str, Any]:
    return {
        "Type": "bind",
        "Source": mount.host_path,
        "Target": mount.container_path,
        "ReadOnly": mount.readonly,
        "BindOptions": {"Propagation": PROPAGATIONS[mount.propagation]},
    }


def _bind(mount: Mount) -> str:
    """A mount in the only form that has SELinux's labels."""
    modes = ["ro" if mount.readonly else "rw", PROPAGATIONS[mount.propagation], "Z"]
    return f"{mount.host_path}:{mount.container_path}:{','.join(modes)}"


def _seccomp(
    wanted: SecurityProfile | None, default: dict[str, Any] | None, localhost: dict[str, Any] | None
) -> list[str]:
    if wanted is None or wanted.kind is ProfileType.UNCONFINED:
        return ["seccomp=unconfined"]
    profile = default if wanted.kind is ProfileType.RUNTIME_DEFAULT else localhost
    return [] if profile is None else [f"seccomp={msgspec.json.encode(profile).decode()}"]


def _apparmor(wanted: SecurityProfile | None, *, is_privileged: bool) -> list[str]:
    if wanted is None or wanted.kind is ProfileType.RUNTIME_DEFAULT or is_privileged:
        return []
    if wanted.kind is ProfileType.UNCONFINED:
        return ["apparmor=unconfined"]
    return [f"apparmor={wanted.localhost_ref.removeprefix('localhost/')}"]


def _selinux(wanted: SelinuxOptions | None) -> list[str]:
    if wanted is None:
        return []
    parts = {"user": wanted.user, "role": wanted.role, "type": wanted.type, "level": wanted.level}
    return [f"label={name}:{value}" for name, value in parts.items() if value]

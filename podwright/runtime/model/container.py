"""A container: its request (`ContainerConfig`) and its record (`Container`)."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any

from podwright.runtime.model.base import IdMapping, NamespaceOptions, Resources, SecurityProfile, SelinuxOptions, Value
from podwright.runtime.model.ids import ContainerId, ImageId, SandboxId


class ContainerState(StrEnum):
    """CREATING --> CREATED --> RUNNING --> EXITED --> removed. If the start fails: CREATED --> EXITED.

    Clients never see CREATING. A daemon that finds such a record at its start undoes it. States never go back.
    """

    CREATING = "creating"
    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"


class Propagation(IntEnum):
    """CRI's MountPropagation."""

    PRIVATE = 0
    HOST_TO_CONTAINER = 1
    BIDIRECTIONAL = 2


class GroupsPolicy(IntEnum):
    """CRI's SupplementalGroupsPolicy."""

    MERGE = 0
    STRICT = 1


class ImageSpec(Value, frozen=True, kw_only=True):
    """CRI's ImageSpec. `image` is a name or an id."""

    image: str
    annotations: dict[str, str] = {}
    user_specified_image: str = ""
    runtime_handler: str = ""
    image_ref: str = ""


class Mount(Value, frozen=True, kw_only=True):
    """CRI's Mount: a host path, or an image, inside the container."""

    container_path: str
    host_path: str = ""
    readonly: bool = False
    recursive_read_only: bool = False
    selinux_relabel: bool = False
    propagation: Propagation = Propagation.PRIVATE
    uid_mappings: tuple[IdMapping, ...] = ()
    gid_mappings: tuple[IdMapping, ...] = ()
    image: ImageSpec | None = None
    image_sub_path: str = ""
    options: tuple[str, ...] = ()


class Device(Value, frozen=True, kw_only=True):
    """CRI's Device. `permissions` is a subset of "rwm"."""

    container_path: str
    host_path: str
    permissions: str = "rwm"


class ContainerSecurity(Value, frozen=True, kw_only=True):
    """CRI's LinuxContainerSecurityContext."""

    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()
    add_ambient_capabilities: tuple[str, ...] = ()
    privileged: bool = False
    namespaces: NamespaceOptions = NamespaceOptions()
    selinux: SelinuxOptions | None = None
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_username: str = ""
    readonly_rootfs: bool = False
    supplemental_groups: tuple[int, ...] = ()
    groups_policy: GroupsPolicy = GroupsPolicy.MERGE
    no_new_privs: bool = False
    masked_paths: tuple[str, ...] = ()
    readonly_paths: tuple[str, ...] = ()
    seccomp: SecurityProfile | None = None
    apparmor: SecurityProfile | None = None


class ContainerConfig(Value, frozen=True, kw_only=True):
    """CRI's ContainerConfig. `log_path` is relative to the sandbox's log directory."""

    name: str
    attempt: int = 0
    image: ImageSpec
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    envs: tuple[tuple[str, str], ...] = ()
    mounts: tuple[Mount, ...] = ()
    devices: tuple[Device, ...] = ()
    cdi_devices: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    log_path: str = ""
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    resources: Resources = Resources()
    security: ContainerSecurity = ContainerSecurity()
    stop_signal: int = 0  # in CRI's numbering; 0: the image's, or SIGTERM


class User(Value, frozen=True, kw_only=True):
    """The user and groups of the container's first process, as numbers."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


class Container(Value, frozen=True, kw_only=True):
    """The record of a container. Times are in nanoseconds since the epoch, 0 if it has not happened.

    `image_id` and `image_ref` are kept because clients see them even after the image is removed. `pid` is the first
    process on this host, or 0. `task` is the handler's part of the record, and only the handler reads it. `cgroup` is
    the one in the spec, but the handler may use another.
    """

    id: ContainerId
    sandbox_id: SandboxId
    config: ContainerConfig
    state: ContainerState
    created_at: int
    image_id: ImageId
    image_name: str
    image_ref: str
    log_path: str
    user: User
    stop_signal: int  # the kernel's number
    cgroup: str
    resources: Resources = Resources()  # the current limits: as granted on this host, and updated since
    is_restored: bool = False  # it continues from a checkpoint when it is started
    volume_images: tuple[ImageId, ...] = ()  # images of the mounts that name one, in order
    started_at: int = 0
    finished_at: int = 0
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    pid: int = 0
    task: dict[str, Any] = {}

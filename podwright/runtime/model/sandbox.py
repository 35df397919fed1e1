"""A pod sandbox: what was asked for (`SandboxConfig`) and what became of it (`Sandbox`)."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any

from podwright.runtime.model.base import NamespaceOptions, Resources, SecurityProfile, SelinuxOptions, Value
from podwright.runtime.model.ids import SandboxId


class SandboxState(StrEnum):
    """CREATING --(all steps done)--> READY --(its processes died)--> NOTREADY --> removed.
                                      \\--StopPodSandbox--> STOPPING --(all is down)--^

    CREATING is never shown; the daemon that finds such a record at its start undoes it. STOPPING is shown as
    NOTREADY; it stays when something cannot be taken down, and the next StopPodSandbox goes on. The way back from
    NOTREADY is StartPodSandbox, which a kubelet does not use: it makes a new sandbox with the next attempt.
    """

    CREATING = "creating"
    READY = "ready"
    STOPPING = "stopping"
    NOTREADY = "notready"


class Protocol(IntEnum):
    """CRI's Protocol."""

    TCP = 0
    UDP = 1
    SCTP = 2


class SandboxName(Value, frozen=True, kw_only=True):
    """CRI's PodSandboxMetadata: all four together are unique."""

    name: str
    namespace: str
    uid: str
    attempt: int = 0


class DnsConfig(Value, frozen=True, kw_only=True):
    """Lines of resolv.conf; none at all is an empty file, which differs from no DnsConfig."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class PortMapping(Value, frozen=True, kw_only=True):
    """A host port; `host_ip` empty means every address."""

    container_port: int
    host_port: int
    protocol: Protocol = Protocol.TCP
    host_ip: str = ""


class SandboxSecurity(Value, frozen=True, kw_only=True):
    """CRI's LinuxSandboxSecurityContext."""

    namespaces: NamespaceOptions = NamespaceOptions()
    selinux: SelinuxOptions | None = None
    run_as_user: int | None = None
    run_as_group: int | None = None
    readonly_rootfs: bool = False
    supplemental_groups: tuple[int, ...] = ()
    privileged: bool = False
    seccomp: SecurityProfile | None = None
    apparmor: SecurityProfile | None = None


class SandboxConfig(Value, frozen=True, kw_only=True):
    """What a sandbox shall be."""

    name: SandboxName
    hostname: str = ""
    log_directory: str = ""
    dns: DnsConfig | None = None
    port_mappings: tuple[PortMapping, ...] = ()
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    cgroup_parent: str = ""
    sysctls: dict[str, str] = {}
    security: SandboxSecurity = SandboxSecurity()
    overhead: Resources | None = None
    resources: Resources | None = None


class Attachment(Value, frozen=True, kw_only=True):
    """How a sandbox is on its network: the addresses, primary first, and what the backend needs to undo it."""

    backend: str  # "bridge" or "cni"
    ips: tuple[str, ...] = ()
    interface: str = "eth0"
    detail: dict[str, str] = {}


class Sandbox(Value, frozen=True, kw_only=True):
    """The record of a sandbox. Times in nanoseconds since the epoch.

    `netns` is the path of the pinned network namespace, empty for the host's; `attachment` is None until the network
    is up, and again once it is down. `process` is what the handler must find again of the pod's first process, empty
    when there is none; only the handler looks inside. `pid` is that process on this host, 0 where the host has none.
    `selinux_level` keeps the pod's things apart from other pods' on a host with SELinux.
    """

    id: SandboxId
    config: SandboxConfig
    handler: str
    requested_handler: str = ""  # as the request spelt it: empty for the default
    state: SandboxState
    created_at: int
    netns: str = ""
    attachment: Attachment | None = None
    cgroup_parent: str = ""
    pid: int = 0
    process: dict[str, Any] = {}
    selinux_level: str = ""
    overhead: Resources | None = None  # as updated since, None: as in the config
    resources: Resources | None = None  # as above

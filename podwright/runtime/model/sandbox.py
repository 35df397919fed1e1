"""A pod sandbox: its request (`SandboxConfig`) and its record (`Sandbox`)."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any

from podwright.runtime.model.base import NamespaceOptions, Resources, SecurityProfile, SelinuxOptions, Value
from podwright.runtime.model.ids import SandboxId


class SandboxState(StrEnum):
    r"""The states of a sandbox.

        CREATING --(all steps done)--> READY --(its processes died)--> NOTREADY --> removed.
                                         \--StopPodSandbox--> STOPPING --(all is down)--^

    Clients never see CREATING. A daemon that finds such a record at its start undoes it. Clients see STOPPING as
    NOTREADY. It stays if something cannot be removed, and the next StopPodSandbox continues. StartPodSandbox leads
    from NOTREADY back to READY. A kubelet does not use it, but makes a new sandbox with the next attempt.
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
    """CRI's PodSandboxMetadata. The four fields together are unique."""

    name: str
    namespace: str
    uid: str
    attempt: int = 0


class DnsConfig(Value, frozen=True, kw_only=True):
    """Lines of resolv.conf. Without any, the file is empty, which differs from no DnsConfig."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class PortMapping(Value, frozen=True, kw_only=True):
    """A host port. An empty `host_ip` means every address."""

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
    """CRI's PodSandboxConfig."""

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
    """A sandbox's network attachment: the addresses, primary first, and the data that the backend needs to undo it."""

    backend: str  # "bridge" or "cni"
    ips: tuple[str, ...] = ()
    interface: str = "eth0"
    detail: dict[str, str] = {}


class Sandbox(Value, frozen=True, kw_only=True):
    """The record of a sandbox. Times are in nanoseconds since the epoch.

    `netns` is the pin of the network namespace, empty for the host's. `attachment` is None while the network is not
    attached. `process` is the handler's record of the pod's first process, empty if there is none, and only the
    handler reads it. `pid` is that process on this host, or 0. `selinux_level` separates the pod from other pods on a
    host with SELinux.
    """

    id: SandboxId
    config: SandboxConfig
    handler: str
    requested_handler: str = ""  # as in the request: empty for the default
    state: SandboxState
    created_at: int
    netns: str = ""
    attachment: Attachment | None = None
    cgroup_parent: str = ""
    pid: int = 0
    process: dict[str, Any] = {}
    selinux_level: str = ""
    overhead: Resources | None = None  # as last updated; None: as in the config
    resources: Resources | None = None  # as above

"""Whether a sandbox can be what its config requests: pure checks before any change."""

from __future__ import annotations

import re

from podwright.errors import InvalidArgument
from podwright.runtime.model.base import (
    NamespaceMode,
    NamespaceOptions,
    check_ids,
    check_namespaces,
    check_no_nul,
    check_path,
    check_profile,
)
from podwright.runtime.model.sandbox import SandboxConfig
from podwright.runtime.security import selinux

NAME_LIMIT = 253  # of a DNS subdomain, the longest name in Kubernetes
ID_COUNT = 2**32 - 1  # the last 32-bit value means "no id"
HOSTNAME_LIMIT = 64  # the kernel's (__NEW_UTS_LEN)
# Sysctls that the kernel keeps per namespace. All others would change the host.
IPC_SYSCTLS = re.compile(r"kernel[./](shm\w+|msg\w+|sem)|fs[./]mqueue[./]\w+")
NET_SYSCTLS = re.compile(r"net[./][\w./:@-]+")


def check(config: SandboxConfig) -> None:
    """Raises InvalidArgument."""
    check_no_nul("sandbox config", config)
    for field in ("name", "namespace", "uid"):
        value = getattr(config.name, field)
        if not value:
            raise InvalidArgument(f"sandbox config: metadata.{field} is missing")
        if len(value) > NAME_LIMIT or "/" in value:
            raise InvalidArgument(f"sandbox config: metadata.{field} {value[:40]!r} is not a name")
    label = f"sandbox {config.name.namespace}/{config.name.name}"
    if len(config.hostname.encode()) > HOSTNAME_LIMIT or "\n" in config.hostname:
        raise InvalidArgument(f"{label}: hostname {config.hostname[:80]!r} must have at most {HOSTNAME_LIMIT} bytes")
    if config.log_directory and not config.log_directory.startswith("/"):
        raise InvalidArgument(f"{label}: log_directory {config.log_directory[:200]!r} is not absolute")
    check_path(f"{label}: log_directory", config.log_directory)
    check_path(f"{label}: cgroup_parent", config.cgroup_parent)
    if ".." in config.cgroup_parent.split("/"):
        raise InvalidArgument(f"{label}: cgroup_parent {config.cgroup_parent!r} must not contain ..")
    security = config.security
    if security.run_as_group is not None and security.run_as_user is None:
        raise InvalidArgument(f"{label}: run_as_group is given without run_as_user")
    check_ids(label, security.run_as_user, security.run_as_group, *security.supplemental_groups)
    selinux.check(label, security.selinux)
    check_profile(f"{label}: seccomp", security.seccomp)
    check_profile(f"{label}: apparmor", security.apparmor)
    _check_namespaces(label, security.namespaces)
    _check_dns(label, config)
    _check_ports(label, config)
    _check_sysctls(label, config)


def _check_namespaces(label: str, modes: NamespaceOptions) -> None:
    if modes.pid is NamespaceMode.TARGET:
        raise InvalidArgument(f"{label}: the pid namespace mode TARGET is for containers, not for a sandbox")
    check_namespaces(label, modes)
    user = modes.user
    if user is None:
        return
    if user.mode is NamespaceMode.NODE:
        if user.uids or user.gids:
            raise InvalidArgument(f"{label}: the host's user namespace takes no mappings")
        return
    if user.mode is not NamespaceMode.POD or len(user.uids) != 1 or len(user.gids) != 1:
        raise InvalidArgument(f"{label}: a user namespace needs mode POD and exactly one uid and one gid mapping")
    for mapping in (*user.uids, *user.gids):
        if mapping.container_id != 0 or mapping.length < 1:
            raise InvalidArgument(f"{label}: the mappings of the user namespace must include id 0, the pod's root")
        if mapping.host_id + mapping.length > ID_COUNT:
            raise InvalidArgument(f"{label}: {mapping.length} ids from {mapping.host_id} on exceed the range of ids")


def _check_dns(label: str, config: SandboxConfig) -> None:
    """Raises InvalidArgument for values that would add other lines to resolv.conf."""
    if config.dns is None:
        return
    for entry in (*config.dns.servers, *config.dns.searches, *config.dns.options):
        if not entry or entry.split() != [entry]:
            raise InvalidArgument(f"{label}: dns_config: {entry[:80]!r} must not contain white space")


def _check_ports(label: str, config: SandboxConfig) -> None:
    for port in config.port_mappings:
        if not 0 <= port.host_port <= 65535 or not 0 <= port.container_port <= 65535:
            raise InvalidArgument(f"{label}: port mapping {port.host_port}:{port.container_port} is out of range")
        if port.host_port and not port.container_port:
            raise InvalidArgument(f"{label}: host port {port.host_port} has no container port")


def _check_sysctls(label: str, config: SandboxConfig) -> None:
    modes = config.security.namespaces
    for name, value in config.sysctls.items():
        parts = re.split(r"[./]", name)
        if "" in parts or "\n" in value:
            raise InvalidArgument(f"{label}: sysctl {name!r} is malformed")
        is_net, is_ipc = bool(NET_SYSCTLS.fullmatch(name)), bool(IPC_SYSCTLS.fullmatch(name))
        if not is_net and not is_ipc:
            raise InvalidArgument(f"{label}: sysctl {name} is not namespaced: it would change the host")
        if is_net and modes.network is NamespaceMode.NODE:
            raise InvalidArgument(f"{label}: sysctl {name} would change the host: the pod uses the host's network")
        if is_ipc and modes.ipc is NamespaceMode.NODE:
            raise InvalidArgument(
                f"{label}: sysctl {name} would change the host: the pod uses the host's IPC namespace"
            )

"""Refuses pods that set kernel parameters which are neither safe nor allowed by the configuration. Pure.

A parameter must belong to a namespace, else it changes the whole node. The rules are the kubelet's (pkg/kubelet/sysctl
of Kubernetes 1.36). The kubelet's minimum kernel versions (at most 4.15) are older than any that Podwright runs on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from podwright.agent.admission.chain import Refusal
from podwright.agent.configs.sysctls import dotted
from podwright.errors import InvalidArgument
from podwright.k8s.objects import Pod

SAFE = (
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
)
IPC, NET = "IPC", "Net"
IPC_NAMES = frozenset(
    {"kernel.sem", "kernel.shm", "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"}
    | {"kernel.msg", "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni"}
)
PREFIXES = {"net.": NET, "fs.mqueue.": IPC}


class SysctlCheck:
    """A `chain.Check`."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """`patterns` has further names. `*` at the end matches any rest. Raises InvalidArgument."""
        self._names: dict[str, str] = {}
        self._prefixes: dict[str, str] = {}
        for pattern in (*SAFE, *patterns):
            name, star, _ = dotted(pattern).partition("*")
            namespace = namespace_of(name)
            if namespace is None:
                raise InvalidArgument(
                    f"allowedUnsafeSysctls: {pattern} has no namespace of its own and would change the whole node",
                    hint="set it on the node",
                )
            (self._prefixes if star else self._names)[name] = namespace

    def __call__(self, pod: Pod, others: Sequence[Pod]) -> Refusal | None:  # noqa: ARG002 # the protocol's
        context = pod.spec.security_context
        for sysctl in context.sysctls if context is not None else ():
            if fault := self._fault(dotted(sysctl.name), pod):
                return Refusal(reason="SysctlForbidden", message=f"forbidden sysctl: {fault}")
        return None

    def _fault(self, name: str, pod: Pod) -> str:
        namespace = self._names.get(name) or next(
            (namespace for prefix, namespace in self._prefixes.items() if name.startswith(prefix)), None
        )
        if namespace is None:
            return f'"{name}" not allowlisted'
        if (namespace == IPC and pod.spec.host_ipc) or (namespace == NET and pod.spec.host_network):
            return f'"{name}" not allowed with host {namespace} enabled'
        return ""


def namespace_of(name: str) -> str | None:
    """The namespace of a parameter, or of all parameters that begin with `name`. None if it is the host's."""
    if name in IPC_NAMES:
        return IPC
    return next((namespace for prefix, namespace in PREFIXES.items() if name.startswith(prefix)), None)

"""What the API server would refuse in a Pod, and what could not run on one machine. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator

from podwright.agent.seed.manifest.container import Container, ContainerPort
from podwright.agent.seed.manifest.names import is_env_name, is_label, is_label_key, is_label_value, is_subdomain
from podwright.agent.seed.manifest.pod import Pod
from podwright.agent.seed.manifest.problems import Problem
from podwright.agent.seed.manifest.validate_volumes import validate_mounts, validate_volumes
from podwright.errors import InvalidArgument
from podwright.k8s.quantity import parse_nano

PORT_MAX = 65535
ID_MAX = 2**31 - 1
# The names in CRI's Signal enum.
_SIGNAL = re.compile(
    "SIG(ABRT|ALRM|BUS|CHLD|CLD|CONT|FPE|HUP|ILL|INT|IO|IOT|KILL|PIPE|POLL|PROF|PWR|QUIT|SEGV|STKFLT|STOP|SYS|TERM"
    "|TRAP|TSTP|TTIN|TTOU|URG|USR1|USR2|VTALRM|WINCH|XCPU|XFSZ|RTMIN|RTMAX|RTMINPLUS([1-9]|1[0-5])"
    "|RTMAXMINUS([1-9]|1[0-4]))"
)
_UID = re.compile(r"[A-Za-z0-9][-A-Za-z0-9]{0,62}")


def validate(pod: Pod) -> Iterator[Problem]:
    """Every fault of the pod itself; references to other objects are `validate_references`' work."""
    yield from _metadata(pod)
    yield from _spec(pod)
    yield from validate_volumes(pod)
    volumes = {volume.name for volume in pod.spec.volumes}
    seen: set[str] = set()
    for path, container in pod.all_containers():
        if container.name in seen:
            yield Problem(path=f"{path}.name", message=f"{container.name} is given twice")
        seen.add(container.name)
        yield from _container(path, container)
        yield from validate_mounts(path, container, volumes)
        lifecycle = container.lifecycle
        hooked = lifecycle.post_start is not None or lifecycle.pre_stop is not None
        if hooked and pod.is_init(container.name) and not pod.is_sidecar(container):
            yield Problem(path=f"{path}.lifecycle", message="init containers have no hooks, unless they are sidecars")
    yield from _host_ports(pod)


def _metadata(pod: Pod) -> Iterator[Problem]:
    metadata = pod.metadata
    if not is_subdomain(metadata.name):
        message = f"{metadata.name!r} is not a DNS name (lower case letters, digits, '-' and '.')"
        yield Problem(path="metadata.name", message=message)
    if not is_label(metadata.namespace):
        yield Problem(path="metadata.namespace", message=f"{metadata.namespace!r} is not a DNS label")
    if metadata.uid and not _UID.fullmatch(metadata.uid):
        # It names directories.
        yield Problem(path="metadata.uid", message="is of letters, digits and '-', 63 at most")
    for key, value in metadata.labels.items():
        if not is_label_key(key) or not is_label_value(value):
            yield Problem(path=f"metadata.labels[{key}]", message="is not a label")
    for key in metadata.annotations:
        if not is_label_key(key):
            yield Problem(path=f"metadata.annotations[{key}]", message="is not an annotation's key")


def _spec(pod: Pod) -> Iterator[Problem]:
    spec = pod.spec
    if not spec.containers:
        yield Problem(path="spec.containers", message="at least one container is needed")
    for name in ("hostname", "subdomain"):
        value = getattr(spec, name)
        if value and not is_label(value):
            yield Problem(path=f"spec.{name}", message=f"{value!r} is not a DNS label")
    if spec.termination_grace_period_seconds < 0:
        yield Problem(path="spec.terminationGracePeriodSeconds", message="is negative")
    if spec.host_pid and spec.share_process_namespace:
        yield Problem(path="spec.shareProcessNamespace", message="excludes spec.hostPID")
    if spec.dns_policy == "None" and not spec.dns_config.nameservers:
        yield Problem(path="spec.dnsConfig.nameservers", message="is required with dnsPolicy None")
    for index, server in enumerate(spec.dns_config.nameservers):
        yield from _address(f"spec.dnsConfig.nameservers[{index}]", server)
    for index, alias in enumerate(spec.host_aliases):
        yield from _address(f"spec.hostAliases[{index}].ip", alias.ip)
        for number, hostname in enumerate(alias.hostnames):
            if not is_subdomain(hostname):
                where = f"spec.hostAliases[{index}].hostnames[{number}]"
                yield Problem(path=where, message=f"{hostname!r} is not a DNS name")
    yield from _security(pod)


def _security(pod: Pod) -> Iterator[Problem]:
    context = pod.spec.security_context
    for index, sysctl in enumerate(context.sysctls):
        path = f"spec.securityContext.sysctls[{index}].name"
        if pod.spec.host_network and sysctl.name.replace("/", ".").startswith("net."):
            yield Problem(path=path, message=f"{sysctl.name} would change the host's network (hostNetwork)")
        shared = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")
        if pod.spec.host_ipc and sysctl.name.replace("/", ".").startswith(shared):
            yield Problem(path=path, message=f"{sysctl.name} would change the host's IPC (hostIPC)")
    yield from _ids("spec.securityContext", context.run_as_user, context.run_as_group)
    groups = [*context.supplemental_groups, *([] if context.fs_group is None else [context.fs_group])]
    if any(not 0 <= group <= ID_MAX for group in groups):
        yield Problem(path="spec.securityContext", message=f"groups are of 0 to {ID_MAX}")


def _ids(path: str, user: int | None, group: int | None) -> Iterator[Problem]:
    for name, value in (("runAsUser", user), ("runAsGroup", group)):
        if value is not None and not 0 <= value <= ID_MAX:
            yield Problem(path=f"{path}.{name}", message=f"is not in 0 to {ID_MAX}")


def _container(path: str, container: Container) -> Iterator[Problem]:
    if not is_label(container.name):
        yield Problem(path=f"{path}.name", message=f"{container.name!r} is not a DNS label")
    if not container.image or container.image != container.image.strip():
        yield Problem(path=f"{path}.image", message="is empty or has spaces around it")
    for index, variable in enumerate(container.env):
        if not is_env_name(variable.name):
            message = f"{variable.name!r} is not a variable's name"
            yield Problem(path=f"{path}.env[{index}].name", message=message)
    for index, port in enumerate(container.ports):
        yield from _port(f"{path}.ports[{index}]", port)
    yield from _resources(f"{path}.resources", container)
    context = container.security_context
    yield from _ids(f"{path}.securityContext", context.run_as_user, context.run_as_group)
    if context.allow_privilege_escalation is False and context.privileged:
        message = "cannot be false in a privileged container"
        yield Problem(path=f"{path}.securityContext.allowPrivilegeEscalation", message=message)
    if container.lifecycle.stop_signal and not _SIGNAL.fullmatch(container.lifecycle.stop_signal):
        yield Problem(path=f"{path}.lifecycle.stopSignal", message="is not a signal's name such as SIGTERM")
    for name, hook in (("postStart", container.lifecycle.post_start), ("preStop", container.lifecycle.pre_stop)):
        if hook is not None and hook.exec is not None and not hook.exec.command:
            yield Problem(path=f"{path}.lifecycle.{name}.exec.command", message="is empty")


def _port(path: str, port: ContainerPort) -> Iterator[Problem]:
    if not 0 < port.container_port <= PORT_MAX:
        yield Problem(path=f"{path}.containerPort", message=f"is not in 1 to {PORT_MAX}")
    if port.host_port is not None and not 0 <= port.host_port <= PORT_MAX:
        yield Problem(path=f"{path}.hostPort", message=f"is not in 1 to {PORT_MAX}")
    if port.host_ip:
        yield from _address(f"{path}.hostIP", port.host_ip)


def _resources(path: str, container: Container) -> Iterator[Problem]:
    amounts: dict[tuple[str, str], int] = {}
    resources = container.resources
    for kind, quantities in (("limits", resources.limits), ("requests", resources.requests)):
        for name, quantity in quantities.items():
            if kind == "requests" and resources.limits.get(name) == quantity:
                continue  # filled in from the limit, which has been looked at
            try:
                amounts[kind, name] = parse_nano(quantity)
            except InvalidArgument as failure:
                yield Problem(path=f"{path}.{kind}.{name}", message=str(failure))
                continue
            if amounts[kind, name] < 0:
                yield Problem(path=f"{path}.{kind}.{name}", message="is negative")
    for (kind, name), amount in amounts.items():
        if kind == "requests" and amount > amounts.get(("limits", name), amount):
            yield Problem(path=f"{path}.requests.{name}", message="is more than the limit")


def _host_ports(pod: Pod) -> Iterator[Problem]:
    seen: dict[tuple[str, int], list[str]] = {}
    for path, container in pod.all_containers():
        for index, port in enumerate(container.ports):
            if not port.host_port or (pod.is_init(container.name) and not pod.is_sidecar(container)):
                continue
            here = f"{path}.ports[{index}].hostPort"
            if pod.spec.host_network and port.host_port != port.container_port:
                yield Problem(path=here, message="must be the containerPort with hostNetwork")
            taken = seen.setdefault((port.protocol, port.host_port), [])
            if _overlaps(port.host_ip, taken):
                message = f"{port.host_port}/{port.protocol} is used twice"
                yield Problem(path=here, message=message)
            taken.append(port.host_ip)


def _overlaps(host_ip: str, taken: Iterable[str]) -> bool:
    everywhere = ("", "0.0.0.0", "::")
    return any(host_ip in everywhere or other in everywhere or host_ip == other for other in taken)


def _address(path: str, text: str) -> Iterator[Problem]:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        yield Problem(path=path, message=f"{text!r} is not an IP address")

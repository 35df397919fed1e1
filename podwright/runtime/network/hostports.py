"""Which pod holds which host port of the built-in bridge. `firewall` makes the rules for them.

A held port is a socket bound to it. So no other process can take a port whose packets would never reach it, and a
port in use is detected before any change. The sockets end with the daemon, and `claim_again` opens them again from the
leases.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Iterable, Sequence
from ipaddress import ip_address

import msgspec

from podwright.errors import FailedPrecondition, InvalidArgument, PodwrightError
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import PortMapping, Protocol
from podwright.runtime.network.port_holder import find_holder
from podwright.runtime.network.threads import in_fresh_thread

log = logging.getLogger(__name__)

IP_FREEBIND = 15  # allows an address that the host gets later, such as a floating one
HIGHEST_PORT = 65535
_NUMBERS = {
    Protocol.TCP: socket.IPPROTO_TCP,
    Protocol.UDP: socket.IPPROTO_UDP,
    Protocol.SCTP: socket.IPPROTO_SCTP,
}


class _Claim(msgspec.Struct, frozen=True, kw_only=True):
    port: PortMapping
    pod: str
    socket: socket.socket | None


def wanted(mappings: Iterable[PortMapping]) -> tuple[PortMapping, ...]:
    """The mappings with a host port, normalised: no address means all. Raises InvalidArgument.

    Entries without a host port are skipped, because CRI has one for every container port.
    """
    found: list[PortMapping] = []
    for mapping in mappings:
        if mapping.host_port <= 0:
            continue
        port = PortMapping(
            container_port=mapping.container_port,
            host_port=mapping.host_port,
            protocol=mapping.protocol,
            host_ip=_checked_ip(mapping),
        )
        if max(port.host_port, port.container_port) > HIGHEST_PORT or port.container_port <= 0:
            raise InvalidArgument(f"host port {describe(port)} -> {port.container_port}: port is out of range")
        if port in found:
            continue
        if any(_is_same(port, other) for other in found):
            raise InvalidArgument(f"the pod requests host port {describe(port)} twice")
        found.append(port)
    return tuple(found)


def _is_same(one: PortMapping, other: PortMapping) -> bool:
    """Whether a pod requests the same port twice. A port on all addresses and one on a single address differ.

    Kubernetes' validation compares protocol, address and port (pkg/apis/core/validation, AccumulateUniqueHostPorts).
    """
    return (one.protocol, one.host_port, one.host_ip) == (other.protocol, other.host_port, other.host_ip)


def overlaps(one: PortMapping, other: PortMapping) -> bool:
    """Whether one packet could match both."""
    same = (one.protocol, one.host_port) == (other.protocol, other.host_port)
    return same and (not one.host_ip or not other.host_ip or one.host_ip == other.host_ip)


def describe(port: PortMapping) -> str:
    """A description such as 127.0.0.1:8080/tcp."""
    return f"{port.host_ip + ':' if port.host_ip else ''}{port.host_port}/{port.protocol.name.lower()}"


class PortClaims:
    """The host ports of this daemon's pods, each with the socket that holds it."""

    def __init__(self) -> None:
        self._claims: dict[SandboxId, list[_Claim]] = {}

    async def claim(self, sandbox_id: SandboxId, pod: str, ports: Sequence[PortMapping]) -> None:
        """Claim all of `ports`, or none. Raises FailedPrecondition with the port and its holder."""
        self.release(sandbox_id)
        taken = self._claims[sandbox_id] = []
        try:
            for port in ports:
                self._refuse_clash(sandbox_id, port)
                holder = None if _is_held_by_all(port, ports) else await _hold(port)
                taken.append(_Claim(port=port, pod=pod, socket=holder))
        except BaseException:
            self.release(sandbox_id)
            raise

    async def claim_again(self, sandbox_id: SandboxId, pod: str, ports: Sequence[PortMapping]) -> None:
        """Claim a pod's ports again after a restart of the daemon. A port that was taken in the meantime is logged.

        The pod still gets the traffic, because its rules come before the other socket.
        """
        try:
            await self.claim(sandbox_id, pod, ports)
        except PodwrightError as failure:
            log.warning("cannot hold port of running pod: pod=%s error=%s", pod, failure)
            self._claims[sandbox_id] = [_Claim(port=port, pod=pod, socket=None) for port in ports]

    def release(self, sandbox_id: SandboxId) -> None:
        """Release a sandbox's ports. Without ports it succeeds."""
        for claim in self._claims.pop(sandbox_id, ()):
            if claim.socket is not None:
                claim.socket.close()

    def close(self) -> None:
        """Release all ports."""
        for sandbox_id in list(self._claims):
            self.release(sandbox_id)

    def _refuse_clash(self, sandbox_id: SandboxId, port: PortMapping) -> None:
        for holder, claims in self._claims.items():
            for claim in claims:
                if holder != sandbox_id and overlaps(port, claim.port):
                    raise FailedPrecondition(f"host port {describe(port)} is in use by pod {claim.pod}")


def _is_held_by_all(port: PortMapping, ports: Sequence[PortMapping]) -> bool:
    """Whether the pod's claim on all addresses includes this one, so that two sockets would conflict."""
    return bool(port.host_ip) and any(not other.host_ip and overlaps(port, other) for other in ports)


def _checked_ip(mapping: PortMapping) -> str:
    try:
        address = ip_address(mapping.host_ip) if mapping.host_ip else None
    except ValueError as failure:
        raise InvalidArgument(f"host port {mapping.host_port}: host_ip {failure}") from failure
    if address is None or address.is_unspecified:
        return ""
    if address.version != 4:
        raise InvalidArgument(
            f"host port {mapping.host_port}: host_ip {address} is IPv6, and the built-in bridge has only IPv4",
            hint="leave host_ip empty, or configure a CNI network",
        )
    return str(address)


async def _hold(port: PortMapping) -> socket.socket | None:
    """A socket that holds the port, or None if the kernel lacks the protocol. Raises FailedPrecondition."""
    try:
        return _bind(port)
    except OSError as failure:
        if failure.errno == errno.EADDRINUSE:
            who = await in_fresh_thread(lambda: find_holder(port.protocol, port.host_port))
            raise FailedPrecondition(f"host port {describe(port)} is in use by {who}") from failure
        raise FailedPrecondition(f"host port {describe(port)}: {failure.strerror}") from failure


def _bind(port: PortMapping) -> socket.socket | None:
    """The system calls of `_hold`. Raises OSError."""
    kind = socket.SOCK_DGRAM if port.protocol == Protocol.UDP else socket.SOCK_STREAM
    try:
        holder = socket.socket(socket.AF_INET, kind | socket.SOCK_CLOEXEC, _NUMBERS[port.protocol])
    except OSError:
        return None
    try:
        holder.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        if kind == socket.SOCK_STREAM:  # ignore old connections of a former server, but not listeners
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((port.host_ip or "0.0.0.0", port.host_port))
        if kind == socket.SOCK_STREAM:
            holder.listen(0)
    except OSError:
        holder.close()
        raise
    return holder

"""Which subnet new pods of the built-in bridge get addresses of, and which others are still on the bridge.

A subnet is on record before the bridge gets an address in it, until that is taken away. It is taken away when no pod
has an address of it and it is not the one for new pods: `bridge` sees to that.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network, ip_network

from podwright.errors import InvalidArgument
from podwright.runtime.model.base import Value
from podwright.runtime.state import Database, RecordTable

SMALLEST_SUBNET = 30  # prefix length: the network, the bridge, one pod, the broadcast address


class OnBridge(Value, frozen=True, kw_only=True):
    """The record of a subnet. `instead_of`: the configured one in whose place a kubelet asked for this one."""

    instead_of: str = ""


class Subnets:
    """The configured subnet, or the pod CIDR that a kubelet asked for, and their predecessors."""

    def __init__(self, configured: IPv4Network, database: Database) -> None:
        """A pod CIDR on record counts as long as the configuration is what it was when the kubelet asked."""
        self._configured = configured
        self._database = database
        self._table: RecordTable[OnBridge] = RecordTable(database, "network_subnets", OnBridge)
        self._records = {IPv4Network(key): record for key, record in self._table.load().items()}
        asked = [subnet for subnet, record in self._records.items() if record.instead_of == str(configured)]
        self.current = asked[0] if asked else configured

    @property
    def kept(self) -> tuple[IPv4Network, ...]:
        """Those on the bridge beside the current one."""
        return tuple(subnet for subnet in self._records if subnet != self.current)

    def use(self) -> None:
        """Note that the current subnet is on the bridge; there already is fine."""
        if self.current not in self._records:
            self._put(self.current, OnBridge())

    def move(self, subnet: IPv4Network) -> None:
        """Make a pod CIDR the current one, also over restarts."""
        with self._database.transaction():
            if self.current in self._records:
                self._put(self.current, OnBridge())
            self._put(subnet, OnBridge(instead_of="" if subnet == self._configured else str(self._configured)))
        self.current = subnet

    def without_pods(self, in_use: Collection[IPv4Network]) -> tuple[IPv4Network, ...]:
        """Those that may go."""
        return tuple(subnet for subnet in self.kept if subnet not in in_use)

    def give_up(self, subnet: IPv4Network) -> None:
        """Keep a subnet no longer. Its record stays until `forget`: a restart before that keeps it again."""
        self._records.pop(subnet, None)

    def forget(self, subnet: IPv4Network) -> None:
        """Note that a subnet is not on the bridge any more, unless it is used again."""
        if subnet not in self._records:
            self._table.delete(str(subnet))

    def _put(self, subnet: IPv4Network, record: OnBridge) -> None:
        self._table.put(str(subnet), record)
        self._records[subnet] = record


def parse_subnet(text: str) -> IPv4Network:
    """The subnet of the configuration. Raises InvalidArgument."""
    try:
        subnet = IPv4Network(text)
    except ValueError as failure:
        raise InvalidArgument(
            f"[network] subnet: {failure}", hint='an IPv4 network such as "10.88.0.0/16"'
        ) from failure
    if subnet.prefixlen > SMALLEST_SUBNET:
        raise InvalidArgument(f"[network] subnet: {subnet} has no room for a pod", hint="use /30 or larger")
    return subnet


def parse_pod_cidrs(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """CRI's NetworkConfig.pod_cidr: one network, or one of each family, divided by a comma; none when it is empty.

    Bits behind the prefix are passed over, as kubelets and other runtimes do. Raises InvalidArgument.
    """
    if not text:
        return ()
    try:
        networks = tuple(_network(part.strip()) for part in text.split(","))
    except ValueError as failure:
        raise InvalidArgument(f"pod_cidr {text!r}: {failure}") from failure
    if len({network.version for network in networks}) < len(networks):
        raise InvalidArgument(f"pod_cidr {text!r} has two networks of one family", hint="name one of each at most")
    return networks


def _network(text: str) -> IPv4Network | IPv6Network:
    if not text.partition("/")[2].isdecimal():  # which the library takes for a single address, or a mask
        raise ValueError(f"{text!r} has no prefix length")
    return ip_network(text, strict=False)


def check_room(subnet: IPv4Network) -> None:
    """Raise InvalidArgument for a pod CIDR that no pod fits in."""
    if subnet.prefixlen > SMALLEST_SUBNET:
        raise InvalidArgument(f"pod_cidr {subnet} has no room for a pod", hint="use /30 or larger")

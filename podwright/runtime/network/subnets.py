"""The subnet for new pods of the built-in bridge, and other subnets that are still on the bridge.

A subnet is recorded before the bridge gets an address in it, and until that address is removed. `bridge` removes it
when no pod has an address in it and it is not the subnet for new pods.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network, ip_network

from podwright.errors import InvalidArgument
from podwright.runtime.model.base import Value
from podwright.runtime.state import Database, RecordTable

SMALLEST_SUBNET = 30  # prefix length: the network, the bridge, one pod, the broadcast address


class OnBridge(Value, frozen=True, kw_only=True):
    """The record of a subnet. `instead_of` is the configured subnet that a kubelet's pod CIDR replaced."""

    instead_of: str = ""


class Subnets:
    """The configured subnet or the kubelet's pod CIDR, and former ones."""

    def __init__(self, configured: IPv4Network, database: Database) -> None:
        """A recorded pod CIDR is valid as long as the configured subnet stays the same."""
        self._configured = configured
        self._database = database
        self._table: RecordTable[OnBridge] = RecordTable(database, "network_subnets", OnBridge)
        self._records = {IPv4Network(key): record for key, record in self._table.load().items()}
        asked = [subnet for subnet, record in self._records.items() if record.instead_of == str(configured)]
        self.current = asked[0] if asked else configured

    @property
    def kept(self) -> tuple[IPv4Network, ...]:
        """The subnets on the bridge besides the current one."""
        return tuple(subnet for subnet in self._records if subnet != self.current)

    def use(self) -> None:
        """Record that the current subnet is on the bridge."""
        if self.current not in self._records:
            self._put(self.current, OnBridge())

    def move(self, subnet: IPv4Network) -> None:
        """Make a pod CIDR the current subnet, also after a restart."""
        with self._database.transaction():
            if self.current in self._records:
                self._put(self.current, OnBridge())
            self._put(subnet, OnBridge(instead_of="" if subnet == self._configured else str(self._configured)))
        self.current = subnet

    def without_pods(self, in_use: Collection[IPv4Network]) -> tuple[IPv4Network, ...]:
        """The subnets without pods."""
        return tuple(subnet for subnet in self.kept if subnet not in in_use)

    def give_up(self, subnet: IPv4Network) -> None:
        """Mark a subnet for removal. Its record stays until `forget`, so that a restart before that keeps it."""
        self._records.pop(subnet, None)

    def forget(self, subnet: IPv4Network) -> None:
        """Record that a subnet is no longer on the bridge, unless it is used again."""
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
    """CRI's NetworkConfig.pod_cidr: one network, or one per family, separated by a comma. None if it is empty.

    Host bits are ignored, as kubelets and other runtimes do. Raises InvalidArgument.
    """
    if not text:
        return ()
    try:
        networks = tuple(_network(part.strip()) for part in text.split(","))
    except ValueError as failure:
        raise InvalidArgument(f"pod_cidr {text!r}: {failure}") from failure
    if len({network.version for network in networks}) < len(networks):
        raise InvalidArgument(f"pod_cidr {text!r} has two networks of one family", hint="use at most one of each")
    return networks


def _network(text: str) -> IPv4Network | IPv6Network:
    if not text.partition("/")[2].isdecimal():  # the library would take it for a single address or a mask
        raise ValueError(f"{text!r} has no prefix length")
    return ip_network(text, strict=False)


def check_room(subnet: IPv4Network) -> None:
    """Raises InvalidArgument for a pod CIDR without space for a pod."""
    if subnet.prefixlen > SMALLEST_SUBNET:
        raise InvalidArgument(f"pod_cidr {subnet} has no room for a pod", hint="use /30 or larger")

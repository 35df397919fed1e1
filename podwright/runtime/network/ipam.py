"""Which pod has which address of the built-in bridge. `AddressPool` decides, `Leases` remembers.

An address is one of ours only: the veth named after it is the claim that the kernel checks, so that two daemons on one
bridge do not hand out the same address (see `bridge`).
"""

from __future__ import annotations

import time
from collections import OrderedDict
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import msgspec

from podwright.errors import ResourceExhausted
from podwright.runtime.model.base import Value
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import PortMapping
from podwright.runtime.state import Database, RecordTable

REMEMBERED_PODS = 4096


class AddressLease(Value, frozen=True, kw_only=True):
    """What a sandbox has of the bridge; written before the kernel is asked, deleted after it has let go.

    `addresses`: primary first, one per family. `subnet`: the one that the primary is of. `releasing`: the pod is cut
    off, its link is being deleted.
    """

    addresses: tuple[str, ...]
    pod: str  # namespace/name
    ports: tuple[PortMapping, ...] = ()
    releasing: bool = False
    subnet: str = ""  # only in records of versions without pod CIDRs, for the configured one

    @property
    def veth(self) -> str:
        """The host's end: named after the primary address."""
        return veth_name(self.addresses[0])

    @property
    def network(self) -> IPv4Network:
        """`subnet` as one."""
        return IPv4Network(self.subnet)

    @property
    def interface(self) -> IPv4Interface:
        """The primary address with the subnet's prefix length."""
        return IPv4Interface((self.addresses[0], self.network.prefixlen))


def gateway_of(subnet: IPv4Network) -> IPv4Interface:
    """The bridge's own address in a subnet: the first."""
    return IPv4Interface((subnet.network_address + 1, subnet.prefixlen))


def veth_name(address: str) -> str:
    """The name of the link that leads to an address: unique on the host, and shorter than the kernel's 15 bytes."""
    return f"pw{int(IPv4Address(address)):08x}"


def veth_address(name: str) -> str | None:
    """The address that a link's name means; None when it is not one of our veths."""
    if len(name) != 10 or not name.startswith("pw"):
        return None
    try:
        return str(IPv4Address(bytes.fromhex(name[2:])))
    except ValueError:
        return None


class Remembered(Value, frozen=True, kw_only=True):
    """Who had an address last; `since` in nanoseconds since the epoch."""

    pod: str
    since: int


class AddressPool:
    """The free addresses of a subnet, handed out in turn so that one is not used again soon. Pure.

    A pod that comes back gets the address that it had: others get that one only when there is no other.
    """

    def __init__(self, subnet: IPv4Network) -> None:
        self.subnet = subnet
        self._first = int(subnet.network_address) + 2
        self._count = int(subnet.broadcast_address) - self._first
        self._used: set[int] = set()
        self._next = 0
        self._offset_of: dict[str, int] = {}
        self._pod_of: OrderedDict[int, str] = OrderedDict()  # the last pod of an address; longest ago first

    def occupy(self, address: str) -> None:
        """Count an address as used; one outside the subnet (of an earlier configuration) is fine."""
        offset = int(IPv4Address(address)) - self._first
        self._used.add(offset)
        if 0 <= offset < self._count:
            self._next = max(self._next, offset + 1)

    def remember(self, address: str, pod: str) -> None:
        """Keep an address for the pod that had it last. Addresses outside the subnet are nobody's."""
        offset = int(IPv4Address(address)) - self._first
        if not 0 <= offset < self._count:
            return
        if pod in self._offset_of:
            del self._pod_of[self._offset_of[pod]]
        if offset in self._pod_of:
            del self._offset_of[self._pod_of.pop(offset)]
        self._pod_of[offset] = pod
        self._offset_of[pod] = offset

    def forget_oldest(self, limit: int) -> list[str]:
        """Keep addresses for `limit` pods; those that are kept for nobody any more are returned."""
        forgotten = []
        while len(self._pod_of) > limit:
            offset, pod = self._pod_of.popitem(last=False)
            del self._offset_of[pod]
            forgotten.append(str(IPv4Address(self._first + offset)))
        return forgotten

    def last_pod(self, address: str) -> str:
        """The pod that an address is kept for; empty when it is nobody's."""
        return self._pod_of.get(int(IPv4Address(address)) - self._first, "")

    def take(self, pod: str) -> str:
        """A free address, the one that `pod` had last if possible. Raises ResourceExhausted."""
        offset = self._offset_of.get(pod, -1)
        if offset < 0 or offset in self._used:
            offset = self._free()
        self._used.add(offset)
        return str(IPv4Address(self._first + offset))

    def release(self, address: str) -> None:
        """Give an address back; a free one is fine."""
        self._used.discard(int(IPv4Address(address)) - self._first)

    def _free(self) -> int:
        """The next that nobody had lately, else the one whose pod was here longest ago."""
        for step in range(self._count):
            offset = (self._next + step) % self._count
            if offset not in self._used and offset not in self._pod_of:
                self._next = offset + 1
                return offset
        for offset in self._pod_of:
            if offset not in self._used:
                return offset
        raise ResourceExhausted(
            f"all {self._count} addresses of {self.subnet} are in use",
            hint="remove pods, or set a larger [network] subnet",
        )


class Leases:
    """The pool, and the records of who holds what of it and who had what."""

    def __init__(self, subnet: IPv4Network, database: Database) -> None:
        self._database = database
        self._table: RecordTable[AddressLease] = RecordTable(database, "network_leases", AddressLease)
        self._memory: RecordTable[Remembered] = RecordTable(database, "network_addresses", Remembered)
        self._records = {SandboxId(key): lease for key, lease in self._table.load().items()}
        for sandbox_id, lease in self._records.items():
            if not lease.subnet:
                self._put(sandbox_id, msgspec.structs.replace(lease, subnet=str(subnet)))
        self.pool = self._pool_of(subnet)

    def move(self, subnet: IPv4Network) -> None:
        """Take addresses from another subnet from now on. Leases stay as they are."""
        self.pool = self._pool_of(subnet)

    def _pool_of(self, subnet: IPv4Network) -> AddressPool:
        pool = AddressPool(subnet)
        for address, last in sorted(self._memory.load().items(), key=lambda item: item[1].since):
            if IPv4Address(address) in subnet:
                pool.remember(address, last.pod)
            else:
                self._memory.delete(address)
        for lease in self._records.values():
            for address in lease.addresses:
                pool.occupy(address)
        return pool

    def subnets(self) -> frozenset[IPv4Network]:
        """Those that sandboxes have addresses of."""
        return frozenset(lease.network for lease in self._records.values())

    def get(self, sandbox_id: SandboxId) -> AddressLease | None:
        """What the sandbox holds."""
        return self._records.get(sandbox_id)

    def all(self) -> dict[SandboxId, AddressLease]:
        """Every lease, by sandbox."""
        return dict(self._records)

    def take(self, sandbox_id: SandboxId, pod: str, ports: tuple[PortMapping, ...]) -> AddressLease:
        """Lease an address. Raises ResourceExhausted: no address, or no disk to write it down."""
        lease = AddressLease(addresses=(self.pool.take(pod),), subnet=str(self.pool.subnet), pod=pod, ports=ports)
        try:
            with self._database.transaction():
                self._put(sandbox_id, lease)
                self._remember(lease)
        except BaseException:
            self._records.pop(sandbox_id, None)
            self.pool.release(lease.addresses[0])
            raise
        return lease

    def _remember(self, lease: AddressLease) -> None:
        """Note that the pod has this address now, so that it gets it again."""
        address = lease.addresses[0]
        if self.pool.last_pod(address) == lease.pod:
            return
        self._memory.put(address, Remembered(pod=lease.pod, since=time.time_ns()))
        self.pool.remember(address, lease.pod)
        for forgotten in self.pool.forget_oldest(REMEMBERED_PODS):
            self._memory.delete(forgotten)

    def mark_releasing(self, sandbox_id: SandboxId, lease: AddressLease) -> None:
        """Note that the pod is cut off and only its link is left to delete."""
        self._put(sandbox_id, msgspec.structs.replace(lease, releasing=True))

    def drop(self, sandbox_id: SandboxId, *, keep_addresses: bool = False) -> None:
        """Forget a lease; with `keep_addresses` they stay taken, because somebody else turned out to have them."""
        lease = self._records.pop(sandbox_id, None)
        self._table.delete(sandbox_id)
        if lease is not None and not keep_addresses:
            for address in lease.addresses:
                self.pool.release(address)

    def _put(self, sandbox_id: SandboxId, lease: AddressLease) -> None:
        self._table.put(sandbox_id, lease)
        self._records[sandbox_id] = lease

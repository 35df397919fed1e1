"""Which pod has which address of the built-in bridge. `AddressPool` decides, `Leases` records.

The pool covers this daemon. The kernel checks the claim between daemons, by the veth named after the address (see
`bridge`).
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
    """What a sandbox has of the bridge. Written before the kernel's objects are made, deleted after they are gone.

    `addresses`: primary first, one per family. `subnet`: the primary address's. `releasing`: the pod is detached and
    its link is being deleted.
    """

    addresses: tuple[str, ...]
    pod: str  # namespace/name
    ports: tuple[PortMapping, ...] = ()
    releasing: bool = False
    subnet: str = ""  # empty in records of versions without pod CIDRs: the configured one

    @property
    def veth(self) -> str:
        """The host's end, named after the primary address."""
        return veth_name(self.addresses[0])

    @property
    def network(self) -> IPv4Network:
        """`subnet` as a network object."""
        return IPv4Network(self.subnet)

    @property
    def interface(self) -> IPv4Interface:
        """The primary address with the subnet's prefix length."""
        return IPv4Interface((self.addresses[0], self.network.prefixlen))


def gateway_of(subnet: IPv4Network) -> IPv4Interface:
    """The bridge's own address in a subnet: the first one."""
    return IPv4Interface((subnet.network_address + 1, subnet.prefixlen))


def veth_name(address: str) -> str:
    """The name of the link for an address: unique on the host, and shorter than the kernel's 15 bytes."""
    return f"pw{int(IPv4Address(address)):08x}"


def veth_address(name: str) -> str | None:
    """The address in a link's name, or None if it is not one of our veths."""
    if len(name) != 10 or not name.startswith("pw"):
        return None
    try:
        return str(IPv4Address(bytes.fromhex(name[2:])))
    except ValueError:
        return None


class Remembered(Value, frozen=True, kw_only=True):
    """The last pod of an address. `since` is in nanoseconds since the epoch."""

    pod: str
    since: int


class AddressPool:
    """The free addresses of a subnet, assigned in turn so that none is reused soon. Pure.

    A pod that returns gets its former address. Others get that address only if no other is free.
    """

    def __init__(self, subnet: IPv4Network) -> None:
        self.subnet = subnet
        self._first = int(subnet.network_address) + 2
        self._count = int(subnet.broadcast_address) - self._first
        self._used: set[int] = set()
        self._next = 0
        self._offset_of: dict[str, int] = {}
        self._pod_of: OrderedDict[int, str] = OrderedDict()  # the last pod of an address, the oldest first

    def occupy(self, address: str) -> None:
        """Mark an address as used. One outside the subnet (of an earlier configuration) is ignored."""
        offset = int(IPv4Address(address)) - self._first
        self._used.add(offset)
        if 0 <= offset < self._count:
            self._next = max(self._next, offset + 1)

    def remember(self, address: str, pod: str) -> None:
        """Reserve an address for its last pod. One outside the subnet is ignored."""
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
        """Keep reservations for `limit` pods. Returns the addresses that are no longer reserved."""
        forgotten = []
        while len(self._pod_of) > limit:
            offset, pod = self._pod_of.popitem(last=False)
            del self._offset_of[pod]
            forgotten.append(str(IPv4Address(self._first + offset)))
        return forgotten

    def last_pod(self, address: str) -> str:
        """The pod that an address is reserved for, or ""."""
        return self._pod_of.get(int(IPv4Address(address)) - self._first, "")

    def take(self, pod: str) -> str:
        """A free address, if possible the one that `pod` had last. Raises ResourceExhausted."""
        offset = self._offset_of.get(pod, -1)
        if offset < 0 or offset in self._used:
            offset = self._free()
        self._used.add(offset)
        return str(IPv4Address(self._first + offset))

    def release(self, address: str) -> None:
        """Release an address. A free one is ignored."""
        self._used.discard(int(IPv4Address(address)) - self._first)

    def _free(self) -> int:
        """The next address without a reservation, otherwise the one with the oldest reservation."""
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
    """The pool, and the records of current and former holders."""

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
        """Take addresses from another subnet from now on. Existing leases stay."""
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
        """The subnets in which sandboxes have addresses."""
        return frozenset(map(IPv4Network, {lease.subnet for lease in self._records.values()}))

    def get(self, sandbox_id: SandboxId) -> AddressLease | None:
        """What the sandbox holds."""
        return self._records.get(sandbox_id)

    def all(self) -> dict[SandboxId, AddressLease]:
        """Every lease, by sandbox."""
        return dict(self._records)

    def take(self, sandbox_id: SandboxId, pod: str, ports: tuple[PortMapping, ...]) -> AddressLease:
        """Lease an address. Raises ResourceExhausted if there is no address, or no disk space for the record."""
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
        """Record that the pod has this address, so that it gets it again."""
        address = lease.addresses[0]
        if self.pool.last_pod(address) == lease.pod:
            return
        self._memory.put(address, Remembered(pod=lease.pod, since=time.time_ns()))
        self.pool.remember(address, lease.pod)
        for forgotten in self.pool.forget_oldest(REMEMBERED_PODS):
            self._memory.delete(forgotten)

    def mark_releasing(self, sandbox_id: SandboxId, lease: AddressLease) -> None:
        """Record that the pod is detached and only its link must be deleted."""
        self._put(sandbox_id, msgspec.structs.replace(lease, releasing=True))

    def drop(self, sandbox_id: SandboxId, *, keep_addresses: bool = False) -> None:
        """Delete a lease. With `keep_addresses` they stay in use, because another daemon has them."""
        lease = self._records.pop(sandbox_id, None)
        self._table.delete(sandbox_id)
        if lease is not None and not keep_addresses:
            for address in lease.addresses:
                self.pool.release(address)

    def _put(self, sandbox_id: SandboxId, lease: AddressLease) -> None:
        self._table.put(sandbox_id, lease)
        self._records[sandbox_id] = lease

"""The built-in network: one bridge, an address per pod, masquerading and host ports. Called by `service`.

`upkeep` maintains the bridge itself and its rules.

To attach a pod: write the lease, make the veth with one message, add rules for its host ports. To detach it: remove
the rules, set the link down (the pod is off the network, and detach returns), delete the link (see `deletions`),
delete the lease. If the daemon dies at any point, the lease says what may be left, and `recover` undoes it.

The host's end of the veth is named after the pod's address. So the kernel prevents two daemons on one bridge from
using the same address, and the link for a rule or record is found by its name.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Collection, Iterable
from ipaddress import IPv4Interface, IPv4Network

from podwright.errors import FailedPrecondition, Internal, InvalidArgument, PodwrightError, ResourceExhausted
from podwright.process import ProcessRunner
from podwright.runtime.config import NetworkSettings
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import Attachment, PortMapping, Protocol
from podwright.runtime.network import bridge_link, links
from podwright.runtime.network.bandwidth import bandwidth
from podwright.runtime.network.deletions import Deletions
from podwright.runtime.network.firewall.rules import Published, Scope, scope_of
from podwright.runtime.network.hostports import PortClaims, wanted
from podwright.runtime.network.ipam import AddressLease, Leases, gateway_of
from podwright.runtime.network.netlink import conntrack
from podwright.runtime.network.request import INTERFACE, NetworkRequest
from podwright.runtime.network.subnets import Subnets, parse_subnet
from podwright.runtime.network.threads import in_fresh_thread
from podwright.runtime.network.upkeep import Upkeep, in_kernel
from podwright.runtime.state import Database

log = logging.getLogger(__name__)

BACKEND = "bridge"
FOREIGN_ADDRESSES_LIMIT = 64  # attempts to find an address that no other daemon uses on the same bridge


class BridgeNetwork:
    """The network of [network] bridge and subnet."""

    def __init__(self, settings: NetworkSettings, database: Database, runner: ProcessRunner) -> None:
        """Reads its leases and changes nothing. Raises InvalidArgument for invalid settings."""
        if not _is_link_name(settings.bridge):
            raise InvalidArgument(f"[network] bridge: {settings.bridge!r} is not a valid interface name")
        self._bridge = settings.bridge
        self._mtu_bytes = settings.mtu
        self._direct = tuple(_network(text) for text in settings.no_masquerade)
        self._subnets = Subnets(parse_subnet(settings.subnet), database)
        self._leases = Leases(self._subnets.current, database)
        self._keep_gateways()
        self._upkeep = Upkeep(settings.bridge, runner, wanted=self._wanted, scope=self._scope)
        self._ports = PortClaims()
        self._touched = False  # whether a bridge or rules may exist that must be removed
        self._deletions = Deletions()

    async def trouble(self) -> str:
        """Why pods cannot be attached now, or ""."""
        return await self._upkeep.trouble()

    async def fault(self) -> str:
        """What running pods lack and could not be repaired, or ""."""
        await self._upkeep.settle()
        return self._upkeep.fault

    async def move(self, subnet: IPv4Network) -> None:
        """Give new pods addresses of this subnet, also after a restart. Running pods keep theirs and stay reachable.

        Raises FailedPrecondition if something else uses the subnet.
        """
        if subnet == self._subnets.current:
            return
        gateway = gateway_of(subnet)
        spec = self._spec(gateway)
        await in_kernel("look at the host's routes", lambda: bridge_link.check_overlap(spec))
        for lease in self._leases.all().values():
            if str(gateway.ip) in lease.addresses:
                raise FailedPrecondition(
                    f"{gateway.ip}, the bridge's address in {subnet}, is the address of pod {lease.pod}",
                    hint="remove that pod first",
                )
        before = self._subnets.current
        self._subnets.move(subnet)
        self._leases.move(subnet)
        self._keep_gateways()
        log.info("new pods get addresses of another subnet: subnet=%s former=%s", subnet, before)
        await self._upkeep.follow()
        await self._retire_subnets()

    def holds(self, sandbox_id: SandboxId) -> bool:
        """Whether anything of this network belongs to the sandbox."""
        return self._leases.get(sandbox_id) is not None

    async def attach(self, request: NetworkRequest) -> Attachment:
        """Attach a sandbox. Raises PodwrightError, after which the caller must call `detach`."""
        ports = wanted(request.port_mappings)
        bandwidth(request.annotations)  # reject invalid limits before any change
        if self.holds(request.sandbox_id):
            await self.detach(request.sandbox_id)
        await self._finish_earlier(_pod(request))
        state = await self._ready()
        await self._ports.claim(request.sandbox_id, _pod(request), ports)
        lease = await self._plug(request, ports, state)
        await self._publish([lease])
        return Attachment(
            backend=BACKEND,
            ips=lease.addresses,
            interface=INTERFACE,
            detail={"bridge": self._bridge, "veth": lease.veth, "gateway": str(gateway_of(lease.network).ip)},
        )

    async def detach(self, sandbox_id: SandboxId) -> None:
        """Detach a sandbox, even if it is incomplete or gone. A sandbox that is not attached succeeds.

        When it returns, no packet reaches the sandbox. Its link is deleted in the background.
        """
        lease = self._leases.get(sandbox_id)
        self._ports.release(sandbox_id)
        if lease is None or sandbox_id in self._deletions:
            return
        if not lease.releasing:
            if lease.ports:
                await self._withdraw(lease)
            await in_kernel("unplug the pod", lambda: links.cut(lease.veth))
            if self._leases.get(sandbox_id) is not lease:  # another call has deleted it
                return
            self._leases.mark_releasing(sandbox_id, lease)
        if sandbox_id not in self._deletions:
            self._deletions.begin(sandbox_id, lambda: self._delete(sandbox_id, lease))

    async def recover(self, known: Collection[SandboxId]) -> None:
        """Undo what belongs to no sandbox in `known`. Repair bridge and rules, and claim the others' ports."""
        leases = self._leases.all()
        stale = [key for key, lease in leases.items() if key not in known or lease.releasing]
        for outcome in await asyncio.gather(*(self.detach(key) for key in stale), return_exceptions=True):
            if isinstance(outcome, PodwrightError):
                log.warning("cannot clean up network of removed sandbox: error=%s", outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
        self._touched = self._touched or bool(leases)
        running = {key: lease for key, lease in leases.items() if key not in stale and links.index_of(lease.veth)}
        if running or (links.index_of(self._bridge) and await self._upkeep.has_own_bridge()):
            await self._ready()
        for key, lease in running.items():
            await self._ports.claim_again(key, lease.pod, lease.ports)
        await self._publish(list(running.values()))
        await self._retire_subnets()

    async def close(self) -> None:
        """Finish deletions. Remove the bridge and its rules if no pod uses them."""
        await self._deletions.finish()
        await self._upkeep.close()
        self._ports.close()
        if not self._touched or self._leases.all():
            return
        try:
            await self._upkeep.remove()
        except PodwrightError as failure:
            log.warning("cannot remove bridge: error=%s", failure)

    def _wanted(self) -> bridge_link.BridgeSpec:
        """The bridge as the pods need it."""
        return self._spec(gateway_of(self._subnets.current))

    def _scope(self) -> Scope:
        """The scope of the rules: pods in all subnets on the bridge."""
        return scope_of(self._bridge, (self._subnets.current, *self._subnets.kept), self._direct)

    def _spec(self, gateway: IPv4Interface) -> bridge_link.BridgeSpec:
        plugged = frozenset(lease.veth for lease in self._leases.all().values() if not lease.releasing)
        return bridge_link.BridgeSpec(
            name=self._bridge,
            gateway=gateway,
            kept=tuple(gateway_of(subnet) for subnet in self._subnets.kept),
            veths=plugged,
            mtu_bytes=self._mtu_bytes,
        )

    def _keep_gateways(self) -> None:
        """Reserve the bridge's addresses in other subnets."""
        for subnet in self._subnets.kept:
            self._leases.pool.occupy(str(gateway_of(subnet).ip))

    async def _retire_subnets(self) -> None:
        """Remove subnets from the bridge in which no pod has an address."""
        for subnet in self._subnets.without_pods(self._leases.subnets()):
            gateway = gateway_of(subnet)
            self._subnets.give_up(subnet)
            self._leases.pool.release(str(gateway.ip))
            try:
                await self._upkeep.follow(dropped=[gateway])
                self._subnets.forget(subnet)
            except PodwrightError as failure:
                log.warning(
                    "cannot remove subnet from bridge, next start tries again: subnet=%s error=%s", subnet, failure
                )

    async def _ready(self) -> bridge_link.BridgeState:
        self._touched = True
        self._subnets.use()
        return await self._upkeep.ready()

    async def _plug(
        self, request: NetworkRequest, ports: tuple[PortMapping, ...], state: bridge_link.BridgeState
    ) -> AddressLease:
        """Lease an address and make the veth that claims it. An address of another daemon stays reserved."""
        for _ in range(FOREIGN_ADDRESSES_LIMIT):
            lease = await self._lease(request, ports)
            if await self._try_plug(request, lease, state):
                return lease
            self._leases.drop(request.sandbox_id, keep_addresses=True)
        raise Internal(f"all tried addresses on {self._bridge} belong to pods of other daemons")

    async def _finish_earlier(self, pod: str) -> None:
        """Finish the pod's earlier deletion, so that it gets its address again if that is free."""
        earlier = [key for key in self._deletions if (lease := self._leases.get(key)) and lease.pod == pod]
        if earlier:
            await self._deletions.finish(*earlier)

    async def _lease(self, request: NetworkRequest, ports: tuple[PortMapping, ...]) -> AddressLease:
        try:
            return self._leases.take(request.sandbox_id, _pod(request), ports)
        except ResourceExhausted:
            if not self._deletions:
                raise
        await self._deletions.finish()  # then their addresses are free
        return self._leases.take(request.sandbox_id, _pod(request), ports)

    async def _try_plug(self, request: NetworkRequest, lease: AddressLease, state: bridge_link.BridgeState) -> bool:
        """Returns False if the host has a veth with this name, because then the address is in use."""
        plan = links.Plug(
            netns=request.netns,
            veth=lease.veth,
            alias=f"podwright {request.sandbox_id}",
            interface=lease.interface,
            gateway=gateway_of(lease.network),
            bridge_index=state.index,
            mtu_bytes=state.mtu_bytes,
            bandwidth=bandwidth(request.annotations),
        )
        try:
            await in_fresh_thread(lambda: links.plug(plan))
        except FileExistsError as taken:
            if links.index_of(plan.veth):
                return False
            raise FailedPrecondition(f"the network namespace {plan.netns} already has an {INTERFACE}") from taken
        except OSError as failure:
            raise links.explain(failure, "plug the pod in") from failure
        return True

    async def _publish(self, leases: Iterable[AddressLease]) -> None:
        leases = [lease for lease in leases if lease.ports]
        if leases:
            await self._upkeep.publish([_published(lease) for lease in leases])
            await self._forget_udp(leases)

    async def _withdraw(self, lease: AddressLease) -> None:
        await self._upkeep.withdraw(_published(lease))
        await self._forget_udp([lease])

    async def _forget_udp(self, leases: Iterable[AddressLease]) -> None:
        """Make clients that keep sending follow the new rules.

        Best effort, because old flows also end by themselves.
        """
        ports = {port.host_port for lease in leases for port in lease.ports if port.protocol == Protocol.UDP}
        if ports:
            try:
                await in_fresh_thread(lambda: conntrack.forget_udp(ports))
            except OSError as failure:
                log.warning("cannot delete old UDP flows: ports=%s error=%s", sorted(ports), failure)

    async def _delete(self, sandbox_id: SandboxId, lease: AddressLease) -> None:
        """Delete the link, then the lease. After a failure, the next detach or start tries again."""
        try:
            await in_kernel("delete the pod's link", lambda: links.delete(lease.veth))
            self._leases.drop(sandbox_id)
        except PodwrightError as failure:
            log.warning("cannot delete link: sandbox=%s veth=%s error=%s", sandbox_id, lease.veth, failure)
            return
        await self._retire_subnets()


def _pod(request: NetworkRequest) -> str:
    return f"{request.name.namespace}/{request.name.name}"


def _published(lease: AddressLease) -> Published:
    return Published(veth=lease.veth, address=lease.addresses[0], ports=lease.ports)


def _network(text: str) -> IPv4Network:
    try:
        return IPv4Network(text)
    except ValueError as failure:
        raise InvalidArgument(
            f"[network] no_masquerade: {text!r} is not an IPv4 network: {failure}", hint="such as 10.244.0.0/16"
        ) from failure


def _is_link_name(name: str) -> bool:
    """Stricter than the kernel's rule, because the name is also used for the tables and chains of nft and iptables."""
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,14}", name) is not None

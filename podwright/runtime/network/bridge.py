"""The built-in network: one bridge, an address per pod, masquerading and host ports. Called by `service`.

The bridge itself and its rules are `upkeep`'s.

Life of a pod here: lease written -> veth made in one message -> rules for its host ports; back: rules away -> link
down (the pod is off the network, detach returns) -> link deleted (see `deletions`) -> lease deleted. Whatever was
going on when the daemon died, the lease says what may be left, and `recover` undoes it.

The host's end of the veth is named after the pod's address. So the kernel refuses to let two daemons on one bridge
give out the same address, and what a rule or a record refers to can be looked up among the links.
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
FOREIGN_ADDRESSES_LIMIT = 64  # tries to find an address that no other daemon has on the same bridge


class BridgeNetwork:
    """The network of [network] bridge and subnet."""

    def __init__(self, settings: NetworkSettings, database: Database, runner: ProcessRunner) -> None:
        """Reads its leases; touches nothing. Raises InvalidArgument for settings that cannot be."""
        if not _is_link_name(settings.bridge):
            raise InvalidArgument(f"[network] bridge: {settings.bridge!r} is not a name for a link")
        self._bridge = settings.bridge
        self._mtu_bytes = settings.mtu
        self._subnets = Subnets(parse_subnet(settings.subnet), database)
        self._leases = Leases(self._subnets.current, database)
        self._keep_gateways()
        self._upkeep = Upkeep(settings.bridge, runner, wanted=self._wanted, scope=self._scope)
        self._ports = PortClaims()
        self._touched = False  # whether there may be a bridge or rules to remove
        self._deletions = Deletions()

    async def trouble(self) -> str:
        """Why pods could not be plugged in now; empty when they could."""
        return await self._upkeep.trouble()

    async def fault(self) -> str:
        """What pods that run lack and could not be given back; empty when they lack nothing."""
        await self._upkeep.settle()
        return self._upkeep.fault

    async def move(self, subnet: IPv4Network) -> None:
        """Give new pods addresses of this subnet, also after a restart; pods that run keep theirs and are reached.

        Raises FailedPrecondition when the subnet is used by somebody else.
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
        log.info("new pods get addresses of %s, no longer of %s", subnet, before)
        await self._upkeep.follow()
        await self._retire_subnets()

    def holds(self, sandbox_id: SandboxId) -> bool:
        """Whether the sandbox has anything of this network, whole or in parts."""
        return self._leases.get(sandbox_id) is not None

    async def attach(self, request: NetworkRequest) -> Attachment:
        """Plug a sandbox in. Raises PodwrightError; the caller then calls `detach`."""
        ports = wanted(request.port_mappings)
        bandwidth(request.annotations)  # what is no limit is refused before anything is changed
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
        """Take a sandbox off the network, also one that is half on it or gone; nothing to do is fine.

        Returns when no packet can reach it; its link is deleted in the background.
        """
        lease = self._leases.get(sandbox_id)
        self._ports.release(sandbox_id)
        if lease is None or sandbox_id in self._deletions:
            return
        if not lease.releasing:
            if lease.ports:
                await self._withdraw(lease)
            await in_kernel("unplug the pod", lambda: links.cut(lease.veth))
            if self._leases.get(sandbox_id) is not lease:  # another call was faster
                return
            self._leases.mark_releasing(sandbox_id, lease)
        if sandbox_id not in self._deletions:
            self._deletions.begin(sandbox_id, lambda: self._delete(sandbox_id, lease))

    async def recover(self, known: Collection[SandboxId]) -> None:
        """Undo what belongs to no sandbox in `known`; bring back bridge, rules and port claims of the others."""
        leases = self._leases.all()
        stale = [key for key, lease in leases.items() if key not in known or lease.releasing]
        for outcome in await asyncio.gather(*(self.detach(key) for key in stale), return_exceptions=True):
            if isinstance(outcome, PodwrightError):
                log.warning("leftover of a sandbox stays: %s", outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
        running = {key: lease for key, lease in leases.items() if key not in stale and links.index_of(lease.veth)}
        if running or links.index_of(self._bridge):
            await self._ready()
        for key, lease in running.items():
            await self._ports.restore(key, lease.pod, lease.ports)
        await self._publish(list(running.values()))
        await self._retire_subnets()

    async def close(self) -> None:
        """Finish deletions; remove bridge and rules when no pod is left on them."""
        await self._deletions.finish()
        await self._upkeep.close()
        self._ports.close()
        if not self._touched or self._leases.all():
            return
        try:
            await self._upkeep.remove()
        except PodwrightError as failure:
            log.warning("the bridge stays: %s", failure)

    def _wanted(self) -> bridge_link.BridgeSpec:
        """The bridge as the pods need it."""
        return self._spec(gateway_of(self._subnets.current))

    def _scope(self) -> Scope:
        """What the rules are about: pods in any subnet that is on the bridge."""
        return scope_of(self._bridge, (self._subnets.current, *self._subnets.kept))

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
        """The bridge's addresses in other subnets are no pod's."""
        for subnet in self._subnets.kept:
            self._leases.pool.occupy(str(gateway_of(subnet).ip))

    async def _retire_subnets(self) -> None:
        """Take subnets off the bridge that no pod has an address of any more."""
        for subnet in self._subnets.without_pods(self._leases.subnets()):
            gateway = gateway_of(subnet)
            self._subnets.give_up(subnet)
            self._leases.pool.release(str(gateway.ip))
            try:
                await self._upkeep.follow(dropped=[gateway])
                self._subnets.forget(subnet)
            except PodwrightError as failure:
                log.warning("subnet %s stays on the bridge until the next start: %s", subnet, failure)

    async def _ready(self) -> bridge_link.BridgeState:
        self._touched = True
        self._subnets.use()
        return await self._upkeep.ready()

    async def _plug(
        self, request: NetworkRequest, ports: tuple[PortMapping, ...], state: bridge_link.BridgeState
    ) -> AddressLease:
        """Lease an address and make the veth that claims it; an address that another daemon has stays taken."""
        for _ in range(FOREIGN_ADDRESSES_LIMIT):
            lease = await self._lease(request, ports)
            if await self._try_plug(request, lease, state):
                return lease
            self._leases.drop(request.sandbox_id, keep_addresses=True)
        raise Internal(f"the addresses tried on {self._bridge} all belong to other daemons' pods")

    async def _finish_earlier(self, pod: str) -> None:
        """A pod that comes back, in the same sandbox or the next, has its address again when it is free."""
        earlier = [key for key in self._deletions if (lease := self._leases.get(key)) and lease.pod == pod]
        if earlier:
            await self._deletions.finish(*earlier)

    async def _lease(self, request: NetworkRequest, ports: tuple[PortMapping, ...]) -> AddressLease:
        try:
            return self._leases.take(request.sandbox_id, _pod(request), ports)
        except ResourceExhausted:
            if not self._deletions:
                raise
        await self._deletions.finish()  # their addresses are free then
        return self._leases.take(request.sandbox_id, _pod(request), ports)

    async def _try_plug(self, request: NetworkRequest, lease: AddressLease, state: bridge_link.BridgeState) -> bool:
        """False when the host has a veth of this name, which means that somebody has the address."""
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
            raise FailedPrecondition(f"the network namespace {plan.netns} has an {INTERFACE} already") from taken
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
        """Make clients that keep on sending follow the new rules. Best effort: old flows end by themselves, too."""
        ports = {port.host_port for lease in leases for port in lease.ports if port.protocol == Protocol.UDP}
        if ports:
            try:
                await in_fresh_thread(lambda: conntrack.forget_udp(ports))
            except OSError as failure:
                log.warning("old UDP flows stay ports=%s: %s", sorted(ports), failure)

    async def _delete(self, sandbox_id: SandboxId, lease: AddressLease) -> None:
        """Delete the link, then the lease; when that fails, the next detach or start tries again."""
        try:
            await in_kernel("delete the pod's link", lambda: links.delete(lease.veth))
            self._leases.drop(sandbox_id)
        except PodwrightError as failure:
            log.warning("a link stays sandbox=%s veth=%s: %s", sandbox_id, lease.veth, failure)
            return
        await self._retire_subnets()


def _pod(request: NetworkRequest) -> str:
    return f"{request.name.namespace}/{request.name.name}"


def _published(lease: AddressLease) -> Published:
    return Published(veth=lease.veth, address=lease.addresses[0], ports=lease.ports)


def _is_link_name(name: str) -> bool:
    """Narrower than the kernel's rule: the name is also nft's and iptables' word for our table and chains."""
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,14}", name) is not None

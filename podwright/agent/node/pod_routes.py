"""Routes to the pods of other nodes, for a cluster without a CNI plug-in of its own. Opt-in, IPv4.

For each other node, the host gets a route to the node's pod CIDRs by its InternalIP. The nodes must share a network on
layer 2, since nothing is encapsulated. The routes have a protocol number of their own, so that we do not touch other
routes. Like pods they outlive the agent.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Iterable, Mapping

import msgspec

from podwright.agent.objects.following import FollowedObjects
from podwright.errors import FailedPrecondition, PodwrightError
from podwright.k8s.objects import Node
from podwright.process import Command, ProcessRunner

log = logging.getLogger(__name__)

PROTOCOL = "201"  # used by no routing daemon (/etc/iproute2/rt_protos)
PERIOD_S = 60.0  # other programs may remove routes
TIMEOUT_S = 15.0

Routes = Mapping[str, str]  # gateways by network


class _ListedRoute(msgspec.Struct):
    """A route as `ip -j route show` prints it."""

    dst: str
    gateway: str = ""


def wanted_routes(nodes: Iterable[Node], own_name: str) -> dict[str, str]:
    """The routes that a node needs. There is no route yet to a node without a pod CIDR or an address."""
    found: dict[str, str] = {}
    for node in sorted(nodes, key=lambda each: each.metadata.name):
        gateway = _address(node)
        if node.metadata.name == own_name or not gateway:
            continue
        for text in node.spec.pod_cidrs or (node.spec.pod_cidr,):
            if network := _network(text):
                found.setdefault(network, gateway)
    return found


def changes(wanted: Routes, present: Routes) -> list[tuple[str, ...]]:
    """The arguments for calls of `ip route`: first to delete routes, then to add routes."""
    gone = [("del", network, "proto", PROTOCOL) for network in sorted(present) if network not in wanted]
    new = [
        ("replace", network, "via", gateway, "proto", PROTOCOL)
        for network, gateway in sorted(wanted.items())
        if present.get(network) != gateway
    ]
    return [*gone, *new]


class PodRoutes:
    """Keeps the routes that follow from the Node objects."""

    def __init__(self, nodes: FollowedObjects[Node], own_name: str, runner: ProcessRunner) -> None:
        self._nodes = nodes
        self._own_name = own_name
        self._runner = runner
        self._failure = ""

    async def run(self) -> None:
        """Keep the routes forever."""
        await self._nodes.synced()
        while True:
            await self.keep()
            try:
                async with asyncio.timeout(PERIOD_S):
                    await self._nodes.changed()
            except TimeoutError:
                pass

    async def keep(self) -> None:
        """Bring the routes up to date. A failure is logged once, and tried again."""
        failures = []
        try:
            for arguments in changes(wanted_routes(self._nodes.listed() or (), self._own_name), await self._present()):
                try:
                    await self._ip("-4", "route", *arguments)
                    log.info("a route to another node's pods is set: route=%s", " ".join(arguments))
                except PodwrightError as failure:
                    failures.append(str(failure))
        except PodwrightError as failure:
            failures.append(str(failure))
        text = "; ".join(failures)
        if text and text != self._failure:
            log.warning("routes to the pods of other nodes are missing: error=%s", text)
        self._failure = text

    async def _present(self) -> dict[str, str]:
        listed = msgspec.json.decode(
            await self._ip("-4", "-j", "route", "show", "proto", PROTOCOL) or b"[]", type=list[_ListedRoute]
        )
        return {each.dst if "/" in each.dst else f"{each.dst}/32": each.gateway for each in listed}

    async def _ip(self, *arguments: str) -> bytes:
        done = await self._runner.run(Command(argv=("ip", *arguments), timeout_s=TIMEOUT_S))
        if done.returncode:
            raise FailedPrecondition(f"ip {' '.join(arguments)}: {done.error_text()}")
        return done.stdout


def _address(node: Node) -> str:
    found = (each.address for each in node.status.addresses if each.type == "InternalIP")
    return next((address for address in found if _is_v4(address)), "")


def _is_v4(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 4
    except ValueError:
        return False


def _network(text: str) -> str:
    """The network in the kernel's format. Empty if it is not IPv4."""
    try:
        return str(ipaddress.IPv4Network(text))
    except ValueError:
        return ""

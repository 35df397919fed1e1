"""Chooses the node's addresses, for the API and for pods on the node's network.

The rules are the kubelet's (NodeAddress in pkg/kubelet/nodestatus/setters.go of Kubernetes 1.36): the given addresses,
else one: the name if it is an address, the name's address in DNS if that is this machine's, or the address of the
default route.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence

log = logging.getLogger(__name__)

LOOK_UP_S = 5.0
LookUp = Callable[[str], Awaitable[Sequence[str]]]


async def node_addresses(
    given: Sequence[str], name: str, routed: Sequence[str], look_up: LookUp | None = None
) -> tuple[str, ...]:
    """At most one address of each family, the primary one first.

    `given` is --node-ip, where 0.0.0.0 and :: only choose the family. `routed` has the addresses of the default
    routes.
    """
    if given and not ipaddress.ip_address(given[0]).is_unspecified:
        return tuple(given)
    family = ipaddress.ip_address(given[0]).version if given else 4
    with contextlib.suppress(ValueError):
        return (str(ipaddress.ip_address(name)),)
    named = [address for address in await (look_up or dns)(name) if is_own(address)]
    return (_preferred(named, family) or _preferred(routed, family))[:1]


def _preferred(addresses: Iterable[str], family: int) -> tuple[str, ...]:
    """The addresses, those of the family first."""
    return tuple(sorted(addresses, key=lambda address: ipaddress.ip_address(address).version != family))


async def dns(name: str) -> list[str]:
    """The addresses of a name from the machine's resolver. Empty if it fails or takes too long."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(LOOK_UP_S):
            found = await loop.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError, TimeoutError) as failure:
        log.debug("the node's name has no address: name=%s error=%s", name, failure)
        return []
    return [str(address[0]) for *_, address in found]


def is_own(text: str) -> bool:
    """Whether the address is on an interface of this machine and can be reached from outside."""
    address = ipaddress.ip_address(text)
    if address.is_loopback or address.is_multicast or address.is_link_local or address.is_unspecified:
        return False
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((text, 0))
    except OSError:
        return False
    return True

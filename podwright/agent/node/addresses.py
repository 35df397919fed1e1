"""Which addresses the node has for the API and for pods on its network.

The rules are the kubelet's (NodeAddress in pkg/kubelet/nodestatus/setters.go of Kubernetes 1.36): the given ones, else
one: the name if it is an address, what DNS says of the name if that is this machine, or that of the default route.
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
    """At most one of a family, the primary one first.

    `given` is --node-ip, where 0.0.0.0 or :: only chooses the family. `routed` are those of the default routes.
    """
    if given and not ipaddress.ip_address(given[0]).is_unspecified:
        return tuple(given)
    family = ipaddress.ip_address(given[0]).version if given else 4
    with contextlib.suppress(ValueError):
        return (str(ipaddress.ip_address(name)),)
    named = [address for address in await (look_up or dns)(name) if is_own(address)]
    return (_preferred(named, family) or _preferred(routed, family))[:1]


def _preferred(addresses: Iterable[str], family: int) -> tuple[str, ...]:
    """Those of the family first."""
    return tuple(sorted(addresses, key=lambda address: ipaddress.ip_address(address).version != family))


async def dns(name: str) -> list[str]:
    """What the machine's resolver says of a name. Nothing when that fails or takes too long."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(LOOK_UP_S):
            found = await loop.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError, TimeoutError) as failure:
        log.debug("the node's name has no address: name=%s error=%s", name, failure)
        return []
    return [str(address[0]) for *_, address in found]


def is_own(text: str) -> bool:
    """Whether an interface of this machine has the address, and others can reach it there."""
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

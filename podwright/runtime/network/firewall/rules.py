"""The content of the rules, independent of the program that sets them."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, collapse_addresses

import msgspec

from podwright.runtime.model.sandbox import PortMapping, Protocol


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """The scope of the rules. `bridge` names the table and the chains.

    `subnets` are masqueraded, but not towards the networks `direct`. Neither overlap among themselves.
    """

    bridge: str
    subnets: tuple[IPv4Network, ...]
    direct: tuple[IPv4Network, ...] = ()


def scope_of(bridge: str, subnets: Iterable[IPv4Network], direct: Iterable[IPv4Network] = ()) -> Scope:
    """The scope of subnets, which may overlap."""
    return Scope(bridge=bridge, subnets=tuple(collapse_addresses(subnets)), direct=tuple(collapse_addresses(direct)))


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """The host ports of one pod at `address`. `veth` is unique among the pods of the bridge."""

    veth: str
    address: str
    ports: tuple[PortMapping, ...]


def protocol_name(protocol: Protocol) -> str:
    """ "tcp", "udp" or "sctp", the name that the kernel, nft, iptables and CNI use."""
    return protocol.name.lower()

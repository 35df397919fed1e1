"""What the rules are about, whichever program sets them."""

from __future__ import annotations

from dataclasses import dataclass

from podwright.runtime.model.sandbox import PortMapping, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whose rules: the bridge's name names the table and the chains, `subnet` (a.b.c.d/n) is what is masqueraded."""

    bridge: str
    subnet: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The host ports of one pod at `address`; `veth` is unique among the pods of the bridge."""

    veth: str
    address: str
    ports: tuple[PortMapping, ...]


def protocol_name(protocol: Protocol) -> str:
    """ "tcp", "udp" or "sctp": the kernel's word, nft's, iptables' and CNI's."""
    return protocol.name.lower()

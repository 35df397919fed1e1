"""Which of the kernel's notifications concern the built-in bridge. Pure.

Numbers are those of linux/rtnetlink.h, linux/netconf.h and linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import enum
import socket
import struct
from collections.abc import Collection

from podwright.runtime.network.netlink import codec, requests
from podwright.runtime.network.netlink.codec import Message

RTM_DELROUTE, RTM_NEWNETCONF = 25, 80
NETCONFA_IFINDEX, NETCONFA_FORWARDING = 1, 2
ALL_LINKS = -1  # NETCONFA_IFINDEX_ALL: net.ipv4.conf.all; net.ipv4.ip_forward is an alias of its forwarding

NFNL_SUBSYS_NFTABLES = 10 << 8
NFT_MSG_NEWTABLE, NFT_MSG_DELTABLE, NFT_MSG_DELCHAIN = (NFNL_SUBSYS_NFTABLES | number for number in (0, 2, 5))
NFT_MSG_DELRULE, NFT_MSG_DELSET, NFT_MSG_DELSETELEM = (NFNL_SUBSYS_NFTABLES | number for number in (8, 11, 14))
NFTA_TABLE = 1  # the table's name, in messages about tables, chains, rules, sets and elements


class Concern(enum.IntEnum):
    """Whom a notification concerns: nothing, running pods, or also the next pod."""

    NONE = 0
    LATER = 1
    NOW = 2


# A table that is set again may be dormant now. Deleted elements may also be host ports that this daemon withdrew.
_RULE_CHANGES = {
    NFT_MSG_NEWTABLE: Concern.NOW,
    NFT_MSG_DELTABLE: Concern.NOW,
    NFT_MSG_DELCHAIN: Concern.NOW,
    NFT_MSG_DELRULE: Concern.NOW,
    NFT_MSG_DELSET: Concern.NOW,
    NFT_MSG_DELSETELEM: Concern.LATER,
}


def concern_of_rules(message: Message, tables: Collection[str]) -> Concern:
    """The meaning of an nftables notification for rules in `tables` (of the family ip)."""
    concern = _RULE_CHANGES.get(message.kind, Concern.NONE)
    if not concern or len(message.body) < 4 or message.body[0] != socket.AF_INET:
        return Concern.NONE
    table = codec.string(codec.attributes(message.body[4:]).get(NFTA_TABLE, b""))
    return concern if table in tables else Concern.NONE


def concern_of_bridge(message: Message, index: int) -> Concern:
    """The meaning of an rtnetlink notification for the bridge with this index."""
    body = message.body
    try:
        matters = _CHANGES_OF_BRIDGE[message.kind](body, index)
    except (KeyError, struct.error):
        return Concern.NONE
    return Concern.NOW if matters else Concern.NONE


def _is_down(body: bytes, index: int) -> bool:
    _, number, flags = struct.unpack_from("=Hii", body, 2)
    return body[0] == socket.AF_UNSPEC and number == index and not flags & requests.IFF_UP


def _is_deleted(body: bytes, index: int) -> bool:
    (number,) = struct.unpack_from("=i", body, 4)
    return body[0] == socket.AF_UNSPEC and number == index  # AF_BRIDGE: it left its bridge


def _lost_address(body: bytes, index: int) -> bool:
    (number,) = struct.unpack_from("=i", body, 4)
    return bool(number == index)


def _lost_route(body: bytes, index: int) -> bool:
    (number,) = struct.unpack("=i", codec.attributes(body[12:]).get(requests.RTA_OIF, b""))
    return bool(number == index)


def _does_not_forward(body: bytes, index: int) -> bool:
    found = codec.attributes(body[4:])
    (number,) = struct.unpack("=i", found.get(NETCONFA_IFINDEX, b""))
    (forwards,) = struct.unpack("=i", found.get(NETCONFA_FORWARDING, b""))
    return number in (index, ALL_LINKS) and not forwards


_CHANGES_OF_BRIDGE = {
    requests.RTM_NEWLINK: _is_down,
    requests.RTM_DELLINK: _is_deleted,
    requests.RTM_DELADDR: _lost_address,
    RTM_DELROUTE: _lost_route,
    RTM_NEWNETCONF: _does_not_forward,
}

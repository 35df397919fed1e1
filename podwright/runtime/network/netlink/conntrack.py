"""Deletes tracked UDP flows (ctnetlink), so that clients that keep sending notice a change of host ports.

The first packet of a flow decides its translation. Otherwise a client that sends once a second would keep talking to
the host, or to a removed pod.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Collection

from podwright.runtime.network.netlink import codec
from podwright.runtime.network.netlink.codec import NLM_F_ACK, NLM_F_DUMP, Message, NetlinkRequest
from podwright.runtime.network.netlink.connection import NETLINK_NETFILTER, NetlinkConnection

NFNL_SUBSYS_CTNETLINK = 1 << 8
IPCTNL_MSG_CT_GET = NFNL_SUBSYS_CTNETLINK | 1
IPCTNL_MSG_CT_DELETE = NFNL_SUBSYS_CTNETLINK | 2
CTA_TUPLE_ORIG, CTA_ID, CTA_ZONE = 1, 12, 18
CTA_TUPLE_PROTO = 2
CTA_PROTO_NUM, CTA_PROTO_DST_PORT = 1, 3
_NFGENMSG = struct.pack("=BBH", socket.AF_INET, 0, 0)


def forget_udp(ports: Collection[int]) -> int:
    """Delete every tracked IPv4 UDP flow to one of `ports`. Returns their number. Blocks. Raises OSError."""
    forgotten = 0
    with NetlinkConnection(NETLINK_NETFILTER) as connection:
        listing = NetlinkRequest(kind=IPCTNL_MSG_CT_GET, flags=NLM_F_DUMP, body=_NFGENMSG, label="list tracked flows")
        for message in connection.dump(listing):
            if udp_destination(message) not in ports:
                continue
            try:
                connection.perform(_delete(message))
                forgotten += 1
            except OSError as failure:
                if failure.errno != errno.ENOENT:  # it expired in the meantime
                    raise
    return forgotten


def udp_destination(message: Message) -> int | None:
    """The destination port of a tracked flow's first packet, or None if it is not UDP."""
    original = codec.attributes(message.body[4:]).get(CTA_TUPLE_ORIG, b"")
    protocol = codec.attributes(codec.attributes(original).get(CTA_TUPLE_PROTO, b""))
    if protocol.get(CTA_PROTO_NUM) != bytes([socket.IPPROTO_UDP]) or len(protocol.get(CTA_PROTO_DST_PORT, b"")) != 2:
        return None
    return int.from_bytes(protocol[CTA_PROTO_DST_PORT], "big")


def _delete(message: Message) -> NetlinkRequest:
    found = codec.attributes(message.body[4:])
    body = _NFGENMSG + codec.attribute(CTA_TUPLE_ORIG | codec.NLA_F_NESTED, found[CTA_TUPLE_ORIG])
    body += b"".join(codec.attribute(kind, found[kind]) for kind in (CTA_ID, CTA_ZONE) if kind in found)
    return NetlinkRequest(kind=IPCTNL_MSG_CT_DELETE, flags=NLM_F_ACK, body=body, label="forget a tracked flow")

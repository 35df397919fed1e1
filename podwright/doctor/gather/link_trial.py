"""Creates bridge and veth links in a network namespace that ends with the test.

It writes rtnetlink(7) messages itself, because a library might open its socket in another thread, in the host's
namespace.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

from podwright.linux import libc
from podwright.linux.namespaces import CLONE_NEWNET, in_thread

KINDS = ("bridge", "veth")
RTM_NEWLINK = 16
NLM_F_REQUEST, NLM_F_ACK, NLM_F_EXCL, NLM_F_CREATE = 0x1, 0x4, 0x200, 0x400
NLMSG_ERROR = 2
IFLA_IFNAME, IFLA_LINKINFO, IFLA_INFO_KIND = 3, 18, 1
HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
INTERFACE = struct.Struct("=BxHiII")  # family, type, index, flags, change
REPLY_BYTES = 4096
REPLY_TIMEOUT_S = 5.0


def try_links() -> dict[str, str]:
    """The errors by kind of link. Empty if all can be created. Blocks."""
    try:
        return in_thread(_try_in_new_namespace)
    except OSError as failure:
        return dict.fromkeys(KINDS, failure.strerror or str(failure))


def _try_in_new_namespace() -> dict[str, str]:
    libc.unshare(CLONE_NEWNET)
    errors = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as link:
        link.settimeout(REPLY_TIMEOUT_S)
        for sequence, kind in enumerate(KINDS, start=1):
            link.send(new_link_message(kind, f"trial{sequence}", sequence))
            if code := reply_errno(link.recv(REPLY_BYTES)):
                errors[kind] = os.strerror(code)
    return errors


def new_link_message(kind: str, name: str, sequence: int) -> bytes:
    """RTM_NEWLINK for a link of `kind`."""
    info = _attribute(IFLA_INFO_KIND, kind.encode() + b"\0")
    body = INTERFACE.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    body += _attribute(IFLA_IFNAME, name.encode() + b"\0") + _attribute(IFLA_LINKINFO, info)
    flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL
    return HEADER.pack(HEADER.size + len(body), RTM_NEWLINK, flags, sequence, 0) + body


def reply_errno(reply: bytes) -> int:
    """The errno in an acknowledgement: 0 for success, EPROTO for anything else."""
    if len(reply) < HEADER.size + 4 or HEADER.unpack_from(reply)[1] != NLMSG_ERROR:
        return errno.EPROTO
    code: int = struct.unpack_from("=i", reply, HEADER.size)[0]
    return -code


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + b"\0" * (-length % 4)

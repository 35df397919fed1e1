"""A kernel filter for rtnetlink's notifications, so that changes of other links do not wake the daemon.

Each pod that comes or goes causes some ten messages, none about the bridge. The filter is a classic BPF program
(linux/filter.h). It sees one message per datagram and reads numbers in network byte order.
"""

from __future__ import annotations

import ctypes
import socket
import struct

from podwright.runtime.network.netlink import notices, requests

SO_ATTACH_FILTER = 26
_LOAD_HALF, _LOAD_WORD = 0x28, 0x20  # BPF_LD | BPF_ABS, for 2 and 4 bytes
_IF_EQUAL, _RETURN = 0x15, 0x06  # BPF_JMP | BPF_JEQ | BPF_K, BPF_RET | BPF_K
_TYPE_AT, _INDEX_AT, _NETCONF_INDEX_AT = 4, 20, 24  # nlmsg_type; ifi_index and ifa_index; the first attribute's value
_WHOLE = 0xFFFFFFFF

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


def program(index: int) -> tuple[Instruction, ...]:
    """A filter for messages about the link with this index: see `notices.concern_of_bridge`. Pure."""
    here = _in_network_order("=i", index)
    return (
        (_LOAD_HALF, 0, 0, _TYPE_AT),
        (_IF_EQUAL, 6, 0, _in_network_order("=H", requests.RTM_NEWLINK)),
        (_IF_EQUAL, 5, 0, _in_network_order("=H", requests.RTM_DELLINK)),
        (_IF_EQUAL, 4, 0, _in_network_order("=H", requests.RTM_DELADDR)),
        (
            _IF_EQUAL,
            6,
            0,
            _in_network_order("=H", notices.RTM_DELROUTE),
        ),  # the index of its link comes later, so `notices` checks it
        (_IF_EQUAL, 0, 4, _in_network_order("=H", notices.RTM_NEWNETCONF)),
        (_LOAD_WORD, 0, 0, _NETCONF_INDEX_AT),
        (_IF_EQUAL, 3, 1, _in_network_order("=i", notices.ALL_LINKS)),
        (_LOAD_WORD, 0, 0, _INDEX_AT),
        (_IF_EQUAL, 1, 0, here),
        (_RETURN, 0, 0, 0),
        (_RETURN, 0, 0, _WHOLE),
    )


def attach(sock: socket.socket, index: int) -> None:
    """Set the filter, replacing an earlier one. Raises OSError."""
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program(index))
    buffer = ctypes.create_string_buffer(code, len(code))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer)))


def _in_network_order(layout: str, value: int) -> int:
    """The number that BPF reads where the kernel wrote one in host byte order."""
    return int.from_bytes(struct.pack(layout, value), "big")

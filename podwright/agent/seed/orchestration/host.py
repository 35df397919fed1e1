"""Facts about this machine that a pod's configs depend on, gathered once per run."""

from __future__ import annotations

import contextlib
import os
import platform
import socket
from dataclasses import dataclass

RESOLV_CONF = "/etc/resolv.conf"
# systemd-resolved's stub listens on the host's loopback, which a pod cannot reach; this file has the real servers.
RESOLVED_UPLINKS = "/run/systemd/resolve/resolv.conf"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """`resolv_conf` and `hosts` are the texts of the host's files."""

    node_name: str
    addresses: tuple[str, ...]
    cpu_count: int
    memory_bytes: int
    resolv_conf: str = ""
    hosts: str = ""


def gather() -> HostFacts:
    """Look at this machine; what cannot be read is left empty."""
    resolv_conf = _text(RESOLV_CONF)
    if "127.0.0.53" in resolv_conf and os.path.exists(RESOLVED_UPLINKS):
        resolv_conf = _text(RESOLVED_UPLINKS)
    return HostFacts(
        node_name=platform.node().lower(),
        addresses=_addresses(),
        cpu_count=os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        resolv_conf=resolv_conf,
        hosts=_text("/etc/hosts"),
    )


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _addresses() -> tuple[str, ...]:
    """The source addresses that the default routes would use; connecting a datagram socket sends nothing."""
    found = []
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))
            found.append(str(probe.getsockname()[0]))
    return tuple(found) or ("127.0.0.1",)

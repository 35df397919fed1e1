"""Ports of this machine that nobody uses, for servers that have to be told theirs."""

from __future__ import annotations

import errno
import random
import socket

# Below those that Linux gives to connections (net.ipv4.ip_local_port_range), which any program may take at any time.
PORTS = range(20000, 30000)


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """A TCP port, or one of another kind of socket, that nobody had a moment ago."""
    while True:
        port = random.choice(PORTS)
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError as failure:
                if failure.errno != errno.EADDRINUSE:
                    raise
            else:
                return port

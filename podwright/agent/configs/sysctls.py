"""Names of kernel parameters. Pure."""

from __future__ import annotations


def dotted(name: str) -> str:
    """The name with dots between its parts.

    The first separator decides what the other one means, as in sysctl(8): in `net/ipv4/conf/eth0.1/forwarding` the dot
    belongs to the interface's name, and becomes a slash.
    """
    first = next((character for character in name if character in "./"), ".")
    return name if first == "." else name.translate(str.maketrans("./", "/."))

"""Sysctls: the file of a value, and its form on the host. Pure."""

from __future__ import annotations

from podwright.runtime.model.base import IdMapping, host_id

PING_GROUPS = "/proc/sys/net/ipv4/ping_group_range"


def path(name: str) -> str:
    """The file of a sysctl. Names have dots, or slashes if their parts contain dots (sysctl(8))."""
    return "/proc/sys/" + (name if "/" in name else name.replace(".", "/"))


def as_on_host(name: str, value: str, gids: tuple[IdMapping, ...]) -> str:
    """The value to write from the host for a pod with mapped group ids.

    The kernel interprets the groups of ping_group_range as the writer sees them. Groups beyond the mapping are cut
    off, because pods use "0 2147483647" for everyone.
    """
    bounds = value.split()
    if path(name) != PING_GROUPS or len(bounds) != 2 or not all(map(str.isdecimal, bounds)):
        return value
    low, high = map(int, bounds)
    if low > high:
        return value  # an empty range: no group may ping
    last = max(mapping.container_id + mapping.length - 1 for mapping in gids)
    return f"{host_id(gids, min(low, last))} {host_id(gids, min(high, last))}"

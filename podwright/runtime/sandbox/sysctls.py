"""Sysctls: where a value is written, and what it means on the host. Pure."""

from __future__ import annotations

from podwright.runtime.model.base import IdMapping, host_id

PING_GROUPS = "/proc/sys/net/ipv4/ping_group_range"


def path(name: str) -> str:
    """The file of a sysctl: names have dots, or slashes when there are dots in their parts (sysctl(8))."""
    return "/proc/sys/" + (name if "/" in name else name.replace(".", "/"))


def as_on_host(name: str, value: str, gids: tuple[IdMapping, ...]) -> str:
    """The value to write from the host for a pod whose group ids are mapped.

    The kernel takes the groups of ping_group_range as the writer sees them. Those beyond the mapping are cut off,
    since pods ask for "0 2147483647" to mean everybody.
    """
    bounds = value.split()
    if path(name) != PING_GROUPS or len(bounds) != 2 or not all(map(str.isdecimal, bounds)):
        return value
    low, high = map(int, bounds)
    if low > high:
        return value  # nobody may
    last = max(mapping.container_id + mapping.length - 1 for mapping in gids)
    return f"{host_id(gids, min(low, last))} {host_id(gids, min(high, last))}"

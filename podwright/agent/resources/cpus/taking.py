"""Chooses among the free CPUs, as close together as possible. Pure.

The choice is the kubelet's (pkg/kubelet/cm/cpumanager/cpu_assignment.go of Kubernetes 1.36), so that a kubelet and
this agent choose the same CPUs on a node.
"""

from __future__ import annotations

from podwright.agent.resources.cpus.layout import CpuLayout, Cpus, Level
from podwright.errors import ResourceExhausted


def take_packed(
    layout: CpuLayout, available: Cpus, count: int, *, spread_cores: bool = False, by_cache: bool = False
) -> Cpus:
    """Take whole NUMA nodes and sockets if they fit, then whole caches (`by_cache`), then cores, then threads.

    `spread_cores` takes threads of different cores instead of whole cores. Raises ResourceExhausted.
    """
    if count > len(available):
        raise ResourceExhausted(
            f"not enough cpus available to satisfy request: requested={count}, available={len(available)}"
        )
    basket = _Basket(layout, available, count)
    for level in layout.hierarchy():
        basket.take_whole(level, layout.ordered(basket.free, layout.hierarchy()))
    if by_cache:
        basket.take_by_cache()
    if not spread_cores:
        basket.take_whole("core", basket.in_order())
    basket.take_single(basket.by_socket() if spread_cores else basket.in_order())
    return basket.taken


class _Basket:
    """The CPUs taken so far, and the free ones."""

    def __init__(self, layout: CpuLayout, available: Cpus, count: int) -> None:
        self._layout = layout
        self.free = available
        self.taken: Cpus = frozenset()
        self._needed = count

    def in_order(self) -> list[int]:
        """The free CPUs, group by group."""
        return self._layout.ordered(self.free, (*self._layout.hierarchy(), "core"))

    def by_socket(self) -> list[int]:
        """The free CPUs by socket, then by id: the first threads of all cores come first."""
        return self._layout.ordered(self.free, self._levels_to("socket"))

    def take_whole(self, level: Level, cpus: list[int]) -> None:
        """Take groups without a CPU in use, while all of their CPUs are needed."""
        layout = self._layout
        for group in layout.groups_in_order(level, cpus):
            size = layout.size(level, group)
            members = layout.within(level, {group}, self.free)
            if len(members) == size <= self._needed:
                self._take(members)

    def take_single(self, cpus: list[int]) -> None:
        """Take the CPUs that are still needed, one by one."""
        self._take(frozenset(cpus[: self._needed]))

    def take_by_cache(self) -> None:
        """Take whole caches, then the rest of the request from one cache."""
        layout = self._layout
        for cache in layout.groups_in_order("cache", self._by_cache()):
            if self._needed >= layout.usual_size("cache"):
                self.take_whole("cache", self._by_cache())
            if self._needed:
                self._take_part_of(cache)

    def _by_cache(self) -> list[int]:
        return self._layout.ordered(self.free, (*self._levels_to("node"), "cache"))

    def _take_part_of(self, cache: int) -> None:
        """Take all CPUs that are still needed from the cores of one cache, or none."""
        layout, per_core = self._layout, self._layout.usual_size("core")
        members = layout.within("cache", {cache}, self.free)
        cores = layout.ids("core", members)[: -(-self._needed // per_core)]
        found = sorted(layout.within("core", set(cores), self.free))
        if self._needed % 2 and per_core > 1 and len(found) > self._needed:
            found.pop()  # of the last core, one thread is enough
        if len(found) == self._needed:
            self._take(frozenset(found))

    def _levels_to(self, level: Level) -> tuple[Level, ...]:
        larger, smaller = self._layout.hierarchy()
        return (larger,) if level == larger else (larger, smaller)

    def _take(self, cpus: Cpus) -> None:
        self.taken |= cpus
        self.free -= cpus
        self._needed -= len(cpus)

"""The groups of a machine's CPUs: threads of a core, CPUs that share a cache, sockets, NUMA nodes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Literal

from podwright.agent.resources.topology.machine import Cpu, MachineTopology

Level = Literal["node", "socket", "cache", "core"]
Cpus = frozenset[int]
NO_CPUS: Cpus = frozenset()


class CpuLayout:
    """The usable CPUs by their ids."""

    def __init__(self, machine: MachineTopology) -> None:
        self._cpus = {cpu.id: cpu for cpu in machine.cpus}
        self.all: Cpus = frozenset(self._cpus)
        self._sizes = {level: self._counts(level, self.all) for level in ("node", "socket", "cache", "core")}

    def of(self, cpu: int) -> Cpu:
        """The CPU with its groups."""
        return self._cpus[cpu]

    def ids(self, level: Level, cpus: Iterable[int]) -> list[int]:
        """The groups that these CPUs belong to, in ascending order."""
        return sorted({self._group(level, cpu) for cpu in cpus})

    def within(self, level: Level, groups: Collection[int], cpus: Iterable[int]) -> Cpus:
        """The CPUs that are in one of the groups."""
        return frozenset(cpu for cpu in cpus if self._group(level, cpu) in groups)

    def count(self, level: Level) -> int:
        """The number of groups."""
        return len(self._sizes[level])

    def size(self, level: Level, group: int) -> int:
        """The number of CPUs in a group."""
        return self._sizes[level][group]

    def usual_size(self, level: Level) -> int:
        """The average number of CPUs in a group, rounded down, and at least 1."""
        return max(1, len(self.all) // max(1, self.count(level)))

    def hierarchy(self) -> tuple[Level, Level]:
        """NUMA nodes and sockets, the larger ones first.

        A socket may have several nodes, and a node several sockets.
        """
        return ("node", "socket") if self.count("socket") >= self.count("node") else ("socket", "node")

    def ordered(self, cpus: Cpus, levels: Iterable[Level]) -> list[int]:
        """The CPUs sorted by their groups at each level in turn: groups with few of them first, then by id.

        So groups that are partly in use are used up first.
        """
        counts = [(level, self._counts(level, cpus)) for level in levels]

        def rank(cpu: int) -> tuple[int, ...]:
            groups = [(count[group], group) for level, count in counts for group in (self._group(level, cpu),)]
            return (*(number for pair in groups for number in pair), cpu)

        return sorted(cpus, key=rank)

    def groups_in_order(self, level: Level, cpus: Iterable[int]) -> list[int]:
        """The groups of these CPUs, in the order in which they appear."""
        return list(dict.fromkeys(self._group(level, cpu) for cpu in cpus))

    def share_a_cache(self, cpus: Iterable[int]) -> bool:
        """Whether all of them share one last-level cache."""
        return len(self.ids("cache", cpus)) <= 1

    def _group(self, level: Level, cpu: int) -> int:
        group: int = getattr(self._cpus[cpu], level)
        return group

    def _counts(self, level: Level, cpus: Iterable[int]) -> Counter[int]:
        return Counter(self._group(level, cpu) for cpu in cpus)

"""Takes CPUs in equal shares from several NUMA nodes if one has too few (distribute-cpus-across-numa). Pure.

The choice is the kubelet's (KEP-2902 and pkg/kubelet/cm/cpumanager/cpu_assignment.go of Kubernetes 1.36).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from podwright.agent.resources.cpus.layout import CpuLayout, Cpus
from podwright.agent.resources.cpus.taking import take_packed

Free = Mapping[int, int]  # the free CPUs by node


class _Share(msgspec.Struct, frozen=True, kw_only=True):
    """Each of the `nodes` gives `each` CPUs. Those in `rest` give further groups in turn until there are enough.

    `imbalance` is the difference between the nodes' free CPUs afterwards.
    """

    nodes: tuple[int, ...]
    each: int
    rest: tuple[int, ...]
    imbalance: float


def take_spread(layout: CpuLayout, available: Cpus, count: int, *, group: int = 1, spread_cores: bool = False) -> Cpus:
    """Take groups of `group` CPUs in equal shares from as few nodes as possible. Raises ResourceExhausted.

    If equal shares are impossible, take packed CPUs.
    """
    if count % group or count > len(available) or not count:
        return take_packed(layout, available, count, spread_cores=spread_cores)
    larger, smaller = layout.hierarchy()
    nodes = layout.groups_in_order("node", layout.ordered(available, (larger, smaller)))
    free = {node: len(layout.within("node", {node}, available)) for node in nodes}
    for number in _numbers_of_nodes(layout, len(nodes), count, group):
        shares = (
            share for some in itertools.combinations(nodes, number) if (share := _share(some, free, count, group))
        )
        if best := min(shares, key=lambda share: share.imbalance, default=None):
            return _take(layout, available, best, count, group=group, spread_cores=spread_cores)
    return take_packed(layout, available, count, spread_cores=spread_cores)


def _numbers_of_nodes(layout: CpuLayout, nodes: int, count: int, group: int) -> range:
    """The numbers of nodes to try."""
    groups_per_node = math.ceil(math.ceil(len(layout.all) / group) / layout.count("node"))
    wanted = math.ceil(count / group)
    return range(math.ceil(wanted / groups_per_node), min(wanted, nodes) + 1)


def _share(nodes: tuple[int, ...], free: Free, count: int, group: int) -> _Share | None:
    """The shares of these nodes, None if they cannot serve the request equally."""
    if sum(free[node] // group for node in nodes) * group < count:
        return None
    each = count // len(nodes) // group * group
    if any(free[node] < each for node in nodes):
        return None
    after = {node: number - (each if node in nodes else 0) for node, number in free.items()}
    rest = count - each * len(nodes)
    if not rest:
        return _Share(nodes=nodes, each=each, rest=(), imbalance=_deviation(list(after.values())))
    givers = [node for node in nodes if after[node] >= group]
    subsets = (subset for size in range(len(givers), 0, -1) for subset in itertools.combinations(givers, size))
    shares = (
        _Share(nodes=nodes, each=each, rest=subset, imbalance=imbalance)
        for subset in subsets
        if (imbalance := _imbalance(after, subset, rest, group)) is not None
    )
    return min(shares, key=lambda share: share.imbalance, default=None)


def _imbalance(after: Free, givers: Sequence[int], rest: int, group: int) -> float | None:
    """The imbalance after `givers` have given the rest as well, None if they cannot."""
    left = dict(after)
    for node in _rounds(givers, rest // group, group, left):
        left[node] -= group
    given = sum(after.values()) - sum(left.values())
    return _deviation(list(left.values())) if given == rest else None


def _rounds(givers: Sequence[int], groups: int, group: int, left: Mapping[int, int]) -> Iterator[int]:
    """Yield the node that gives the next group: each in turn that still can."""
    while groups and any(left[node] >= group for node in givers):
        for node in givers:
            if groups and left[node] >= group:
                groups -= 1
                yield node


def _take(layout: CpuLayout, available: Cpus, share: _Share, count: int, *, group: int, spread_cores: bool) -> Cpus:
    taken: Cpus = frozenset()

    def take(node: int, number: int) -> None:
        nonlocal taken
        free = layout.within("node", {node}, available - taken)
        taken |= take_packed(layout, free, number, spread_cores=spread_cores)

    for node in share.nodes:
        take(node, share.each)
    left = {node: len(layout.within("node", {node}, available - taken)) for node in share.rest}
    for node in _rounds(share.rest, (count - len(taken)) // group, group, left):
        left[node] -= group
        take(node, group)
    return taken


def _deviation(numbers: Sequence[int]) -> float:
    """The standard deviation, rounded to a thousandth as by the kubelet."""
    mean = round(sum(numbers) / len(numbers), 3)
    return round(math.sqrt(sum((number - mean) ** 2 for number in numbers) / len(numbers)), 3)

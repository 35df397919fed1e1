"""Merges the hints of all managers to one set of NUMA nodes. Pure.

A candidate is the common nodes of one hint of each resource. The kubelet examines all combinations of hints, whose
number multiplies with each resource. But a combination only matters by its common nodes, and by whether it is
preferred. So here only distinct outcomes are kept while resources are added one by one: at most two for each set of
nodes. The order of candidates is the kubelet's (pkg/kubelet/cm/topologymanager/policy.go of Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from podwright.agent.resources.topology.hints import ANYWHERE, Hints, TopologyHint
from podwright.agent.resources.topology.masks import NO_NODE, NodeMask, both, count, nodes_of

Rank = tuple[float, ...]
Distances = Mapping[int, Mapping[int, int]]  # from node to node, as the kernel reports them: 10 is the node itself

NOWHERE = TopologyHint(nodes=None, preferred=False)


def by_resource(hints: Iterable[Hints]) -> list[Sequence[TopologyHint]]:
    """The hints of each resource. Without hints any nodes will do."""
    found: list[Sequence[TopologyHint]] = []
    for each in hints:
        if not each:
            found.append([ANYWHERE])
        found += [[ANYWHERE] if some is None else some or [NOWHERE] for some in each.values()]
    return found


def merge(
    resources: Sequence[Sequence[TopologyHint]], everywhere: NodeMask, fitness: Callable[[NodeMask], Rank]
) -> TopologyHint:
    """The best set of nodes for all resources. If they have no common nodes: all nodes, not preferred.

    A lower `fitness` is better. It ranks equally preferred candidates.
    """
    wanted = _most_needed(resources)
    candidates = [_bounded(outcome, everywhere) for outcome in _outcomes(resources)]
    return min(
        (hint for hint in candidates if hint.nodes),
        key=lambda hint: _rank(hint, wanted, fitness),
        default=TopologyHint(nodes=everywhere, preferred=False),
    )


def narrowness(mask: NodeMask) -> Rank:
    """A rank by which few nodes are better, then low numbers."""
    return count(mask), mask


def closeness(distances: Distances) -> Callable[[NodeMask], Rank]:
    """A rank by which few nodes are better, then a small average distance, then low numbers."""

    def rank(mask: NodeMask) -> Rank:
        nodes = nodes_of(mask)
        return count(mask), sum(distances[one][other] for one in nodes for other in nodes), mask

    return rank


def _outcomes(resources: Iterable[Sequence[TopologyHint]]) -> set[TopologyHint]:
    """The outcomes of all combinations of hints.

    A combination's common nodes are preferred if all hints are preferred and have the same nodes.
    """
    outcomes = {ANYWHERE}
    for hints in resources:
        outcomes = {_joined(outcome, hint) for outcome in outcomes for hint in set(hints)}
    return outcomes


def _joined(left: TopologyHint, right: TopologyHint) -> TopologyHint:
    preferred = left.preferred and right.preferred
    if left.nodes is None or right.nodes is None:
        return TopologyHint(nodes=right.nodes if left.nodes is None else left.nodes, preferred=preferred)
    return TopologyHint(nodes=both(left.nodes, right.nodes), preferred=preferred and left.nodes == right.nodes)


def _bounded(hint: TopologyHint, everywhere: NodeMask) -> TopologyHint:
    return TopologyHint(
        nodes=everywhere if hint.nodes is None else both(hint.nodes, everywhere), preferred=hint.preferred
    )


def _most_needed(resources: Iterable[Sequence[TopologyHint]]) -> int:
    """The largest of the resources' smallest numbers of nodes."""
    counts = ([count(hint.nodes) for hint in hints if hint.nodes is not None] for hints in resources)
    return max((min(each) for each in counts if each), default=0)


def _rank(hint: TopologyHint, wanted: int, fitness: Callable[[NodeMask], Rank]) -> Rank:
    """The rank: preferred sets first, then those with `wanted` nodes, with fewer (the largest first), with more."""
    mask = hint.nodes or NO_NODE
    if hint.preferred:
        return (0, 0, 0, *fitness(mask))
    nodes = count(mask)
    group = 0 if nodes == wanted else 1 if nodes < wanted else 2
    return (1, group, -nodes if group == 1 else 0, *fitness(mask))

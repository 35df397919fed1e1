"""Sets of NUMA nodes as bit masks: node 3 is bit 3. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NewType

NodeMask = NewType("NodeMask", int)
NO_NODE = NodeMask(0)


def mask_of(nodes: Iterable[int]) -> NodeMask:
    """The mask of these nodes."""
    mask = 0
    for node in nodes:
        mask |= 1 << node
    return NodeMask(mask)


def nodes_of(mask: NodeMask) -> tuple[int, ...]:
    """The nodes of a mask, in ascending order."""
    return tuple(node for node in range(mask.bit_length()) if mask >> node & 1)


def count(mask: NodeMask) -> int:
    """The number of nodes in a mask."""
    return mask.bit_count()


def both(left: NodeMask, right: NodeMask) -> NodeMask:
    """The nodes that are in both."""
    return NodeMask(left & right)


def all_masks(nodes: Sequence[int]) -> Iterator[NodeMask]:
    """Every set of at least one node, small ones first, then in the order of the nodes."""
    for size in range(1, len(nodes) + 1):
        yield from map(mask_of, itertools.combinations(nodes, size))

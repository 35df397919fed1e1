"""The best set of NUMA nodes, and who is let in with it. The kubelet's way over all combinations is the oracle."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.resources.topology.hints import ANYWHERE, Hints, TopologyHint
from podwright.agent.resources.topology.masks import NodeMask, all_masks, count, mask_of, nodes_of
from podwright.agent.resources.topology.merging import merge, narrowness
from podwright.agent.resources.topology.policies import (
    BEST_EFFORT,
    RESTRICTED,
    SINGLE_NODE,
    TopologyOptions,
    TopologyPolicy,
    read_options,
)
from podwright.errors import FailedPrecondition, InvalidArgument
from tests.agent.resources.topology.trees import Shape, machine

NODES = range(4)
EVERYWHERE = mask_of(NODES)
NOTHING_FITS: list[TopologyHint] = []


def on(*nodes: int) -> TopologyHint:
    return TopologyHint(nodes=mask_of(nodes), preferred=True)


def rather_not(*nodes: int) -> TopologyHint:
    return TopologyHint(nodes=mask_of(nodes), preferred=False)


def best(name: str, hints: Sequence[Hints], tmp_path: Path, **options: bool) -> tuple[TopologyHint, bool]:
    shape = Shape(sockets=2, nodes_per_socket=2)
    return TopologyPolicy(name, TopologyOptions(**options), machine(tmp_path, shape)).best(hints)


@pytest.mark.parametrize(
    ("name", "hints", "expected", "is_good"),
    [
        (BEST_EFFORT, [], on(0, 1, 2, 3), True),
        (BEST_EFFORT, [{}], on(0, 1, 2, 3), True),
        (RESTRICTED, [{}, {"cpu": None}], on(0, 1, 2, 3), True),
        (SINGLE_NODE, [{}], ANYWHERE, True),
        (RESTRICTED, [{"cpu": NOTHING_FITS}], rather_not(0, 1, 2, 3), False),
        (BEST_EFFORT, [{"cpu": NOTHING_FITS}], rather_not(0, 1, 2, 3), True),
        (SINGLE_NODE, [{"cpu": NOTHING_FITS}], TopologyHint(nodes=None, preferred=False), False),
        (RESTRICTED, [{"cpu": [on(2), on(0), rather_not(0, 1)]}], on(0), True),
        (RESTRICTED, [{"cpu": [on(0), on(1)]}, {"gpu": [on(1)]}], on(1), True),
        (RESTRICTED, [{"cpu": [on(0)], "memory": [on(1), rather_not(0, 1)]}], rather_not(0), False),
        (BEST_EFFORT, [{"cpu": [on(0)], "memory": [on(1), rather_not(0, 1)]}], rather_not(0), True),
        (RESTRICTED, [{"cpu": [on(0, 1)]}, {"gpu": [on(0, 1), on(2, 3)]}], on(0, 1), True),
        (SINGLE_NODE, [{"cpu": [on(0, 1)]}], TopologyHint(nodes=None, preferred=False), False),
        (SINGLE_NODE, [{"cpu": [on(0), on(1)]}, {"gpu": [on(1), rather_not(0, 1)]}], on(1), True),
        (SINGLE_NODE, [{"cpu": [on(0)]}, {"gpu": [on(1)]}], TopologyHint(nodes=None, preferred=False), False),
    ],
)
def test_policies(name: str, hints: list[Hints], expected: TopologyHint, is_good: bool, tmp_path: Path) -> None:
    assert best(name, hints, tmp_path) == (expected, is_good)


def test_the_closest_nodes_are_preferred_if_that_is_asked_for(tmp_path: Path) -> None:
    hints: list[Hints] = [{"cpu": [on(0, 2), on(2, 3)]}]
    assert best(BEST_EFFORT, hints, tmp_path)[0] == on(0, 2), "low numbers"
    assert best(BEST_EFFORT, hints, tmp_path, prefer_closest=True)[0] == on(2, 3), "in one socket"


def test_too_many_nodes(tmp_path: Path) -> None:
    found = machine(tmp_path, Shape(sockets=9, cores_per_node=1))
    with pytest.raises(FailedPrecondition, match="more than 8 NUMA Nodes"):
        TopologyPolicy(BEST_EFFORT, TopologyOptions(), found)
    TopologyPolicy(BEST_EFFORT, read_options({"max-allowable-numa-nodes": "9"}), found)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prefer-closest-numa-nodes": "maybe"}, "not a boolean"),
        ({"max-allowable-numa-nodes": "x"}, "not a number"),
        ({"max-allowable-numa-nodes": "7"}, "minimum value"),
        ({"fast": "true"}, "unknown Topology Manager Policy option"),
    ],
)
def test_bad_options(options: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        read_options(options)


MASKS = list(all_masks(NODES))
HINT_LISTS = st.lists(
    st.lists(
        st.builds(TopologyHint, nodes=st.sampled_from([None, *MASKS]), preferred=st.booleans()), min_size=1, max_size=6
    ),
    max_size=3,
)


@given(HINT_LISTS)
def test_merging_is_what_all_combinations_give(resources: list[list[TopologyHint]]) -> None:
    assert merge(resources, EVERYWHERE, narrowness) == by_all_combinations(resources)


def by_all_combinations(resources: list[list[TopologyHint]]) -> TopologyHint:
    """The rules as they are told: each combination is compared with the best one before it."""
    smallest = [min((count(hint.nodes) for hint in each if hint.nodes), default=0) for each in resources]
    wanted = max(smallest, default=0)
    current: TopologyHint | None = None
    for combination in itertools.product(*resources):
        masks = [hint.nodes for hint in combination if hint.nodes is not None]
        common = set(NODES).intersection(*(nodes_of(mask) for mask in masks))
        preferred = all(hint.preferred for hint in combination) and len(set(masks)) <= 1
        if common:
            candidate = TopologyHint(nodes=mask_of(common), preferred=preferred)
            current = candidate if current is None else better(current, candidate, wanted)
    return current or TopologyHint(nodes=EVERYWHERE, preferred=False)


def better(current: TopologyHint, candidate: TopologyHint, wanted: int) -> TopologyHint:
    old, new = current.nodes or NodeMask(0), candidate.nodes or NodeMask(0)
    narrower = candidate if narrowness(new) < narrowness(old) else current
    if current.preferred != candidate.preferred:
        return current if current.preferred else candidate
    if current.preferred or count(old) > wanted:
        return narrower
    if count(old) == wanted:
        return narrower if count(new) == wanted else current
    if count(new) > wanted or count(new) < count(old):
        return current
    return narrower if count(new) == count(old) else candidate

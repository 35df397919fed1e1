"""The policies of the topology manager: whether a container may run with the best set of nodes. Pure.

`best-effort` accepts any set of nodes, `restricted` only a preferred set, `single-numa-node` only one node. The rules
and messages are the kubelet's (pkg/kubelet/cm/topologymanager of Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from podwright.agent.config.flag_syntax import parse_boolean
from podwright.agent.resources.topology.hints import Hints, TopologyHint
from podwright.agent.resources.topology.machine import MachineTopology
from podwright.agent.resources.topology.masks import count, mask_of
from podwright.agent.resources.topology.merging import by_resource, closeness, merge, narrowness
from podwright.errors import FailedPrecondition, InvalidArgument

NONE, BEST_EFFORT, RESTRICTED, SINGLE_NODE = "none", "best-effort", "restricted", "single-numa-node"
PREFER_CLOSEST, MAX_NODES = "prefer-closest-numa-nodes", "max-allowable-numa-nodes"
DEFAULT_MAX_NODES = 8


class TopologyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`topologyManagerPolicyOptions`."""

    prefer_closest: bool = False
    max_nodes: int = DEFAULT_MAX_NODES


class TopologyPolicy:
    """One policy on one machine."""

    def __init__(self, name: str, options: TopologyOptions, machine: MachineTopology) -> None:
        """`name` is any policy except `none`. Raises FailedPrecondition on a machine with too many nodes."""
        nodes = [node.id for node in machine.nodes]
        if len(nodes) > options.max_nodes:
            raise FailedPrecondition(
                f"unsupported on machines with more than {options.max_nodes} NUMA Nodes",
                hint=f"raise {MAX_NODES} in topologyManagerPolicyOptions",
            )
        self._name = name
        self._everywhere = mask_of(nodes)
        by_distance = options.prefer_closest and name != SINGLE_NODE
        self._fitness = closeness(machine.distances()) if by_distance else narrowness

    @property
    def is_alignment_guaranteed(self) -> bool:
        """Whether every admitted container has all of its resources on one node."""
        return self._name == SINGLE_NODE

    def best(self, hints: Iterable[Hints]) -> tuple[TopologyHint, bool]:
        """The best set of nodes for a container's resources, and whether it may run with that."""
        resources = by_resource(hints)
        if self._name == SINGLE_NODE:
            resources = [[hint for hint in each if _is_on_one(hint)] for each in resources]
        hint = merge(resources, self._everywhere, self._fitness)
        if self._name == SINGLE_NODE and hint.nodes == self._everywhere:
            hint = TopologyHint(nodes=None, preferred=hint.preferred)
        return hint, hint.preferred or self._name == BEST_EFFORT


def read_options(texts: Mapping[str, str]) -> TopologyOptions:
    """The configured options. Raises InvalidArgument."""
    prefer_closest, max_nodes = False, DEFAULT_MAX_NODES
    for name, text in texts.items():
        if name == PREFER_CLOSEST:
            prefer_closest = _boolean(text)
        elif name == MAX_NODES:
            max_nodes = _number(text)
        else:
            raise InvalidArgument(
                f"topologyManagerPolicyOptions: unknown Topology Manager Policy option: {name!r}",
                hint=f"there are {PREFER_CLOSEST} and {MAX_NODES}",
            )
    return TopologyOptions(prefer_closest=prefer_closest, max_nodes=max_nodes)


def _boolean(text: str) -> bool:
    try:
        return parse_boolean(text)
    except InvalidArgument as failure:
        raise InvalidArgument(f"topologyManagerPolicyOptions: {PREFER_CLOSEST}: {failure.message}") from failure


def _number(text: str) -> int:
    if not text.isdecimal():
        raise InvalidArgument(f"topologyManagerPolicyOptions: {MAX_NODES}: {text!r} is not a number")
    if int(text) < DEFAULT_MAX_NODES:
        raise InvalidArgument(
            f"topologyManagerPolicyOptions: the minimum value of {MAX_NODES} is {DEFAULT_MAX_NODES}, not {text}"
        )
    return int(text)


def _is_on_one(hint: TopologyHint) -> bool:
    return hint.preferred and (hint.nodes is None or count(hint.nodes) == 1)

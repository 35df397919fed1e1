"""Makes the facts about this node: its capacity, what pods may use, and its Node object."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import structs

from podwright.agent.assembly.dependencies import Dependencies
from podwright.agent.clock import utc_now
from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.configs.node import NodeFacts, read_facts
from podwright.agent.node.capacity import Amounts, allocatable, capacity, texts
from podwright.agent.node.current import CurrentNode
from podwright.agent.node.object import NodeFindings, declared_features, new_node, node_status
from podwright.agent.resources.devices.inventory import DeviceCounts
from podwright.agent.resources.reserved import check_reservations
from podwright.k8s.objects import Node, Taint

STARTING = "container runtime status check may not have completed yet"  # a kubelet's problem at its start


class OwnNode(msgspec.Struct, frozen=True, kw_only=True):
    """The node. `capacity` and `allocatable` are without devices, which come and go. `current` is the Node object."""

    capacity: Amounts
    allocatable: Amounts
    facts: NodeFacts
    current: CurrentNode


def make_node(config: AgentConfig, dependencies: Dependencies) -> OwnNode:
    """Read this machine. Raises InvalidArgument for reservations that exceed its capacity, and OSError."""
    machine = dependencies.machine
    total = capacity(machine, config, config.process.root_dir)
    check_reservations(total, config)
    rest = allocatable(total, config)
    facts = read_facts(dependencies.node_name, machine, machine.addresses, texts(rest))
    no_devices = DeviceCounts(capacity={}, allocatable={})
    findings = _findings(config, dependencies, facts, total, no_devices)
    current = CurrentNode(_first_object(config, dependencies, findings))
    return OwnNode(capacity=total, allocatable=rest, facts=facts, current=current)


def node_findings(
    config: AgentConfig, dependencies: Dependencies, node: OwnNode, devices: DeviceCounts
) -> NodeFindings:
    """The present findings about this machine and its runtime, for the node's status."""
    return _findings(config, dependencies, node.facts, node.capacity, devices)


def _findings(
    config: AgentConfig, dependencies: Dependencies, facts: NodeFacts, total: Amounts, devices: DeviceCounts
) -> NodeFindings:
    return NodeFindings(
        machine=dependencies.machine,
        addresses=facts.addresses,
        capacity={**texts(total), **_numbers(devices.capacity)},
        allocatable={**facts.allocatable, **_numbers(devices.allocatable)},
        runtime_version=dependencies.watch.version,
        runtime=dependencies.watch.state,
        port=config.server.port,
        max_images=config.node.status_max_images,
        declared_features=declared_features(config.feature_gates, dependencies.watch.state),
    )


def _first_object(config: AgentConfig, dependencies: Dependencies, findings: NodeFindings) -> Node:
    """The Node object to register. Without an API server it is the only one."""
    starting = msgspec.structs.replace(findings, problems=(STARTING,))
    taints = [Taint(key=each.key, value=each.value, effect=each.effect) for each in config.node.taints]
    name = dependencies.node_name
    node = new_node(name, starting, config.node.labels, taints, config.node.provider_id)
    return structs.replace(node, status=node_status(node.status, starting, name, utc_now(dependencies.clock)))


def _numbers(counts: Mapping[str, int]) -> dict[str, str]:
    return {name: str(count) for name, count in counts.items()}
